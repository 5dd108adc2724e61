// The nearest known word to a mistyped one. Knows no commands and no flags.

import leven from "leven";

/** Shorter beginnings fit too much to be a hint. */
const SHORTEST_PREFIX = 3;

/**
 * The known word that a person most likely meant, or null when none is close: the shortest one that
 * begins with what was typed, else the one with the fewest edits, at most a third of its length.
 */
export function nearest(typed: string, known: readonly string[]): string | null {
  const word = typed.toLowerCase();
  if (word.length >= SHORTEST_PREFIX) {
    const begins = known
      .filter((candidate) => candidate.startsWith(word))
      .toSorted((a, b) => a.length - b.length);
    if (begins[0] !== undefined) return begins[0];
  }
  let best: string | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const edits = leven(word, candidate);
    const allowed = Math.max(1, Math.floor(Math.max(candidate.length, word.length) / 3));
    if (edits <= allowed && edits < fewest) [best, fewest] = [candidate, edits];
  }
  return best;
}
