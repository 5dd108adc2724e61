// What a partial still misses, for those who fetch it. Knows no request.

import type { Partial } from "../domain/partial.ts";
import type { Range } from "../domain/range.ts";
import { missingParts } from "./spans.ts";

/** Whether nothing is missing. */
export function isWhole(partial: Partial): boolean {
  return partial.sizeBytes !== null && partial.missing().length === 0;
}

/** What is to be fetched: of a file whose size nobody knows, all there may be. */
export function missingOf(partial: Partial): Range[] {
  return partial.sizeBytes === null
    ? [{ startBytes: 0, endBytes: Number.MAX_SAFE_INTEGER }]
    : partial.missing();
}

/** Writes of a run of bytes what is missing, and answers how much that was. @throws what `Partial.write` throws */
export async function writeMissing(
  partial: Partial,
  run: { startBytes: number; chunks: Uint8Array[]; sizeBytes: number },
): Promise<number> {
  const { sizeBytes } = run;
  if (sizeBytes === 0) return 0;
  const missing = partial.sizeBytes === null ? null : partial.missing();
  const endBytes = run.startBytes + sizeBytes;
  const allMissing =
    missing?.some((gap) => gap.startBytes <= run.startBytes && gap.endBytes >= endBytes) ?? true;
  if (allMissing) {
    await partial.write(run.startBytes, run.chunks);
    return sizeBytes;
  }
  let startBytes = run.startBytes;
  let writtenBytes = 0;
  for (const bytes of run.chunks) {
    for (const part of missingParts(missing ?? [], { startBytes, bytes })) {
      await partial.write(part.startBytes, [part.bytes]);
      writtenBytes += part.bytes.length;
    }
    startBytes += bytes.length;
  }
  return writtenBytes;
}
