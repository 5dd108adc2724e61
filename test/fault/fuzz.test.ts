// Spoiled inputs by the thousand, the same ones each time; `LUCI_FUZZ_ROUNDS` and `LUCI_TEST_SEED` feed more and others.

import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { fuzz } from "../support/fuzz-loop.ts";
import { fuzzTargets } from "../support/fuzz-targets.ts";
import { prng } from "../support/prng.ts";
import { storeRoom } from "../support/store-room.ts";

const ROUNDS = Number(process.env["LUCI_FUZZ_ROUNDS"] ?? 1_000);

test(
  "whoever reads what strangers write never crashes and never hangs",
  async () => {
    await using room = await storeRoom();
    await mkdir(room.folder, { recursive: true });
    const { seed } = prng(20_261_121);
    const targets = await fuzzTargets(room.folder, room.store);
    const failures = await fuzz(targets, { seed, rounds: ROUNDS });
    expect(failures, `seed ${seed}`).toEqual([]);
  },
  Math.max(180_000, ROUNDS * 300),
);

test("the loop notices a crash, a bug and a stranger's error", async () => {
  const samples = [new Uint8Array(100)];
  const feed = (): never => {
    throw new RangeError("out of bounds");
  };
  expect(await fuzz([{ name: "bad", samples, feed }], { seed: 1, rounds: 3 })).toHaveLength(3);
});
