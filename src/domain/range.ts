// Half-open byte intervals [start, end) and sets of them.
// A set is always sorted, disjoint and without touching neighbours.

/** A half-open byte interval `[startBytes, endBytes)`. */
export interface Range {
  readonly startBytes: number;
  readonly endBytes: number;
}

/** Number of bytes in one interval. */
export function rangeSize(range: Range): number {
  return range.endBytes - range.startBytes;
}

/** Number of bytes in a set. */
export function totalSize(ranges: readonly Range[]): number {
  return ranges.reduce((sum, range) => sum + rangeSize(range), 0);
}

/** The set with one interval added; touching neighbours become one. Empty intervals change nothing. */
export function addRange(ranges: readonly Range[], added: Range): Range[] {
  if (rangeSize(added) <= 0) return [...ranges];
  const before = ranges.filter((range) => range.endBytes < added.startBytes);
  const after = ranges.filter((range) => range.startBytes > added.endBytes);
  const touching = ranges.slice(before.length, ranges.length - after.length);
  const first = touching[0];
  const last = touching.at(-1);
  const merged = {
    startBytes: first ? Math.min(first.startBytes, added.startBytes) : added.startBytes,
    endBytes: last ? Math.max(last.endBytes, added.endBytes) : added.endBytes,
  };
  return [...before, merged, ...after];
}

/** The set without one interval. */
export function subtractRange(ranges: readonly Range[], removed: Range): Range[] {
  if (rangeSize(removed) <= 0) return [...ranges];
  return ranges.flatMap((range) => {
    if (range.endBytes <= removed.startBytes || range.startBytes >= removed.endBytes) return [range];
    const left = { startBytes: range.startBytes, endBytes: removed.startBytes };
    const right = { startBytes: removed.endBytes, endBytes: range.endBytes };
    return [left, right].filter((piece) => rangeSize(piece) > 0);
  });
}

/** The gaps of a set within `[0, sizeBytes)`. */
export function missingRanges(ranges: readonly Range[], sizeBytes: number): Range[] {
  return ranges.reduce(subtractRange, sizeBytes > 0 ? [{ startBytes: 0, endBytes: sizeBytes }] : []);
}

/** The end of the contiguous prefix: every byte before it is in the set. */
export function frontierBytes(ranges: readonly Range[]): number {
  const first = ranges[0];
  return first?.startBytes === 0 ? first.endBytes : 0;
}

/** Whether the set holds every byte of the interval. */
export function containsRange(ranges: readonly Range[], wanted: Range): boolean {
  return ranges.some((range) => range.startBytes <= wanted.startBytes && range.endBytes >= wanted.endBytes);
}
