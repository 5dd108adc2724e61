// Fetching what a partial misses: pass after pass until nothing is missing and the hash has read it all.

import { LuciError } from "../domain/errors.ts";
import type { Partial } from "../domain/partial.ts";
import { NOT_TOLD_APART, isOtherVersion } from "./attempt.ts";
import { FileTransfer } from "./file.ts";
import { lastWord } from "./refusal.ts";
import { type FailedAttempt, fetchStraight, fitsOneRequest } from "./straight.ts";
import type { TransferOptions } from "./transfer-options.ts";

/**
 * Fetches what a partial misses. Resolves when nothing is missing and the hash has read it all.
 * @throws LuciError the first failure that no retry mends; the signal's reason. What arrived stays in the partial.
 */
export async function transferFile(file: string, partial: Partial, options: TransferOptions): Promise<void> {
  let failed: FailedAttempt | null = null;
  if (fitsOneRequest(partial, options)) failed = await fetchStraight(file, partial, options);
  for (let restarts = 0; ;) {
    try {
      while (partial.sizeBytes === null || partial.missing().length > 0) {
        // An interrupt between two attempts leaves no attempt that could fail of it.
        options.signal.throwIfAborted();
        const pass = new FileTransfer(file, partial, options);
        const first = failed;
        failed = null;
        await pass.run(first);
      }
      await partial.settle(options.signal);
      if (partial.missing().length === 0) return;
    } catch (error) {
      // The version changed under us, or may have: begin again with what there is now, once.
      if (!(error instanceof LuciError) || !isOtherVersion(error)) throw error;
      if (restarts > 0 || !options.allowance.beginAgain()) throw lastWord(error);
      restarts += 1;
      const isChanged = error.code === "E_CHANGED";
      await partial.restart(isChanged ? "it changed at its source" : NOT_TOLD_APART);
    }
  }
}
