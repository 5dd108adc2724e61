// Medians, spans and how numbers are written. Pure.

/** Median, smallest and largest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The spread of some numbers; null when there are none. */
export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = values.toSorted((one, other) => one - other);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return null;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? max;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  return { median: (lower + upper) / 2, min, max };
}

/** `1.53 (1.51–2.26)`, every number divided by `unit`. */
export function showSpread(
  spread: Spread | null,
  { unit, digits }: { unit: number; digits: number },
): string {
  if (spread === null) return "–";
  const show = (value: number) => (value / unit).toFixed(digits);
  return spread.min === spread.max
    ? show(spread.median)
    : `${show(spread.median)} (${show(spread.min)}–${show(spread.max)})`;
}

/** The median alone. */
export function showMedian(
  spread: Spread | null,
  { unit, digits }: { unit: number; digits: number },
): string {
  return spread === null ? "–" : (spread.median / unit).toFixed(digits);
}
