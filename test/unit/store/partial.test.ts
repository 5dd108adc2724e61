import { beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { link, readFile, readdir, rename, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { randomBytes } from "../../../src/demo/random-bytes.ts";
import { LuciError } from "../../../src/domain/errors.ts";
import type { PlanFile } from "../../../src/domain/plan.ts";
import { PIECE_BYTES } from "../../../src/platform/hash.ts";
import type { Files } from "../../../src/platform/files.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { journalPath, partialFileName, partialKey } from "../../../src/store/layout.ts";
import type { StorePartial } from "../../../src/store/partial.ts";
import { type Store, openStore } from "../../../src/store/store.ts";
import { faultyFiles } from "../../support/faulty-files.ts";
import { deadTag, runningTag } from "../../support/owner-tags.ts";
import {
  changeJournal,
  journalOf,
  openRoomPartial,
  planFile,
  restPath,
  storeRoom,
} from "../../support/store-room.ts";

const SIZE = 3 * PIECE_BYTES + 17;
const never = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const piece = (number: number) => ({
  startBytes: number * PIECE_BYTES,
  endBytes: (number + 1) * PIECE_BYTES,
});

let content: Uint8Array;
let file: PlanFile;

beforeAll(() => {
  content = randomBytes(33, { startBytes: 0, endBytes: SIZE });
  file = planFile({ sizeBytes: SIZE, digest: { algorithm: "sha256", hex: sha256(content) } });
});

/** Writes a part of the content, cut in two chunks. */
async function put(partial: StorePartial, startBytes: number, endBytes: number): Promise<void> {
  const middle = Math.floor((startBytes + endBytes) / 2);
  await partial.write(startBytes, [content.subarray(startBytes, middle), content.subarray(middle, endBytes)]);
}

/** An earlier run: writes these parts and lets go in order. */
async function leave(store: Store, of: PlanFile, ...parts: [number, number][]): Promise<void> {
  const { partial } = await openRoomPartial(store, of);
  for (const [startBytes, endBytes] of parts) await put(partial, startBytes, endBytes);
  // The hash has passed what it can, so that the journal knows the pieces.
  const frontier = parts[0]?.[0] === 0 ? Math.floor(parts[0][1] / PIECE_BYTES) * PIECE_BYTES : 0;
  while (partial.hashedBytes < frontier) await Bun.sleep(1);
  await partial.release();
}

/** Fetches what is missing, as a transfer would, and answers how much that was. */
async function complete(partial: StorePartial): Promise<number> {
  let fetchedBytes = 0;
  for (;;) {
    const missing = partial.missing();
    for (const { startBytes, endBytes } of missing) {
      await put(partial, startBytes, endBytes);
      fetchedBytes += endBytes - startBytes;
    }
    await partial.settle(never);
    if (partial.missing().length === 0) return fetchedBytes;
  }
}

const failed = (pending: Promise<unknown>) =>
  pending.then(
    () => "it went well",
    (error: unknown) => error,
  );

describe("writing", () => {
  test("in any order comes to the right bytes and the right digest", async () => {
    await using room = await storeRoom();
    const { partial } = await openRoomPartial(room.store, file);
    expect(partial.missing()).toEqual([{ startBytes: 0, endBytes: SIZE }]);
    await put(partial, 2 * PIECE_BYTES, SIZE);
    await put(partial, 100, 200);
    expect(partial.missing()).toEqual([
      { startBytes: 0, endBytes: 100 },
      { startBytes: 200, endBytes: 2 * PIECE_BYTES },
    ]);
    expect(partial.doneBytes).toBe(SIZE - 2 * PIECE_BYTES + 100);
    await put(partial, 0, 2 * PIECE_BYTES);
    await partial.settle(never);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    expect(partial.hashedBytes).toBe(SIZE);
    expect(sha256(await readFile(partial.path))).toBe(sha256(content));
    await partial.discard();
  });

  test("is not over before it is: no digest of half a file", async () => {
    await using room = await storeRoom();
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 0, PIECE_BYTES);
    await partial.settle(never);
    expect(await failed(partial.digests(never))).toMatchObject({ code: "E_INTERNAL" });
    await partial.discard();
  });

  test("an empty file is whole at once", async () => {
    await using room = await storeRoom();
    const { partial } = await openRoomPartial(room.store, planFile({ sizeBytes: 0 }));
    expect(partial.missing()).toEqual([]);
    expect((await partial.digests(never)).sha256).toBe(sha256(new Uint8Array()));
    await partial.discard();
  });

  test("of a file whose size nobody knows ends when its end is known", async () => {
    await using room = await storeRoom();
    const unsized = planFile({ sizeBytes: null });
    const { partial } = await openRoomPartial(room.store, unsized);
    expect(partial.pin({ etag: null, sizeBytes: null, sha256: null })).toBe("same");
    await put(partial, 0, SIZE);
    expect(partial.missing()).toEqual([]);
    expect(partial.sizeBytes).toBeNull();
    partial.end(SIZE);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    await partial.discard();
  });

  test("a size that a server tells is kept", async () => {
    await using room = await storeRoom();
    const { partial } = await openRoomPartial(room.store, planFile({ sizeBytes: null }));
    partial.pin({ etag: '"v1"', sizeBytes: SIZE, sha256: null });
    expect(partial.sizeBytes).toBe(SIZE);
    expect(partial.missing()).toEqual([{ startBytes: 0, endBytes: SIZE }]);
    await partial.discard();
  });
});

describe("the next run", () => {
  test("continues an untouched partial where its hash was, without reading it again", async () => {
    await using room = await storeRoom({ hasher: "wasm" });
    await leave(room.store, file, [0, 2 * PIECE_BYTES + 5], [SIZE - 3, SIZE]);
    const { partial, restarts } = await openRoomPartial(room.store, file);
    expect(partial.hashedBytes).toBe(2 * PIECE_BYTES);
    expect(partial.missing()).toEqual([{ startBytes: 2 * PIECE_BYTES + 5, endBytes: SIZE - 3 }]);
    expect(partial.keptBytes).toBe(partial.doneBytes);
    await complete(partial);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    expect(restarts).toEqual([]);
    await partial.discard();
  });

  test("reads a touched one again, and exactly the changed piece is missing", async () => {
    await using room = await storeRoom({ hasher: "wasm" });
    await leave(room.store, file, [0, SIZE]);
    const data = await nodeFiles().open(restPath(room.store, file), "update");
    await data.write(PIECE_BYTES + 4_711, [Uint8Array.of(content[PIECE_BYTES + 4_711]! ^ 1)]);
    await data.close();
    const { partial } = await openRoomPartial(room.store, file);
    expect(partial.hashedBytes).toBe(0);
    expect(partial.missing()).toEqual([]);
    await partial.settle(never);
    expect(partial.missing()).toEqual([piece(1)]);
    expect(await complete(partial)).toBe(PIECE_BYTES);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    await partial.discard();
  });

  test("reads a touched one again and finds nothing wrong where nothing is", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, SIZE]);
    await utimes(restPath(room.store, file), 1, 1);
    const { partial } = await openRoomPartial(room.store, file);
    expect(await complete(partial)).toBe(0);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    await partial.discard();
  });

  test("finds more than one changed piece, also while others are still missing", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, 3 * PIECE_BYTES]);
    const data = await nodeFiles().open(restPath(room.store, file), "update");
    for (const number of [0, 2]) await data.write(number * PIECE_BYTES, [new Uint8Array(9)]);
    await data.close();
    const { partial } = await openRoomPartial(room.store, file);
    expect(await complete(partial)).toBe(2 * PIECE_BYTES + 17);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    await partial.discard();
  });

  test("misses what a cut file lost", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, SIZE]);
    const data = await nodeFiles().open(restPath(room.store, file), "update");
    await data.truncate(PIECE_BYTES + 1);
    await data.close();
    const { partial } = await openRoomPartial(room.store, file);
    expect(partial.missing()).toEqual([{ startBytes: PIECE_BYTES + 1, endBytes: SIZE }]);
    await complete(partial);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    await partial.discard();
  });

  test("does not choke on a hash state of another version of luci", async () => {
    await using room = await storeRoom({ hasher: "wasm" });
    await leave(room.store, file, [0, 2 * PIECE_BYTES]);
    const state = Buffer.alloc(116, 1).toString("base64");
    await changeJournal(room.store, file, (journal) => ({
      ...journal,
      hash: journal.hash && { ...journal.hash, state },
    }));
    const { partial } = await openRoomPartial(room.store, file);
    await complete(partial);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    await partial.discard();
  });

  const forgeries: [string, (text: string) => string][] = [
    ["empty", () => ""],
    ["torn", (text) => text.slice(0, text.length / 2)],
    ["garbage", () => "\u0000\u0001 not json"],
    ["of an older format", (text) => text.replace('"format":1', '"format":0')],
    ["claiming more than it proves", (text) => text.replace(/"ranges":\[\[0,\d+/, `"ranges":[[0,${SIZE}`)],
  ];
  test.each(forgeries)("begins again with a journal that is %s", async (_, spoil) => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, PIECE_BYTES]);
    const path = journalPath(room.store.layout, partialKey(file));
    await writeFile(path, spoil(await readFile(path, "utf8")));
    const { partial } = await openRoomPartial(room.store, file);
    expect(partial.doneBytes).toBe(0);
    expect(await complete(partial)).toBe(SIZE);
    expect((await partial.digests(never)).sha256).toBe(sha256(content));
    await partial.discard();
  });

  test("begins again with another file's journal, and without one", async () => {
    await using room = await storeRoom();
    const other = planFile({ sizeBytes: SIZE, digest: { algorithm: "sha256", hex: "11".repeat(32) } });
    await leave(room.store, file, [0, PIECE_BYTES]);
    const text = await readFile(journalPath(room.store.layout, partialKey(file)), "utf8");
    await leave(room.store, other, [0, 10]);
    await writeFile(journalPath(room.store.layout, partialKey(other)), text);
    const { partial } = await openRoomPartial(room.store, other);
    expect(partial.doneBytes).toBe(0);
    await partial.discard();
    await nodeFiles().remove(journalPath(room.store.layout, partialKey(file)));
    const orphan = await openRoomPartial(room.store, file);
    expect(orphan.partial.doneBytes).toBe(0);
    await orphan.partial.discard();
  });

  test("told to forget leaves no journal that would speak for the new bytes", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, SIZE]);
    const { partial } = await openRoomPartial(room.store, file, { fresh: true });
    expect(partial.doneBytes).toBe(0);
    expect(await journalOf(room.store, file)).toBeNull();
    await partial.discard();
    // The same where only the data was lost.
    await leave(room.store, file, [0, SIZE]);
    await nodeFiles().remove(restPath(room.store, file));
    const again = await openRoomPartial(room.store, file);
    expect(await journalOf(room.store, file)).toBeNull();
    await again.partial.discard();
  });
});

