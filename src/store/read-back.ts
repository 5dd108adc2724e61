// Who hashes a partial: a worker that follows the frontier, or, for a small file, whoever reads it back at its end.

import { isSmall } from "../domain/plan.ts";
import { type HeldFile, type ReadBack, createInlineHashes } from "../platform/hash-inline.ts";
import type { HashPool } from "../platform/hash-pool.ts";
import type { Store } from "./store.ts";

/** Keeps what a small file was read back as, so that it need not be read again to be looked at. */
export class ReadBackKeeper {
  #last: HeldFile | null = null;

  /** The whole file as it was hashed; null until it was, and for files that a worker hashes. */
  get last(): ReadBack | null {
    return this.#last;
  }

  /** Gives back the memory of what was read. */
  drop(): void {
    this.#last?.drop();
    this.#last = null;
  }

  /** The hashes for a file that begins, or begins again, at this size. */
  hashes(store: Store, sizeBytes: number | null): HashPool {
    this.drop();
    if (!isSmall({ sizeBytes }) || store.hasher === "wasm") return store.hashes;
    return createInlineHashes((readBack) => {
      this.#last = readBack;
    });
  }
}
