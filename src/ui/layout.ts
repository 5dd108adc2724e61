// Widths: padding, cutting, wrapping and aligning text by the cells it takes on a terminal.
// Text comes in escaped; nothing here knows what it says.

import { type Style, SYMBOLS } from "./style.ts";

const GAP_WIDTH = 2;
const BREAKABLE_SPACE = / (?![kMGTP]?B\b)/;

/** Cells a text takes; colour codes take none, wide characters two. */
export function widthOf(text: string): number {
  // oxlint-disable-next-line eslint/no-restricted-globals -- a pure function that touches no machine
  return Bun.stringWidth(text);
}

export function padLeft(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}

export function padRight(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** The text in at most that many cells; what does not fit is cut out of its middle: both ends tell names apart. */
export function fitMiddle(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width <= 1) return SYMBOLS.cut.slice(0, Math.max(0, width));
  // Made when it is needed: it loads the tables of all scripts.
  const graphemes = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  const head = takeCells(graphemes, Math.ceil((width - 1) / 2));
  const tail = takeCells(graphemes.toReversed(), width - 1 - widthOf(head.join("")));
  return head.join("") + SYMBOLS.cut + tail.toReversed().join("");
}

function takeCells(graphemes: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let cells = 0;
  for (const grapheme of graphemes) {
    cells += widthOf(grapheme);
    if (cells > width) break;
    taken.push(grapheme);
  }
  return taken;
}

export interface Wrapping {
  /** Put before every line but the first, after the indentation of that one. */
  readonly hang?: string;
}

/**
 * A line in as many of at most that many cells, broken at spaces.
 * A longer word stays whole, a number stays with its unit, a symbol with the word behind it.
 */
export function wrapLine(text: string, width: number, { hang = "  " }: Wrapping = {}): string[] {
  if (widthOf(text) <= width) return [text];
  const indent = /^ */.exec(text)?.[0] ?? "";
  const [first = "", ...words] = text.slice(indent.length).split(BREAKABLE_SPACE);
  const lines: string[] = [];
  let line = indent + first;
  for (const word of words) {
    if (widthOf(line) + 1 + widthOf(word) <= width || widthOf(line) <= indent.length + 1) {
      line += ` ${word}`;
      continue;
    }
    lines.push(line);
    line = indent + hang + word;
  }
  return [...lines, line].map((one) => one.trimEnd());
}

/** Names are cut where a line would not fit, but not below this many cells. */
const SHORTEST_NAME = 10;

/** A name in what a line of that width leaves it beside everything else; whole where nothing is to fit. */
export function fitName(
  name: string,
  { style: { columns, fits }, taken }: { style: Pick<Style, "columns" | "fits">; taken: number },
): string {
  return fits ? fitMiddle(name, Math.max(SHORTEST_NAME, columns - 1 - taken)) : name;
}

/** Rows whose names (in one column, counted from 0) leave room for all other columns. */
export function fitRows(
  rows: readonly (readonly string[])[],
  { style, column, indent = "" }: { style: Pick<Style, "columns" | "fits">; column: number; indent?: string },
): string[][] {
  const others = rows.map((row) => row.map((cell, at) => (at === column ? "" : cell)));
  const taken = Math.max(0, ...alignRows(others, { indent }).map(widthOf)) + GAP_WIDTH;
  return rows.map((row) => row.map((cell, at) => (at === column ? fitName(cell, { style, taken }) : cell)));
}

export interface Alignment {
  /** Columns (counted from 0) that stand at the right: numbers. */
  readonly right?: readonly number[];
  /** Put before every line. */
  readonly indent?: string;
}

/** Rows as lines whose columns stand under each other, two spaces apart; a missing cell is empty. */
export function alignRows(
  rows: readonly (readonly string[])[],
  { right = [], indent = "" }: Alignment = {},
): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ""))),
  );
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      (right.includes(column) ? padLeft : padRight)(cell, widths[column] ?? 0),
    );
    return (indent + cells.join("  ")).trimEnd();
  });
}
