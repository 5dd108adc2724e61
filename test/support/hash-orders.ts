// What a hash is asked to do in tests that care for something else: all of a file, from its beginning.

import type { HashJobOptions } from "../../src/platform/hash-pool.ts";

/** To hash a file of which nothing is known. */
export function hashOrder(path: string, change: Partial<HashJobOptions> = {}): HashJobOptions {
  return { path, engine: "native", fromPiece: 0, state: null, expected: [], gitBlob: false, ...change };
}
