import { describe, expect, test } from "bun:test";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { SharedListing } from "../../../src/store/lately.ts";
import { journalPath, partialFileName, partialKey } from "../../../src/store/layout.ts";
import { type DiskHand, diskRefusal, faultyFiles } from "../../support/faulty-files.ts";
import { runningTag } from "../../support/owner-tags.ts";
import { openRoomPartial, planFile, storeRoom } from "../../support/store-room.ts";

const file = planFile({ digest: { algorithm: "sha256", hex: "ab".repeat(32) } });

test("a disk that takes no file so large says so before the first byte, and nothing is left", async () => {
  const asked: string[] = [];
  const hand: DiskHand = ({ name, path }) => {
    if (name !== "truncate") return;
    asked.push(name);
    throw diskRefusal("EFBIG", path);
  };
  await using room = await storeRoom({ files: faultyFiles(nodeFiles(), hand) });
  const large = { ...file, sizeBytes: 2 ** 32 };
  const refused = await openRoomPartial(room.store, large).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "E_IO", message: expect.stringContaining("4 GiB") });
  expect(await nodeFiles().list(room.store.layout.partialsFolder)).toEqual([]);
  // One byte less is nothing that has to be tried out.
  const { partial } = await openRoomPartial(room.store, { ...file, sizeBytes: 2 ** 32 - 1 });
  expect(asked).toEqual(["truncate"]);
  await partial.discard();
});

test("a partial that is let go with nothing in it leaves nothing", async () => {
  await using room = await storeRoom();
  const { partial } = await openRoomPartial(room.store, file);
  await partial.release();
  expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
});

test("what a dead process leaves just after the folder was looked at is taken over all the same", async () => {
  await using room = await storeRoom();
  const { layout } = room.store;
  // However long it takes: the folder was looked at just now.
  const partials = new SharedListing(nodeFiles(), layout.partialsFolder, () => 0);
  const store = { ...room.store, partials };
  const { partial: first } = await openRoomPartial(store, file);
  await first.write(0, [new Uint8Array(500).fill(1)]);
  await first.release();
  const names = await readdir(layout.partialsFolder);
  const aside = join(room.folder, "aside");
  await mkdir(aside);
  const move = (from: string, to: string): Promise<unknown> =>
    Promise.all(names.map((name) => rename(join(from, name), join(to, name))));
  await move(layout.partialsFolder, aside);
  expect(await partials.now()).toEqual([]);
  await move(aside, layout.partialsFolder);
  const { partial } = await openRoomPartial(store, file);
  expect([partial.doneBytes, (await partials.now()).length]).toEqual([500, 2]);
  await partial.discard();
  expect(await partials.now()).toEqual([]);
});

describe("a data file of another process", () => {
  const key = partialKey(file);
  const otherName = partialFileName({ key, tag: runningTag() });

  test("that goes and comes back while we look is not taken away from it", async () => {
    let theirs = "";
    let isGone = false;
    const hand: DiskHand = async ({ name, path }) => {
      if (name === "facts" && path === theirs && !isGone) {
        isGone = true;
        await rm(theirs);
      } else if (isGone && ["rename", "open"].includes(name)) {
        await writeFile(theirs, "theirs");
      }
    };
    await using room = await storeRoom({ files: faultyFiles(nodeFiles(), hand) });
    theirs = join(room.store.layout.partialsFolder, otherName);
    await mkdir(room.store.layout.partialsFolder, { recursive: true });
    await writeFile(theirs, "theirs");
    const refused = await openRoomPartial(room.store, file).catch((error: unknown) => error);
    expect([isGone, refused]).toMatchObject([true, { code: "E_LOCKED" }]);
    expect(await readdir(room.store.layout.partialsFolder)).toEqual([otherName]);
  });

  test("that was made while we took what was left is yielded to, and what was left is put back", async () => {
    let theirs = "";
    const hand: DiskHand = async ({ name }) => {
      if (name === "rename" && theirs !== "") await writeFile(theirs, "theirs");
    };
    await using room = await storeRoom({ files: faultyFiles(nodeFiles(), hand) });
    const { layout } = room.store;
    const { partial } = await openRoomPartial(room.store, file);
    await partial.write(0, [new Uint8Array(500).fill(1)]);
    await partial.release();
    theirs = join(layout.partialsFolder, otherName);
    const refused = await openRoomPartial(room.store, file).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "E_LOCKED" });
    const atRest = partialFileName({ key, tag: null });
    expect((await readdir(layout.partialsFolder)).toSorted()).toEqual(
      [basename(journalPath(layout, key)), atRest, otherName].toSorted(),
    );
  });
});