describe("possession", () => {
  test("is taken over from a process that is gone", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, PIECE_BYTES]);
    const rest = restPath(room.store, file);
    const folder = room.store.layout.partialsFolder;
    await rename(rest, join(folder, partialFileName({ key: partialKey(file), tag: await deadTag() })));
    const { partial } = await openRoomPartial(room.store, file);
    expect(partial.doneBytes).toBe(PIECE_BYTES);
    expect(await readdir(folder)).toHaveLength(2);
    await complete(partial);
    await partial.discard();
    expect(await readdir(folder)).toEqual([]);
  });

  test("of a process that runs is respected", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, PIECE_BYTES]);
    const owned = partialFileName({ key: partialKey(file), tag: runningTag() });
    const path = join(room.store.layout.partialsFolder, owned);
    await rename(restPath(room.store, file), path);
    const before = await nodeFiles().facts(path);
    const refused = await failed(openRoomPartial(room.store, file));
    expect(refused).toMatchObject({ code: "E_LOCKED" });
    expect((refused as LuciError).message).toContain(`pid ${process.ppid}`);
    expect(await nodeFiles().facts(path)).toEqual(before);
    // Another file's partial is another matter.
    const other = await openRoomPartial(room.store, planFile());
    await other.partial.discard();
  });

  test("of another store in this process is respected, and what this one left is not", async () => {
    await using room = await storeRoom();
    let refuses = false;
    const rename: Files["rename"] = (from, to) =>
      refuses ? Promise.reject(new LuciError("E_IO", "refused")) : nodeFiles().rename(from, to);
    const other = openStore({ files: { ...nodeFiles(), rename }, modelsFolder: room.folder, hasher: "auto" });
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 0, PIECE_BYTES);
    await partial.checkpoint();
    expect(await failed(openRoomPartial(other, file))).toMatchObject({ code: "E_LOCKED" });
    await complete(partial);
    await partial.release();
    const { partial: taken } = await openRoomPartial(other, file);
    expect(taken.doneBytes).toBe(SIZE);
    expect(await failed(openRoomPartial(room.store, file))).toMatchObject({ code: "E_LOCKED" });
    // Its end fails: the data stays under this process's tag, and is for the same store to go on with.
    refuses = true;
    expect(await failed(taken.release())).toMatchObject({ message: "refused" });
    refuses = false;
    expect(await failed(openRoomPartial(room.store, file))).toMatchObject({ code: "E_LOCKED" });
    const { partial: again } = await openRoomPartial(other, file);
    await again.discard();
    other.hashes.close();
  });

  test("that somebody else took is noticed before a journal is written for it", async () => {
    await using room = await storeRoom();
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 0, 100);
    await rename(partial.path, restPath(room.store, file));
    expect(await failed(partial.release())).toMatchObject({ code: "E_LOCKED" });
    expect(await journalOf(room.store, file)).toBeNull();
  });

  test("is not taken of bytes that are an installed file now", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, SIZE]);
    // A publish that died after the link: final and partial are one file.
    const final = join(room.folder, "final");
    await link(restPath(room.store, file), final);
    const before = sha256(await readFile(final));
    const { partial } = await openRoomPartial(room.store, file);
    expect(partial.doneBytes).toBe(0);
    await partial.write(0, [new Uint8Array(1_000)]);
    expect(sha256(await readFile(final))).toBe(before);
    await partial.discard();
    expect(sha256(await readFile(final))).toBe(before);
    expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
  });
});

