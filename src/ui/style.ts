// Colour and symbols: decoration, switched off as a whole. Whether they are allowed is decided elsewhere.

type Colour = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** One function per colour; without colour each returns its text as it is. */
export type Paint = Readonly<Record<Colour, (text: string) => string>>;

/** What every renderer needs to know of the place its lines go to. */
export interface Style {
  readonly paint: Paint;
  /** Width to wrap prose at. */
  readonly columns: number;
  /** A person reads it there: names in tables are shortened to that width. For programs they stay whole. */
  readonly fits?: boolean;
  /** Only ASCII can be shown here. */
  readonly ascii?: boolean;
}

/** Of a terminal that does not say how wide it is. */
export const DEFAULT_COLUMNS = 80;

export const SYMBOLS = {
  done: "✓",
  failed: "✗",
  cancelled: "–",
  again: "!",
  bar: "━",
  rest: "─",
  cut: "…",
} as const;

/** SGR codes: on, off (ECMA-48 §8.3.117). */
const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** The paint of a place that takes colour, or of one that does not. */
export function createPaint(color: boolean): Paint {
  const brush = (colour: Colour) => (text: string) => {
    const [on, off] = CODES[colour];
    return color && text !== "" ? `\u001B[${on}m${text}\u001B[${off}m` : text;
  };
  return {
    bold: brush("bold"),
    dim: brush("dim"),
    red: brush("red"),
    green: brush("green"),
    yellow: brush("yellow"),
    cyan: brush("cyan"),
  };
}

/** Whether the surroundings say that they can show nothing but ASCII; who says nothing is taken to show everything. */
export function isAscii(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return env["TERM"] === "linux" || (locale !== "" && !/utf-?8/i.test(locale));
}
