// Everything that is random in a benchmark, from seeds: the order of the commands and the bytes of the files.

import { createCipheriv, createHash } from "node:crypto";

const STEP_BYTES = 4 * 1024 * 1024;

/** Numbers in [0, 1): the same sequence for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The list in another order. */
export function shuffle<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((one, other) => one.key - other.key)
    .map(({ item }) => item);
}

/** `sizeBytes` bytes that no server can compress, in pieces; the same for the same name. */
export function* randomBytes(name: string, sizeBytes: number): Generator<Buffer> {
  const key = createHash("sha256").update(`luci bench ${name}`).digest();
  const cipher = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16, 32));
  const zeros = Buffer.alloc(Math.min(STEP_BYTES, sizeBytes));
  for (let leftBytes = sizeBytes; leftBytes > 0; leftBytes -= zeros.length)
    yield cipher.update(zeros.subarray(0, Math.min(leftBytes, zeros.length)));
}
