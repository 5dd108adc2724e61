import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "../../../src/demo/random-bytes.ts";
import { LuciError } from "../../../src/domain/errors.ts";
import { PIECE_BYTES, createWasmSha256, fingerprint } from "../../../src/platform/hash.ts";
import {
  type HashJobOptions,
  type HashListener,
  type HashPool,
  createHashPool,
} from "../../../src/platform/hash-pool.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { FrontierHash, type FrontierHashOptions } from "../../../src/store/frontier-hash.ts";
import { hashOrder } from "../../support/hash-orders.ts";
import { type TempHome, tempHome } from "../../support/temp-home.ts";
import { until } from "../../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 2 * PIECE_BYTES + 1_013;
const never = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let home: TempHome;
let pool: HashPool;
let content: Uint8Array;
let path: string;

beforeAll(async () => {
  home = await tempHome();
  pool = createHashPool();
  content = randomBytes(21, { startBytes: 0, endBytes: SIZE });
  path = join(home.path, "content");
  await writeFile(path, content);
});

afterAll(async () => {
  pool.close();
  await home[Symbol.asyncDispose]();
});

function hashOf(change: Partial<FrontierHashOptions> = {}): FrontierHash {
  return new FrontierHash({
    pool,
    path,
    choice: "native",
    sizeBytes: SIZE,
    presentBytes: 0,
    checkpoint: null,
    expected: [],
    gitBlob: false,
    now: () => performance.now(),
    onBadPiece: () => undefined,
    ...change,
  });
}

const marks = (bytes: Uint8Array) =>
  [0, 1, 2].map((piece) => fingerprint(bytes.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES)));

/** Waits until the worker has come so far. */
function hashed(hash: FrontierHash, bytes: number): Promise<void> {
  return until(`the hash to be at ${bytes}`, () => hash.hashedBytes >= bytes);
}

test("the worker hears of whole pieces, of the end, and again of a piece that comes anew; of nothing else", () => {
  const told: number[] = [];
  let onBad: (piece: number) => void = () => undefined;
  const job = { goNative: () => undefined, forget: () => undefined, close: () => undefined };
  const silent: HashPool = {
    open: (_, listener) => {
      onBad = (piece) => listener.onBad(piece);
      return { ...job, advance: (frontierBytes) => told.push(frontierBytes) };
    },
    close: () => undefined,
  };
  const hash = hashOf({ pool: silent });
  for (const frontierBytes of [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 5, SIZE, SIZE])
    hash.advance(frontierBytes, SIZE);
  expect(told).toEqual([0, PIECE_BYTES, SIZE]);
  onBad(0);
  hash.advance(0, SIZE);
  hash.advance(SIZE, SIZE);
  expect(told).toEqual([0, PIECE_BYTES, SIZE, 0, SIZE]);
});

