// Makes text from outside (names, paths, server messages) fit to be shown on a terminal.
// Nothing here knows about colour, width or any one terminal.

/**
 * What can move a cursor, forge a line, turn text around or hide in it: controls (C0, C1, DEL), format
 * characters (bidi, zero-width, tags), lone surrogates, line and paragraph separators, blank fillers.
 * The Arabic and Syriac number signs are format characters that one can see: they stay.
 */
const UNPRINTABLE =
  /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0]--[\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2]]/gv;

/** A text of any length as part of a sentence: what is too long for that is cut. */
export function shorten(text: string, mostCharacters = 200): string {
  return text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text;
}

export interface EscapeOptions {
  /** Keep line feeds: for text that is meant to have several lines. */
  readonly multiline?: boolean;
}

/**
 * The printable form of untrusted text: what could deceive or drive a terminal becomes `\u{hex}`;
 * letters, marks, symbols and emoji of every script stay as they are.
 */
export function escapeText(text: string, options: EscapeOptions = {}): string {
  return text.replace(UNPRINTABLE, (character) =>
    options.multiline === true && character === "\n"
      ? character
      : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/**
 * One value as one line of JSON that any parser takes and any terminal survives: lone surrogates become
 * U+FFFD (I-JSON, RFC 7493), what a terminal would obey or a line reader would split at is written `\uXXXX`.
 */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "string" ? part.toWellFormed() : part,
  );
  return json.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, at) => hexEscape(character, at)).join(""),
  );
}

function hexEscape(character: string, at: number): string {
  return `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
}
