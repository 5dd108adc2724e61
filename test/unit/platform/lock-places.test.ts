// Whether a free lock says that its holder has ended: that is for the file system to say.
// needs: mount (mount)

import { describe, expect, test } from "bun:test";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tryLock } from "../../../src/platform/lock.ts";
import { bootId } from "../../../src/platform/machine.ts";
import { canHave, mountAt } from "../../support/real-disk.ts";
import { tempHome } from "../../support/temp-home.ts";

/** Of a process in another container: it cannot be looked up from here. */
const STRANGER = "7.0123456789ab";
const canMount = await canHave({
  what: "a file system that luci does not know",
  programs: ["mount", "umount"],
  probe: async () => {
    await (await mountAt(["-t", "ramfs", "none"]))[Symbol.asyncDispose]();
  },
});

/** Whom a lock calls ended that the stranger left in this folder. */
async function endedIn(folder: string): Promise<string | null> {
  const path = join(folder, "x.lock");
  await writeFile(path, "");
  const { dev, ino } = await stat(path, { bigint: true });
  await writeFile(path, JSON.stringify({ tag: STRANGER, bootId: bootId(), place: `${dev}:${ino}` }));
  const lock = await tryLock(path);
  if (!("release" in lock)) throw new Error("the lock is taken");
  lock.release();
  return lock.ended;
}

describe("that a lock is free vouches for its holder's end", () => {
  test.skipIf(process.platform !== "linux")("on a file system of this machine", async () => {
    await using home = await tempHome();
    expect(await endedIn(home.path)).toBe(STRANGER);
  });

  test.skipIf(!canMount)("and not on one that may lose it while its holder lives", async () => {
    // None of the known ones: what luci makes of a network's too.
    await using mounted = await mountAt(["-t", "ramfs", "none"]);
    expect(await endedIn(mounted.path)).toBeNull();
  });
});