describe.each(["native", "wasm"] as const)("on the %s engine", (choice) => {
  test("a whole file has its digest and its fingerprints", async () => {
    const hash = hashOf({ choice });
    hash.advance(SIZE, SIZE);
    expect(await hash.finish(never)).toMatchObject({ sha256: sha256(content), gitSha1: null });
    expect(hash.pieces).toEqual(marks(content));
    expect(hash.hashedBytes).toBe(SIZE);
    hash.close();
  });

  test("nothing beyond the frontier is read", async () => {
    const other = join(home.path, `frontier-${choice}`);
    const spoiled = Uint8Array.from(content);
    spoiled.fill(0, PIECE_BYTES);
    await writeFile(other, spoiled);
    const hash = hashOf({ choice, path: other });
    hash.advance(2 * PIECE_BYTES - 1, SIZE);
    await hashed(hash, PIECE_BYTES);
    const file = await nodeFiles().open(other, "update");
    await file.write(PIECE_BYTES, [content.subarray(PIECE_BYTES)]);
    await file.close();
    hash.advance(SIZE, SIZE);
    expect((await hash.finish(never))?.sha256).toBe(sha256(content));
    hash.close();
  });

  test("the last short piece waits for the size", async () => {
    const hash = hashOf({ choice, sizeBytes: null });
    hash.advance(SIZE, null);
    await hashed(hash, 2 * PIECE_BYTES);
    hash.advance(SIZE, SIZE);
    expect((await hash.finish(never))?.sha256).toBe(sha256(content));
    hash.close();
  });

  test("an empty file has a digest too", async () => {
    const empty = join(home.path, "empty");
    await writeFile(empty, "");
    const hash = hashOf({ choice, path: empty, sizeBytes: 0, gitBlob: true });
    hash.advance(0, 0);
    expect(await hash.finish(never)).toMatchObject({
      sha256: sha256(new Uint8Array()),
      gitSha1: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    });
    hash.close();
  });

  test("git's digest is taken along, whatever a checkpoint says", async () => {
    const engine = await createWasmSha256(null);
    engine.update(content.subarray(0, PIECE_BYTES));
    const checkpoint = { hashedBytes: PIECE_BYTES, state: Uint8Array.from(engine.save!()) };
    const hash = hashOf({ choice, gitBlob: true, checkpoint });
    hash.advance(SIZE, SIZE);
    const gitSha1 = createHash("sha1").update(`blob ${SIZE}\0`).update(content).digest("hex");
    expect(await hash.finish(never)).toMatchObject({ sha256: sha256(content), gitSha1 });
    hash.close();
  });

  test("a digest is not given a second time by an engine that has given it away", async () => {
    const hash = hashOf({ choice });
    hash.advance(SIZE, SIZE);
    await hash.finish(never);
    hash.advance(SIZE, SIZE);
    // Jobs in every worker answer after theirs has looked at the first one again.
    const others = [1, 2, 3, 4].map(() => hashOf({ choice: "native" }));
    for (const other of others) other.advance(SIZE, SIZE);
    for (const other of others) await other.finish(never);
    expect((await hash.finish(never))?.sha256).toBe(sha256(content));
    hash.close();
    for (const other of others) other.close();
  });

  test("a piece that is not what it was is named, and hashed once it is right", async () => {
    const other = join(home.path, `bad-${choice}`);
    const spoiled = Uint8Array.from(content);
    spoiled[PIECE_BYTES + 5]! ^= 0x10;
    await writeFile(other, spoiled);
    const bad: number[] = [];
    const hash = hashOf({
      choice,
      path: other,
      expected: marks(content),
      onBadPiece: (piece) => bad.push(piece),
    });
    hash.advance(SIZE, SIZE);
    expect(await hash.finish(never)).toBeNull();
    expect(bad).toEqual([1]);
    expect(hash.pieces[1]).toBeNull();
    const file = await nodeFiles().open(other, "update");
    await file.write(PIECE_BYTES, [content.subarray(PIECE_BYTES, PIECE_BYTES + 10)]);
    await file.close();
    hash.advance(SIZE, SIZE);
    expect((await hash.finish(never))?.sha256).toBe(sha256(content));
    expect(bad).toEqual([1]);
    hash.close();
  });
});

describe("a checkpoint", () => {
  test("follows the pieces on hash-wasm, and does not exist natively", async () => {
    const wasm = hashOf({ choice: "wasm" });
    expect(wasm.checkpoint).toBeNull();
    wasm.advance(SIZE, SIZE);
    await wasm.finish(never);
    expect(wasm.checkpoint?.hashedBytes).toBe(2 * PIECE_BYTES);
    const native = hashOf();
    native.advance(SIZE, SIZE);
    await native.finish(never);
    expect(native.checkpoint).toBeNull();
    wasm.close();
    native.close();
  });

  test("is continued: what it has passed is not read again", async () => {
    const first = hashOf({ choice: "wasm" });
    first.advance(2 * PIECE_BYTES, SIZE);
    await hashed(first, 2 * PIECE_BYTES);
    const { checkpoint } = first;
    first.close();
    const other = join(home.path, "continued");
    const headless = Uint8Array.from(content);
    headless.fill(0, 0, 2 * PIECE_BYTES);
    await writeFile(other, headless);
    const second = hashOf({ choice: "wasm", path: other, checkpoint });
    expect(second.hashedBytes).toBe(2 * PIECE_BYTES);
    second.advance(SIZE, SIZE);
    expect((await second.finish(never))?.sha256).toBe(sha256(content));
    second.close();
  });

  test("of another version of the engine means reading again, not failing", async () => {
    const state = new Uint8Array(116).fill(1);
    const hash = hashOf({ choice: "wasm", checkpoint: { hashedBytes: PIECE_BYTES, state } });
    hash.advance(SIZE, SIZE);
    expect((await hash.finish(never))?.sha256).toBe(sha256(content));
    hash.close();
  });
});

