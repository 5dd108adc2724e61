// The power fails while models are installed, repaired, removed and cleaned up: nothing wrong under a final name,
// nothing lost that luci called done, and the next run completes. LUCI_TEST_SEED repeats a run, LUCI_TEST_CUTS makes
// it longer.
// needs: mkfs.ext4 (e2fsprogs)
// needs: losetup (mount)

import { expect, test } from "bun:test";
import { cutPower } from "../support/power-loop.ts";
import { POWER_DEMAND } from "../support/power-room.ts";
import { prng } from "../support/prng.ts";
import { canHave } from "../support/real-disk.ts";

const able = await canHave(POWER_DEMAND);

test.skipIf(!able)(
  "the power fails, again and again",
  async () => {
    const random = prng(20_261_101);
    const cuts = Number(process.env["LUCI_TEST_CUTS"] ?? 10);
    const tally = await cutPower({ random, cuts });
    const { wrong, broken, stuck, fuzzy, costs, steps } = tally;
    const worst = (Math.max(0, ...costs) / 1024 ** 2).toFixed(1);
    console.log(
      `seed ${random.seed}: ${tally.cuts} cuts (${fuzzy} not sharp), at most ${worst} MiB to be fetched again`,
      Object.fromEntries(steps),
    );
    expect([wrong, broken, stuck]).toEqual([[], [], []]);
    // Cuts that hit a disk in the middle of a write are skipped; if that is most of them, nothing was tried.
    expect(fuzzy).toBeLessThan(cuts / 2);
  },
  900_000,
);
