import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { Lately, SharedListing } from "../../../src/store/lately.ts";
import { faultyFiles } from "../../support/faulty-files.ts";
import { tempHome } from "../../support/temp-home.ts";

describe("what was done lately", () => {
  test("is done again after a second, or when nothing is believed any more", async () => {
    let nowMs = 0;
    let done = 0;
    const lately = new Lately(() => nowMs);
    const act = async (): Promise<void> => void (done += 1);
    await Promise.all(["a", "a", "b"].map((folder) => lately.once(folder, act)));
    expect(done).toBe(2);
    nowMs = 999;
    await lately.once("a", act);
    expect(done).toBe(2);
    nowMs = 1_000;
    await lately.once("a", act);
    lately.clear();
    await lately.once("a", act);
    expect(done).toBe(4);
  });

  test("that failed, failed for all who came meanwhile, and is tried again", async () => {
    const lately = new Lately(() => 0);
    const fail = (): Promise<void> => Promise.reject(new Error("no"));
    const ends = await Promise.allSettled([lately.once("a", fail), lately.once("a", fail)]);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    let done = 0;
    await lately.once("a", async () => void (done += 1));
    expect(done).toBe(1);
  });
});

describe("a shared listing", () => {
  test("shows whoever asks what was there when he asked, with one reading for all who wait", async () => {
    await using home = await tempHome();
    const put = (name: string): Promise<void> => writeFile(join(home.path, name), "");
    let readings = 0;
    let gate = Promise.withResolvers<void>();
    const files = faultyFiles(nodeFiles(), async ({ name }) => {
      if (name !== "list") return;
      readings += 1;
      await gate.promise;
    });
    const listing = new SharedListing(files, home.path);
    const before = listing.now();
    await put("later");
    // The first reading may have begun before the file came.
    const after = [listing.now(), listing.now(), listing.now()];
    gate.resolve();
    await before;
    for (const names of await Promise.all(after)) expect(names).toContain("later");
    expect(readings).toBe(2);
    gate = Promise.withResolvers();
    gate.resolve();
    await listing.now();
    expect(readings).toBe(3);
  });

  test("may be a moment old for who says so, but no failure is kept", async () => {
    await using home = await tempHome();
    let nowMs = 0;
    let readings = 0;
    const files = faultyFiles(nodeFiles(), ({ name }) => {
      if (name !== "list") return;
      readings += 1;
      if (readings === 1) throw new Error("not now");
    });
    const listing = new SharedListing(files, home.path, () => nowMs);
    expect(await listing.recent().catch(String)).toContain("not now");
    await listing.recent();
    nowMs = 999;
    await listing.recent();
    expect(readings).toBe(2);
    nowMs = 1_000;
    await listing.recent();
    expect(readings).toBe(3);
  });
});