describe("what goes wrong", () => {
  test("a file that is not there", async () => {
    const hash = hashOf({ path: join(home.path, "nothing") });
    hash.advance(SIZE, SIZE);
    expect(await hash.finish(never).catch((error: unknown) => error)).toMatchObject({ code: "E_IO" });
    hash.close();
  });

  test("a file that is shorter than it should be", async () => {
    const short = join(home.path, "short");
    await writeFile(short, content.subarray(0, PIECE_BYTES + 1));
    const hash = hashOf({ path: short });
    hash.advance(SIZE, SIZE);
    expect(await hash.finish(never).catch((error: unknown) => error)).toMatchObject({ code: "E_DAMAGED" });
    hash.close();
  });

  test("an interrupt, before and while it waits", async () => {
    const hash = hashOf();
    const interrupt = new AbortController();
    const waiting = hash.finish(interrupt.signal);
    const reason = new LuciError("E_INTERRUPTED", "stop");
    interrupt.abort(reason);
    expect(await waiting.catch((error: unknown) => error)).toBe(reason);
    expect(await hash.finish(interrupt.signal).catch((error: unknown) => error)).toBe(reason);
    hash.close();
  });
});

describe("the choice of the engine", () => {
  /** A pool that only remembers what it was told. */
  function fakePool() {
    const opened: HashJobOptions[] = [];
    const listeners: HashListener[] = [];
    const natives: number[] = [];
    const fake: HashPool = {
      open: (options, listener) => {
        opened.push(options);
        listeners.push(listener);
        return {
          advance: () => undefined,
          goNative: () => void natives.push(opened.length - 1),
          forget: () => undefined,
          close: () => undefined,
        };
      },
      close: () => undefined,
    };
    return { fake, opened, listeners, natives };
  }
  const state = new Uint8Array(116);

  /** The engine that is chosen after a time, with so much of the file there; null while none is. */
  function engineAfter(
    { elapsedMs, frontierMib }: { elapsedMs: number; frontierMib: number },
    change: Partial<FrontierHashOptions> = {},
  ): string | null {
    const { fake, opened } = fakePool();
    const clock = { nowMs: 0 };
    const sizeBytes = change.sizeBytes === undefined ? 4_000 * MIB : change.sizeBytes;
    const hash = hashOf({ pool: fake, choice: "auto", now: () => clock.nowMs, ...change, sizeBytes });
    clock.nowMs = elapsedMs;
    hash.advance(frontierMib * MIB, sizeBytes);
    return opened[0]?.engine ?? null;
  }

  test.each([
    ["open while the link is not known", 900, 50, {}, null],
    ["hash-wasm on a link it keeps up with", 1_000, 40, {}, "wasm"],
    ["native on a faster one, after a second", 1_000, 63, {}, "native"],
    ["native as soon as 64 MiB came quickly", 200, 64, {}, "native"],
    ["native for a small file, at once", 0, 1, { sizeBytes: 64 * MIB }, "native"],
    ["not native just above that", 2_000, 40, { sizeBytes: 64 * MIB + 1 }, "wasm"],
    ["by the link too while the size is unknown", 1_000, 40, { sizeBytes: null }, "wasm"],
    ["native where git's digest is wanted", 0, 1, { gitBlob: true }, "native"],
    ["native for much that is already there", 0, 257, { presentBytes: 256 * MIB + 1 }, "native"],
    ["by what comes, not by what is there", 1_000, 296, { presentBytes: 256 * MIB }, "wasm"],
    ["native for a file that was whole before anybody knew", 100, 100, { sizeBytes: 100 * MIB }, "native"],
    [
      "hash-wasm where a checkpoint covers it",
      0,
      900,
      { presentBytes: 900 * MIB, checkpoint: { hashedBytes: 800 * MIB, state } },
      "wasm",
    ],
    ["what the user says: native", 0, 1, { choice: "native" }, "native"],
    ["what the user says: wasm", 0, 1, { choice: "wasm", sizeBytes: 5 * MIB, gitBlob: true }, "wasm"],
  ] as [string, number, number, Partial<FrontierHashOptions>, string | null][])(
    "is %s",
    (_, elapsedMs, frontierMib, change, engine) => {
      expect(engineAfter({ elapsedMs, frontierMib }, change)).toBe(engine);
    },
  );

  /** A hash that chose hash-wasm, because the link was slow at first. */
  function onWasm(fake: HashPool, sizeBytes: number): FrontierHash {
    const clock = { nowMs: 0 };
    const hash = hashOf({ pool: fake, choice: "auto", sizeBytes, now: () => clock.nowMs });
    clock.nowMs = 1_000;
    hash.advance(PIECE_BYTES, sizeBytes);
    return hash;
  }

  test("goes native when the link is 256 MiB ahead, once, and drops what hash-wasm knew", () => {
    const { fake, listeners, natives } = fakePool();
    const hash = onWasm(fake, 4_000 * MIB);
    const mark = { fingerprint: "00", hashedBytes: PIECE_BYTES, state };
    listeners[0]!.onPiece(0, mark);
    expect(hash.checkpoint).toEqual({ hashedBytes: PIECE_BYTES, state });
    hash.advance(256 * MIB + PIECE_BYTES, 4_000 * MIB);
    expect(natives).toEqual([]);
    hash.advance(257 * MIB + PIECE_BYTES, 4_000 * MIB);
    expect(natives).toEqual([0]);
    expect(hash.checkpoint).toBeNull();
    expect(hash.hashedBytes).toBe(0);
    // A late word of hash-wasm is no state of the native engine.
    listeners[0]!.onPiece(1, { ...mark, hashedBytes: 2 * PIECE_BYTES });
    expect(hash.checkpoint).toBeNull();
    hash.advance(900 * MIB, 4_000 * MIB);
    expect(natives).toEqual([0]);
  });

  test.each([
    [64, []],
    [65, [0]],
  ])("with the download done and %d MiB to go, goes native: %p", (backlogMib, expected) => {
    const { fake, listeners, natives } = fakePool();
    const sizeBytes = 200 * MIB;
    const hash = onWasm(fake, sizeBytes);
    listeners[0]!.onPiece(0, { fingerprint: "00", hashedBytes: sizeBytes - backlogMib * MIB, state });
    hash.advance(sizeBytes, sizeBytes);
    expect(natives).toEqual(expected);
  });

  test("stays with hash-wasm where the user says so", () => {
    const { fake, natives } = fakePool();
    const hash = hashOf({ pool: fake, choice: "wasm", sizeBytes: 4_000 * MIB });
    hash.advance(4_000 * MIB, 4_000 * MIB);
    expect(natives).toEqual([]);
  });

  test("in mid-file comes to the same digest", async () => {
    let digest = "";
    let switched = false;
    const done = Promise.withResolvers<void>();
    const job = pool.open(
      { path, engine: "wasm", fromPiece: 0, state: null, expected: marks(content), gitBlob: false },
      {
        onPiece: (piece) => {
          if (piece !== 1 || switched) return;
          switched = true;
          job.goNative();
          job.advance(SIZE, SIZE);
        },
        onBad: () => done.reject(new Error("a bad piece")),
        onDigest: (found) => {
          digest = found.sha256;
          done.resolve();
        },
        onFailed: (error) => done.reject(error),
      },
    );
    job.advance(2 * PIECE_BYTES, SIZE);
    await done.promise;
    expect(switched).toBe(true);
    expect(digest).toBe(sha256(content));
    job.close();
  });
});

