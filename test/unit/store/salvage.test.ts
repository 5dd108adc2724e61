import { expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PIECE_BYTES } from "../../../src/platform/hash.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { formatJournal } from "../../../src/store/journal.ts";
import { journalPath, partialFileName, partialKey } from "../../../src/store/layout.ts";
import { salvageFile } from "../../../src/store/salvage.ts";
import { faultyFiles } from "../../support/faulty-files.ts";
import { deadTag } from "../../support/owner-tags.ts";
import {
  journalOf,
  manifestFile,
  openRoomPartial,
  planFile,
  restPath,
  storeRoom,
} from "../../support/store-room.ts";

const SIZE = 2 * PIECE_BYTES;
const file = planFile({ sizeBytes: SIZE });
const key = partialKey(file);
const damaged = {
  record: manifestFile({ sizeBytes: SIZE, pieces: ["aa", "bb"] }),
  badPieces: [{ startBytes: 0, endBytes: PIECE_BYTES }],
  label: "model · file",
};

test("a repair that was killed is continued, whatever name its data has", async () => {
  await using room = await storeRoom();
  const { store } = room;
  await store.files.makeFolder(room.folder);
  await writeFile(join(room.folder, damaged.record.path), new Uint8Array(SIZE));
  await salvageFile(store, key, damaged);
  const made = await journalOf(store, file);
  expect(made?.ranges).toEqual([[PIECE_BYTES, SIZE]]);
  // Killed after a checkpoint: more is fetched, under its own name.
  const killed = join(store.layout.partialsFolder, partialFileName({ key, tag: await deadTag() }));
  await store.files.rename(restPath(store, file), killed);
  const fetched = { ...made!, ranges: [[0, SIZE]] as [number, number][] };
  await store.files.replaceText(journalPath(store.layout, key), formatJournal(fetched));
  await salvageFile(store, key, damaged);
  expect((await journalOf(store, file))?.ranges).toEqual([[0, SIZE]]);
  expect(await store.files.facts(killed)).not.toBeNull();
  expect(await store.files.facts(restPath(store, file))).toBeNull();
});

test("data without a sound journal is made anew", async () => {
  await using room = await storeRoom();
  const { store } = room;
  await store.files.makeFolder(room.folder);
  await writeFile(join(room.folder, damaged.record.path), new Uint8Array(SIZE));
  await store.files.makeFolder(store.layout.partialsFolder);
  await writeFile(join(store.layout.partialsFolder, partialFileName({ key, tag: await deadTag() })), "half");
  await salvageFile(store, key, damaged);
  expect((await store.files.facts(restPath(store, file)))?.sizeBytes).toBe(SIZE);
  expect((await journalOf(store, file))?.ranges).toEqual([[PIECE_BYTES, SIZE]]);
});

test("what is being written at the moment is left to its writer", async () => {
  await using room = await storeRoom();
  const { store } = room;
  await store.files.makeFolder(room.folder);
  await writeFile(join(room.folder, damaged.record.path), new Uint8Array(SIZE));
  const { partial } = await openRoomPartial(store, file);
  await partial.write(0, [new Uint8Array(100).fill(7)]);
  const before = await store.files.facts(partial.path);
  await salvageFile(store, key, damaged);
  expect((await store.files.facts(partial.path))?.inode).toBe(before!.inode);
  expect(await store.files.facts(restPath(store, file))).toBeNull();
  expect(await journalOf(store, file)).toBeNull();
  await partial.discard();
});

test("nobody can begin to write what is just being copied", async () => {
  const tries: unknown[] = [];
  const files = faultyFiles(nodeFiles(), async ({ name }) => {
    if (name === "clone")
      tries.push(await openRoomPartial(room.store, file).catch((error: unknown) => error));
  });
  await using room = await storeRoom({ files });
  const { store } = room;
  await store.files.makeFolder(room.folder);
  await writeFile(join(room.folder, damaged.record.path), new Uint8Array(SIZE));
  await salvageFile(store, key, damaged);
  expect(tries).toMatchObject([{ code: "E_LOCKED" }]);
  const { partial } = await openRoomPartial(store, file);
  expect(partial.keptBytes).toBe(PIECE_BYTES);
  await partial.discard();
});

test("nothing is made of a small file: it is fetched whole, and written without a lock", async () => {
  await using room = await storeRoom();
  const { store } = room;
  await store.files.makeFolder(room.folder);
  const record = manifestFile();
  await writeFile(join(room.folder, record.path), new Uint8Array(record.sizeBytes));
  const badPieces = [{ startBytes: 0, endBytes: record.sizeBytes }];
  await salvageFile(store, partialKey(planFile()), { record, badPieces, label: "model · file" });
  expect(await readdir(store.layout.partialsFolder).catch(() => [])).toEqual([]);
});
