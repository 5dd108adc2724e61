// A piece that turns out bad while more of its file arrives: nothing of it is hashed before it is there again.

import { expect, test } from "bun:test";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PIECE_BYTES } from "../../../src/platform/hash.ts";
import { type HashPool, createHashPool } from "../../../src/platform/hash-pool.ts";
import { hashOrder } from "../../support/hash-orders.ts";
import { tempHome } from "../../support/temp-home.ts";

const SIZE_BYTES = PIECE_BYTES + 1000;
/** As many as a pool has workers at most. */
const MOST_WORKERS = 4;
const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/** Every worker of a pool has been round: what it was told before is done. */
async function comeRound(pool: HashPool, path: string): Promise<void> {
  await writeFile(path, "abc");
  const rounds = Array.from({ length: MOST_WORKERS }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const deaf = { onPiece: () => undefined, onBad: () => undefined };
    pool.open(hashOrder(path), { ...deaf, onDigest: resolve, onFailed: reject }).advance(3, 3);
    return promise;
  });
  await Promise.all(rounds);
}

test("a bad piece is told of once, and what it was is never part of the digest", async () => {
  await using home = await tempHome();
  const path = join(home.path, "data");
  const good = new Uint8Array(SIZE_BYTES).fill(7);
  await writeFile(path, good.with(5, 8));
  const pool = createHashPool();
  let bads = 0;
  const bad = Promise.withResolvers<void>();
  const end = Promise.withResolvers<string>();
  const expected = [Bun.hash.xxHash3(good.subarray(0, PIECE_BYTES)).toString(16).padStart(16, "0")];
  const job = pool.open(hashOrder(path, { expected }), {
    onPiece: () => undefined,
    onBad: () => {
      bads += 1;
      bad.resolve();
    },
    onDigest: (digest) => end.resolve(digest.sha256),
    onFailed: end.reject,
  });
  try {
    job.advance(PIECE_BYTES, SIZE_BYTES);
    await bad.promise;
    // Its owner has more of the file before it hears of the bad piece, and says so.
    job.advance(SIZE_BYTES, SIZE_BYTES);
    job.forget(0);
    await comeRound(pool, join(home.path, "small"));
    const file = await open(path, "r+");
    await file.write(Uint8Array.of(7), 0, 1, 5);
    await file.close();
    job.advance(SIZE_BYTES, SIZE_BYTES);
    expect(await end.promise).toBe(sha256(good));
    expect(bads).toBe(1);
  } finally {
    pool.close();
  }
});
