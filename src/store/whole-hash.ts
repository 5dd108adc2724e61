// Reads a whole file that is already there: for audits, and for files whose record was lost.

import type { LuciError } from "../domain/errors.ts";
import { toLuciError } from "../domain/errors.ts";
import type { Engine } from "../platform/hash-protocol.ts";
import type { Digests } from "./frontier-hash.ts";
import type { Store } from "./store.ts";

export interface WholeHash extends Digests {
  /** XXH3-64 of each piece. */
  readonly pieces: readonly string[];
}

export interface WholeHashOptions {
  readonly sizeBytes: number;
  readonly gitBlob: boolean;
  readonly signal: AbortSignal;
  onProgress?(hashedBytes: number): void;
}

/** Reads every byte of a file. Native under `auto`: nothing here is worth a checkpoint. */
export async function hashWholeFile(
  store: Store,
  path: string,
  options: WholeHashOptions,
): Promise<WholeHash> {
  options.signal.throwIfAborted();
  const engine: Engine = store.hasher === "wasm" ? "wasm" : "native";
  const pieces: string[] = [];
  return new Promise<WholeHash>((resolve, reject) => {
    const job = store.hashes.open(
      { path, engine, fromPiece: 0, state: null, expected: [], gitBlob: options.gitBlob },
      {
        onPiece: (piece, mark) => {
          pieces[piece] = mark.fingerprint;
          options.onProgress?.(mark.hashedBytes);
        },
        onBad: () => undefined,
        onDigest: (digests) => settle(() => resolve({ ...digests, pieces })),
        onFailed: (error: LuciError) => settle(() => reject(error)),
      },
    );
    const abort = (): void => settle(() => reject(toLuciError(options.signal.reason)));
    const settle = (act: () => void): void => {
      options.signal.removeEventListener("abort", abort);
      job.close();
      act();
    };
    options.signal.addEventListener("abort", abort, { once: true });
    job.advance(options.sizeBytes, options.sizeBytes);
  });
}
