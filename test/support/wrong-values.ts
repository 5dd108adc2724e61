// Every way in which one value of a sound text can be wrong, made from the text itself.

/** What stands where something else should; the last are numbers that only a text can hold. */
const WRONG: readonly (readonly [what: string, json: string])[] = [
  ["null", "null"],
  ["empty text", '""'],
  ["nought", "0"],
  ["minus one", "-1"],
  ["a fraction", "0.5"],
  ["a list", "[]"],
  ["an object", "{}"],
  ["true", "true"],
  ["a digit as text", '"12"'],
  ["a long text", JSON.stringify("x".repeat(100_000))],
  ["a text with escapes", JSON.stringify("\u001b]0;owned\u0007\r\u202e\ud800")],
  ["two to the 63rd", "9223372036854775808"],
  ["infinity", "1e999"],
  ["a list of itself", "[[[[[[[[[[]]]]]]]]]]"],
  ["a prototype", '{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}'],
];

/** A text with one wrong value, and where it is. */
export interface WrongText {
  readonly what: string;
  readonly text: string;
}

/** Each place of a sound value replaced by each wrong value, left out, and given twice. */
export function wrongTexts(sound: unknown): WrongText[] {
  return placesOf(sound).flatMap((place) => {
    const name = place.length === 0 ? "all of it" : place.join(".");
    const wrong = WRONG.map(([what, json]) => ({
      what: `${name} is ${what}`,
      text: write(sound, place, json),
    }));
    return place.length === 0
      ? wrong
      : [...wrong, { what: `${name} is missing`, text: write(sound, place, null) }];
  });
}

type Place = readonly (string | number)[];

function placesOf(value: unknown, place: Place = []): Place[] {
  if (typeof value !== "object" || value === null) return [place];
  return [place, ...Object.entries(value).flatMap(([key, part]) => placesOf(part, [...place, key]))];
}

/** The value as JSON with other text at one place; null leaves it out. */
function write(value: unknown, place: Place, json: string | null): string {
  const [key, ...rest] = place;
  if (key === undefined) return json ?? "";
  if (typeof value !== "object" || value === null) throw new Error("there is no such place");
  const parts = Object.entries(value).flatMap(([name, part]) => {
    const isHere = name === key;
    if (isHere && rest.length === 0 && json === null) return [];
    const text = isHere ? write(part, rest, json) : JSON.stringify(part);
    return [Array.isArray(value) ? text : `${JSON.stringify(name)}:${text}`];
  });
  return Array.isArray(value) ? `[${parts.join(",")}]` : `{${parts.join(",")}}`;
}