describe("beginning again", () => {
  test("drops everything, says why, and forgets the version", async () => {
    await using room = await storeRoom();
    const plain = planFile({ sizeBytes: null });
    const { partial, restarts } = await openRoomPartial(room.store, plain);
    partial.pin({ etag: '"v1"', sizeBytes: SIZE, sha256: null });
    await put(partial, 0, SIZE);
    await partial.settle(never);
    expect(partial.pin({ etag: '"v2"', sizeBytes: SIZE, sha256: null })).toBe("other");
    await partial.restart("it changed at its source");
    expect(restarts).toEqual(["it changed at its source"]);
    expect(partial.sizeBytes).toBeNull();
    expect(partial.doneBytes).toBe(0);
    expect(partial.pin({ etag: '"v2"', sizeBytes: 10, sha256: null })).toBe("same");
    await put(partial, 0, 10);
    expect((await partial.digests(never)).sha256).toBe(sha256(content.subarray(0, 10)));
    expect((await nodeFiles().facts(partial.path))?.sizeBytes).toBe(10);
    await partial.discard();
  });

  test("leaves no journal of what was dropped", async () => {
    await using room = await storeRoom();
    await leave(room.store, file, [0, SIZE]);
    const { partial } = await openRoomPartial(room.store, file);
    await partial.restart("told so");
    expect(await journalOf(room.store, file)).toBeNull();
    expect(partial.keptBytes).toBe(0);
    await partial.discard();
  });
});

