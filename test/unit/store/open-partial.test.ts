import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { type DiskHand, diskRefusal, faultyFiles } from "../../support/faulty-files.ts";
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
