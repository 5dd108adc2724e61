import { describe, expect, test } from "bun:test";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cleanup } from "../../../src/app/cleanup.ts";
import type { Context } from "../../../src/app/context.ts";
import { tryLock } from "../../../src/platform/lock.ts";
import { ownTag } from "../../../src/platform/machine.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { lockPath, partialFileName, partialKey } from "../../../src/store/layout.ts";
import type { Leftover } from "../../../src/store/leftover.ts";
import { deleteLeftover, findLeftovers } from "../../../src/store/leftovers.ts";
import type { Store } from "../../../src/store/store.ts";
import { faultyFiles } from "../../support/faulty-files.ts";
import { deadTag, runningTag } from "../../support/owner-tags.ts";
import { journalOf, openRoomPartial, planFile, restPath, storeRoom } from "../../support/store-room.ts";

const file = planFile();
const key = partialKey(file);

/** An unfinished file at rest with its journal. */
async function leave(store: Store, bytes = 100): Promise<void> {
  const { partial } = await openRoomPartial(store, file);
  await partial.write(0, [new Uint8Array(bytes)]);
  await partial.release();
}

async function onlyLeftover(store: Store): Promise<Leftover> {
  const [item, ...others] = await findLeftovers(store);
  if (!item || others.length > 0) throw new Error("one leftover was expected");
  return item;
}

describe("an unfinished file", () => {
  test("goes with its journal and its lock", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    expect(await deleteLeftover(room.store, await onlyLeftover(room.store))).toBe(true);
    expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
    expect(await readdir(room.store.layout.locksFolder)).toEqual([]);
  });

  test("is told of in what was kept of it, whatever room its data takes", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    // As after a repair: a copy of the whole, of which little is good.
    await writeFile(restPath(room.store, file), new Uint8Array(64 * 1024));
    const { keptBytes, sizeBytes, reason } = await onlyLeftover(room.store);
    expect([keptBytes, sizeBytes > 100]).toEqual([100, true]);
    expect(reason).toContain("unfinished download, kept 100 B of");
  });

  test("that a run took without a lock keeps its journal", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    const item = await onlyLeftover(room.store);
    const owned = partialFileName({ key, tag: runningTag() });
    await room.store.files.rename(item.path, join(room.store.layout.partialsFolder, owned));
    expect(await deleteLeftover(room.store, item)).toBe(false);
    expect(await journalOf(room.store, file)).not.toBeNull();
    expect(await readdir(room.store.layout.partialsFolder)).toContain(owned);
  });

  test("that this very process writes is left alone", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    const item = await onlyLeftover(room.store);
    const { partial } = await openRoomPartial(room.store, file);
    expect(await deleteLeftover(room.store, item)).toBe(false);
    expect(await journalOf(room.store, file)).not.toBeNull();
    await partial.discard();
  });

  test("that is just being taken is not begun by this very process meanwhile", async () => {
    const tries: unknown[] = [];
    const files = faultyFiles(nodeFiles(), async ({ name, path }) => {
      if (name !== "facts" || !isTaking || path !== owned) return;
      isTaking = false;
      tries.push(await openRoomPartial(room.store, file).catch((error: unknown) => error));
    });
    await using room = await storeRoom({ files });
    const owned = join(room.store.layout.partialsFolder, partialFileName({ key, tag: ownTag() }));
    let isTaking = false;
    await leave(room.store);
    const item = await onlyLeftover(room.store);
    isTaking = true;
    expect(await deleteLeftover(room.store, item)).toBe(true);
    expect(tries).toMatchObject([{ code: "E_LOCKED", message: expect.stringContaining("another model") }]);
    expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
    await leave(room.store);
    expect((await journalOf(room.store, file))?.ranges).toEqual([[0, 100]]);
  });

  test("that a run continued and put back is no longer what was planned", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    const item = await onlyLeftover(room.store);
    await leave(room.store, 200);
    expect(await deleteLeftover(room.store, item)).toBe(false);
    expect((await readFile(restPath(room.store, file))).length).toBe(200);
    expect((await journalOf(room.store, file))?.ranges).toEqual([[0, 200]]);
  });

  test("leaves the journal to other data of the same file, and takes it with the last", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    const other = partialFileName({ key, tag: await deadTag() });
    await writeFile(join(room.store.layout.partialsFolder, other), "data");
    const items = await findLeftovers(room.store);
    expect(items).toHaveLength(2);
    expect(await deleteLeftover(room.store, items[0]!)).toBe(true);
    expect(await journalOf(room.store, file)).not.toBeNull();
    expect(await deleteLeftover(room.store, items[1]!)).toBe(true);
    expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
  });

  test("under a lock that is held stays", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    const item = await onlyLeftover(room.store);
    await mkdir(room.store.layout.locksFolder, { recursive: true });
    const lock = await tryLock(lockPath(room.store.layout, key));
    if (!("release" in lock)) throw new Error("the lock was not free");
    expect(await deleteLeftover(room.store, item)).toBe(false);
    lock.release();
    expect(await deleteLeftover(room.store, item)).toBe(true);
  });
});

describe("a journal without data", () => {
  test("goes", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    await rm(restPath(room.store, file));
    expect(await deleteLeftover(room.store, await onlyLeftover(room.store))).toBe(true);
    expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
  });

  test("stays when a run has begun the file meanwhile", async () => {
    await using room = await storeRoom();
    await leave(room.store);
    await rm(restPath(room.store, file));
    const item = await onlyLeftover(room.store);
    const owned = partialFileName({ key, tag: runningTag() });
    await writeFile(join(room.store.layout.partialsFolder, owned), "data");
    expect(await deleteLeftover(room.store, item)).toBe(false);
    expect(await journalOf(room.store, file)).not.toBeNull();
    expect((await readdir(room.store.layout.partialsFolder)).toSorted()).toEqual(
      [`${key}.json`, owned].toSorted(),
    );
  });
});

test("cleanup looks at the records again after its question was answered", async () => {
  await using room = await storeRoom();
  await leave(room.store);
  const { store } = room;
  const context = {
    store,
    signal: new AbortController().signal,
    emit: () => undefined,
  } as unknown as Context;
  const confirm = async (): Promise<boolean> => {
    await mkdir(store.layout.manifestsFolder, { recursive: true });
    await writeFile(join(store.layout.manifestsFolder, "torn.json"), "{");
    return true;
  };
  const run = cleanup(context, { dryRun: false, olderThanMs: null, awaited: async () => [], confirm });
  expect(await run.catch((error: unknown) => error)).toMatchObject({ code: "E_DAMAGED" });
  expect(await findLeftovers(store)).toHaveLength(1);
});