describe("letting go", () => {
  test("in order keeps every byte", async () => {
    await using room = await storeRoom();
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 5, 5_000);
    expect(partial.keptBytes).toBe(0);
    await partial.release();
    expect(partial.keptBytes).toBe(4_995);
    expect((await journalOf(room.store, file))?.ranges).toEqual([[5, 5_000]]);
    expect((await nodeFiles().facts(restPath(room.store, file)))?.sizeBytes).toBe(5_000);
  });

  test("the journal is written after the data is durable, never before", async () => {
    const acts: string[] = [];
    const files = faultyFiles(nodeFiles(), ({ name, path }) => {
      if (["write", "datasync", "replaceText"].includes(name)) acts.push(`${name} ${path.split(".").at(-1)}`);
    });
    await using room = await storeRoom({ files });
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 0, 100);
    await partial.release();
    expect(acts).toEqual(["write part", "datasync part", "replaceText json"]);
  });
});

test("a journal that came while the data was made is nobody's, and goes", async () => {
  const small = planFile({
    sizeBytes: 100,
    digest: { algorithm: "sha256", hex: sha256(content.subarray(0, 100)) },
  });
  let made = 0;
  const files = faultyFiles(nodeFiles(), async ({ name, path }) => {
    if (name !== "open" || (made += 1) !== 2) return;
    // Somebody else began and let go in this very moment.
    const key = partialKey(small);
    await writeFile(join(dirname(path), `${key}.json`), "{}");
  });
  await using room = await storeRoom({ files });
  const { partial } = await openRoomPartial(room.store, small);
  expect(partial.claim.hasJournal).toBe(true);
  await partial.discard();
  expect([made, await readdir(room.store.layout.partialsFolder)]).toEqual([2, []]);
});

