// Telling how far the reading of a file is that is already here: for audits and for proofs alike.

import { PROGRESS_MS } from "./carry-run.ts";
import type { Context } from "./context.ts";

/** Answers a listener of hashed bytes that tells them as the file's progress, not more often than is read. */
export function tellReading(
  { emit }: Context,
  subject: { readonly model: string; readonly file: string; readonly sizeBytes: number | null },
): (hashedBytes: number) => void {
  const { model, file, sizeBytes } = subject;
  let lastMs = 0;
  return (hashedBytes) => {
    if (performance.now() - lastMs < PROGRESS_MS) return;
    lastMs = performance.now();
    const doneBytes = sizeBytes ?? hashedBytes;
    emit({ type: "file.progress", model, file, doneBytes, hashedBytes, connections: 0 });
  };
}