test("a bad piece is read again when it is there again, not when older news of the frontier arrives", async () => {
  const other = join(home.path, "bad-piece");
  const spoiled = Uint8Array.from(content).fill(0, 0, 9);
  await writeFile(other, spoiled);
  const bad: number[] = [];
  const { promise: told, resolve: onBadTold } = Promise.withResolvers<void>();
  const { promise: digest, resolve: onDigest } = Promise.withResolvers<string>();
  const job = pool.open(hashOrder(other, { expected: marks(content) }), {
    onPiece: () => undefined,
    onBad: (piece) => {
      bad.push(piece);
      onBadTold();
    },
    onDigest: ({ sha256: hex }) => onDigest(hex),
    onFailed: (error) => onDigest(error.message),
  });
  // Said before anybody knew of the bad piece, and heard after it.
  for (let times = 0; times < 5; times += 1) job.advance(SIZE, SIZE);
  await told;
  job.advance(SIZE, SIZE);
  job.forget(0);
  // A whole other job in every worker: time enough to read what should not be read.
  const others = [1, 2, 3, 4].map(() => hashOf());
  for (const one of others) one.advance(SIZE, SIZE);
  for (const one of others) await one.finish(never);
  await writeFile(other, content);
  job.advance(SIZE, SIZE);
  expect(await digest).toBe(sha256(content));
  expect(bad).toEqual([0]);
  job.close();
  for (const one of others) one.close();
});
