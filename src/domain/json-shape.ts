// JSON of strangers, bounded before it is parsed: a text of brackets costs far more memory parsed than written.

const MOST_CONTAINERS = 500_000;
const MOST_VALUES = 1_500_000;
/** Of one object: names cost more than values. */
const MOST_NAMES = 250_000;
const DEEPEST_NESTING = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const LIST = 0x5b;
const OPENERS = [LIST, 0x7b];
const CLOSERS = [0x5d, 0x7d];

/** Whether a JSON text nests and branches no more than long lists of files do. Whether it is JSON is not asked. */
export function isReasonableJson(json: Uint8Array | string): boolean {
  const codeAt =
    typeof json === "string" ? (at: number) => json.charCodeAt(at) : (at: number) => json[at] ?? 0;
  let isString = false;
  let depth = 0;
  let containers = 0;
  let values = 0;
  /** Names so far of the object at each depth; none for a list. */
  const names = new Float64Array(DEEPEST_NESTING + 1);
  for (let index = 0; index < json.length; index += 1) {
    const code = codeAt(index);
    if (isString) {
      if (code === BACKSLASH) index += 1;
      else if (code === QUOTE) isString = false;
    } else if (code === QUOTE) {
      isString = true;
    } else if (code === COMMA) {
      values += 1;
      names[depth] = (names[depth] ?? 0) + 1;
      if ((names[depth] ?? 0) > MOST_NAMES) return false;
    } else if (OPENERS.includes(code)) {
      depth += 1;
      containers += 1;
      if (depth > DEEPEST_NESTING) return false;
      names[depth] = code === LIST ? Number.NEGATIVE_INFINITY : 0;
    } else if (CLOSERS.includes(code)) {
      depth -= 1;
    }
  }
  return containers <= MOST_CONTAINERS && values <= MOST_VALUES;
}

/** Parses a text of a file that anybody may have written. @throws SyntaxError when it is no JSON, or beyond reason */
export function parseJson(text: string): unknown {
  if (!isReasonableJson(text)) throw new SyntaxError("JSON beyond reason");
  return JSON.parse(text);
}
