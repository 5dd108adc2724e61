// Which part of a file to ask for next. Pure.

import { type Range, rangeSize, subtractRange, totalSize } from "../domain/range.ts";

/** Requests end at multiples of this, so that spans and the store's pieces agree. */
const GRAIN_BYTES = 8 * 1024 * 1024;
const LARGEST_SPAN_BYTES = 64 * 1024 * 1024;

/**
 * The next bounded request: the lowest bytes that are missing and that nobody is asking for. Its size
 * leaves every connection a few spans (8 to 64 MiB), its end lies on the grain.
 */
export function nextSpan(
  missing: readonly Range[],
  options: { busy: readonly Range[]; connections: number },
): Range | null {
  const free = options.busy.reduce<Range[]>(subtractRange, [...missing]);
  const gap = free[0];
  if (!gap) return null;
  const shareBytes = totalSize(free) / (options.connections * 2);
  const spanBytes = Math.min(LARGEST_SPAN_BYTES, Math.max(GRAIN_BYTES, shareBytes));
  const alignedEnd = Math.max(1, Math.floor((gap.startBytes + spanBytes) / GRAIN_BYTES)) * GRAIN_BYTES;
  const endBytes = Math.min(
    gap.endBytes,
    alignedEnd > gap.startBytes ? alignedEnd : alignedEnd + GRAIN_BYTES,
  );
  return { startBytes: gap.startBytes, endBytes };
}

/** Leaves out the parts of `[startBytes, startBytes + chunk.length)` that are not missing any more. */
export function missingParts(
  missing: readonly Range[],
  chunk: { startBytes: number; bytes: Uint8Array },
): { startBytes: number; bytes: Uint8Array }[] {
  const endBytes = chunk.startBytes + chunk.bytes.length;
  return missing
    .map((range) => ({
      startBytes: Math.max(range.startBytes, chunk.startBytes),
      endBytes: Math.min(range.endBytes, endBytes),
    }))
    .filter((range) => rangeSize(range) > 0)
    .map((range) => ({
      startBytes: range.startBytes,
      bytes: chunk.bytes.subarray(range.startBytes - chunk.startBytes, range.endBytes - chunk.startBytes),
    }));
}