describe("a disk that fails", () => {
  test("to make data durable is not asked a second time: no journal, no seal", async () => {
    const files = faultyFiles(nodeFiles(), ({ name, before }) => {
      if (name === "datasync" && before === 0) throw new LuciError("E_IO", "input/output error");
    });
    await using room = await storeRoom({ files });
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 0, 100);
    expect(await failed(partial.release())).toMatchObject({ code: "E_IO" });
    expect(partial.keptBytes).toBe(0);
    expect(await journalOf(room.store, file)).toBeNull();
  });

  test("behind our back is not sealed over", async () => {
    const files = faultyFiles(nodeFiles(), ({ name, before }) => {
      if (name === "datasync" && before === 0) throw new LuciError("E_IO", "input/output error");
    });
    await using room = await storeRoom({ files });
    const big = planFile({ sizeBytes: 40 * 1024 * 1024 });
    const { partial } = await openRoomPartial(room.store, big);
    // More than 32 MiB: the checkpoint begins by itself, and fails after the last write.
    await partial.write(0, [new Uint8Array(40 * 1024 * 1024)]);
    await partial.settle(never);
    expect(await failed(partial.sync())).toMatchObject({ code: "E_IO" });
    await partial.discard();
  });

  test("because it is full keeps all but the last MiB, which makes room for the journal", async () => {
    const MIB = 1024 * 1024;
    const files = faultyFiles(nodeFiles(), ({ name, before }) => {
      if (name === "replaceText" && before === 0) throw new LuciError("E_NO_SPACE", "the disk is full");
    });
    await using room = await storeRoom({ files });
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 0, 100);
    await put(partial, PIECE_BYTES, 2 * PIECE_BYTES);
    await partial.release();
    expect((await journalOf(room.store, file))?.ranges).toEqual([
      [0, 100],
      [PIECE_BYTES, 2 * PIECE_BYTES - MIB],
    ]);
    expect((await nodeFiles().facts(restPath(room.store, file)))?.sizeBytes).toBe(2 * PIECE_BYTES - MIB);
    const { partial: next } = await openRoomPartial(room.store, file);
    expect(next.doneBytes).toBe(100 + PIECE_BYTES - MIB);
    await complete(next);
    expect((await next.digests(never)).sha256).toBe(sha256(content));
    await next.discard();
  });

  test("for another reason gives nothing up", async () => {
    const files = faultyFiles(nodeFiles(), ({ name }) => {
      if (name === "replaceText") throw new LuciError("E_PERMISSION", "read-only");
    });
    await using room = await storeRoom({ files });
    const { partial } = await openRoomPartial(room.store, file);
    await put(partial, 0, 5_000_000);
    expect(await failed(partial.release())).toMatchObject({ code: "E_PERMISSION" });
    expect((await nodeFiles().facts(restPath(room.store, file)))?.sizeBytes).toBe(5_000_000);
  });

  test("while deleting says so, and the journal is gone first", async () => {
    const files = faultyFiles(nodeFiles(), ({ name, path }) => {
      if (name === "remove" && path.endsWith(".part")) throw new LuciError("E_PERMISSION", "no");
    });
    await using room = await storeRoom({ files });
    await leave(room.store, file, [0, 100]);
    const { partial } = await openRoomPartial(room.store, file);
    expect(await failed(partial.discard())).toMatchObject({ code: "E_PERMISSION" });
    expect(await journalOf(room.store, file)).toBeNull();
  });
});
