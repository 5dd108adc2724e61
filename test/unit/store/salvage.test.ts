import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PIECE_BYTES } from "../../../src/platform/hash.ts";
import { formatJournal } from "../../../src/store/journal.ts";
import { journalPath, partialFileName, partialKey } from "../../../src/store/layout.ts";
import { salvageFile } from "../../../src/store/salvage.ts";
import { deadTag } from "../../support/owner-tags.ts";
import { journalOf, manifestFile, planFile, restPath, storeRoom } from "../../support/store-room.ts";

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
