import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Context, SharedRoom } from "../../../src/app/context.ts";
import { Steering } from "../../../src/app/steering.ts";
import { DownloadQueue } from "../../../src/control/download-queue.ts";
import { type DownloadWish, downloadRows } from "../../../src/control/download-rows.ts";
import { RoomLedger } from "../../../src/control/room-ledger.ts";
import { SCHEMA_STEPS } from "../../../src/control/schema.ts";
import { LuciError } from "../../../src/domain/errors.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";
import { type TempHome, tempHome } from "../../support/temp-home.ts";
import { until } from "../../support/until.ts";

let home: TempHome;
let database: Database;
let events: LuciEventBody[];
let nowMs: number;
/** Refs whose install has begun, in that order. */
let begun: string[];
/** What a context is made of, for those that ask. */
let rooms: SharedRoom[];

beforeEach(async () => {
  home = await tempHome();
  nowMs = Date.UTC(2026, 0, 1);
  const path = join(home.path, "luci.db");
  database = openDatabase({ path, steps: SCHEMA_STEPS, nowMs, onDamaged: () => undefined });
});
afterEach(async () => {
  database.close();
  await home[Symbol.asyncDispose]();
});

/** A queue in the same database: what a daemon is in its next life. Its installs begin and never come to a plan. */
function openQueue({
  carries = true,
  fails = (): LuciError | null => null,
  rows = downloadRows(database),
} = {}): DownloadQueue {
  events = [];
  begun = [];
  rooms = [];
  const limits = { limitBytesPerSec: null, connections: null, pid: 7, emit: () => undefined };
  return new DownloadQueue({
    rows,
    steering: new Steering(limits),
    partials: "resume",
    pid: 7,
    ledger: new RoomLedger(),
    nowMs: () => (nowMs += 1_000),
    contextFor: ({ signal, room }) => {
      rooms.push(room);
      const failure = fails();
      if (failure) {
        begun.push("one more");
        throw failure;
      }
      return stuckContext(signal, carries);
    },
    publish: (body) => {
      events.push(body);
      return { v: 1, seq: events.length, atMs: nowMs, ...body };
    },
  });
}

function stuckContext(signal: AbortSignal, carries: boolean): Context {
  begun.push("one more");
  if (!carries) throw new Error("the disk is on fire");
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason));
  const settings = { hubEndpoint: "http://127.0.0.1:1", hubToken: null };
  return { settings, signal, http: {}, catalog: () => promise } as unknown as Context;
}

function wish(ref: string, more: Partial<DownloadWish> = {}): DownloadWish {
  const usual = { priority: 0, limitBytesPerSec: null, partials: null, sha256: null, allowUnsafe: false };
  return { ref, ...usual, isPaused: false, ...more };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

describe("what is asked for", () => {
  test("is there in the next life as it was left", async () => {
    const queue = openQueue();
    queue.start();
    queue.add([wish("a", { priority: 3, sha256: "f".repeat(64), allowUnsafe: true, partials: "delete" })]);
    const [paused] = queue.add([wish("b", { isPaused: true, limitBytesPerSec: 5 })]);
    queue.change(paused!.job.id, { priority: -7 });
    const told = queue.list();
    await queue.stop();
    const next = openQueue();
    expect(next.list()).toEqual(told);
    expect(next.list()).toMatchObject([
      { ref: "a", state: "queued", priority: 3 },
      { ref: "b", state: "paused", priority: -7, limitBytesPerSec: 5 },
    ]);
  });

  test("is not taken up twice while it is on its way, in this life or the next", async () => {
    const queue = openQueue();
    queue.start();
    const [one, two] = queue.add([wish("a"), wish("a")]);
    expect([one!.isNew, two!.isNew, two!.job.id]).toEqual([true, false, one!.job.id]);
    await queue.stop();
    const next = openQueue();
    expect(next.add([wish("a")])).toMatchObject([{ isNew: false, job: { id: one!.job.id } }]);
    expect(next.list()).toHaveLength(1);
    // The database itself holds to that.
    const row = downloadRows(database).readAll()[0]!;
    expect(() => downloadRows(database).add([{ ...row, id: "another" }])).toThrow();
  });

  test("begins by priority, as many as there are places", async () => {
    const queue = openQueue();
    queue.add(Array.from({ length: 20 }, (_, at) => wish(`m${at}`, { priority: at % 2 })));
    await settle();
    expect(begun).toHaveLength(16);
    const late = queue.add([wish("late", { priority: 50 })]);
    await settle();
    // It stands before all others, so it begins although all places are taken.
    expect(begun).toHaveLength(17);
    expect(late).toMatchObject([{ isNew: true, job: { state: "queued" } }]);
    await queue.stop();
  });

  test("that is paused does not begin before it is resumed", async () => {
    const queue = openQueue();
    const [added] = queue.add([wish("a", { isPaused: true })]);
    await settle();
    expect(begun).toEqual([]);
    expect(queue.resume(added!.job.id)).toMatchObject({ state: "queued" });
    await settle();
    expect(begun).toHaveLength(1);
    await queue.stop();
  });
});

describe("an end", () => {
  test("by a cancel comes at once where nothing has begun, and where a plan is being made", async () => {
    const queue = openQueue();
    const [waiting] = queue.add([wish("a", { isPaused: true })]);
    expect(queue.cancel(waiting!.job.id, null)).toMatchObject({
      state: "cancelled",
      error: { code: "E_CANCELLED" },
    });
    const [begins] = queue.add([wish("b")]);
    await settle();
    queue.cancel(begins!.job.id, null);
    await settle();
    expect(queue.get(begins!.job.id)).toMatchObject({ state: "cancelled" });
    expect(() => queue.pause(begins!.job.id)).toThrow("is cancelled");
    expect(
      openQueue()
        .list()
        .map(({ state }) => state),
    ).toEqual(["cancelled", "cancelled"]);
    expect(() => queue.get("nope")).toThrow("no download nope");
  });

  test("that was asked for and not reached is reached in the next life", async () => {
    const queue = openQueue();
    const [keeping, deleting] = queue.add([wish("a", { isPaused: true }), wish("b", { isPaused: true })]);
    await queue.stop();
    database.run("UPDATE downloads SET cancel = 'resume' WHERE id = ?", [keeping!.job.id]);
    database.run("UPDATE downloads SET cancel = 'delete' WHERE id = ?", [deleting!.job.id]);
    const next = openQueue();
    next.start();
    await settle();
    expect(next.get(keeping!.job.id).state).toBe("cancelled");
    // Which files to delete only its plan tells: that one begins, paused or not.
    expect(begun).toHaveLength(1);
    await next.stop();
  });

  test("by a bug is told as one, and the others go on", async () => {
    const queue = openQueue({ carries: false });
    const [added] = queue.add([wish("a")]);
    await settle();
    expect(queue.get(added!.job.id)).toMatchObject({ state: "failed", error: { code: "E_INTERNAL" } });
    expect(events.at(-1)).toMatchObject({ type: "download.changed", state: "failed" });
  });

  test("is remembered of the last hundred", async () => {
    const queue = openQueue({ carries: false });
    const [open] = queue.add([wish("open", { isPaused: true })]);
    for (let count = 0; count < 130; count += 1) {
      queue.add([wish(`m${count}`)]);
      await settle();
    }
    const refs = queue.list().map(({ ref }) => ref);
    expect(refs).toHaveLength(102);
    expect([refs[0], refs.at(-1)]).toEqual(["open", "m129"]);
    expect(queue.get(open!.job.id).state).toBe("paused");
  });
});

describe("what fails for a reason that passes", () => {
  const outage = () => new LuciError("E_NETWORK", "nobody answers");

  test("stays, says why and when, gives its place to others, and is tried again", async () => {
    let failure: LuciError | null = outage();
    const queue = openQueue({ fails: () => failure });
    const [added] = queue.add([wish("a"), ...Array.from({ length: 16 }, (_, at) => wish(`m${at}`))]);
    await settle();
    // All 17 had their turn, although there are only 16 places.
    expect(begun).toHaveLength(17);
    expect(queue.get(added!.job.id)).toMatchObject({
      state: "waiting",
      error: {
        code: "E_NETWORK",
        message: "nobody answers",
        hint: expect.stringContaining("again by itself at 2026-"),
      },
    });
    expect(events).toContainEqual(expect.objectContaining({ type: "download.changed", state: "waiting" }));
    expect(events).toContainEqual(
      expect.objectContaining({ type: "notice", message: "nobody answers (E_NETWORK): trying again in 2 s" }),
    );
    expect(queue.openCount).toBe(17);
    failure = null;
    await until("the places are taken again", () => begun.length === 33);
    await queue.stop();
    // In the next life at once.
    const next = openQueue();
    expect(next.list().map(({ state }) => state)).toEqual(Array.from({ length: 17 }, () => "queued"));
    next.start();
    await settle();
    expect(begun).toHaveLength(16);
    await next.stop();
  });

  test("is tried at once when somebody asks for it again or resumes it, and not while it is paused", async () => {
    const queue = openQueue({ fails: outage });
    const [added] = queue.add([wish("a")]);
    await settle();
    expect(begun).toHaveLength(1);
    queue.add([wish("a")]);
    await settle();
    expect(begun).toHaveLength(2);
    expect(queue.pause(added!.job.id)).toMatchObject({ state: "paused" });
    await settle();
    expect(begun).toHaveLength(2);
    queue.resume(added!.job.id);
    await settle();
    expect(begun).toHaveLength(3);
    await queue.stop();
  });

  test("is ended by a cancel; one that is to delete goes on until it has, or is told to let it be", async () => {
    const queue = openQueue({ fails: outage });
    const [keeping, deleting] = queue.add([wish("a"), wish("b")]);
    await settle();
    expect(queue.cancel(keeping!.job.id, "resume")).toMatchObject({ state: "cancelled" });
    queue.cancel(deleting!.job.id, "delete");
    await settle();
    expect(begun).toHaveLength(3);
    expect(queue.get(deleting!.job.id)).toMatchObject({
      state: "waiting",
      error: {
        code: "E_NETWORK",
        message: expect.stringContaining("b was cancelled, but its unfinished files"),
      },
    });
    expect(queue.cancel(deleting!.job.id, "resume")).toMatchObject({ state: "cancelled" });
    await queue.stop();
  });

  test("waits for the room that another one gives free, and not longer", async () => {
    const taken = new LuciError("E_NO_SPACE", "others are in the way", { retryable: true });
    let failure: LuciError | null = null;
    const queue = openQueue({ fails: () => failure });
    const [first] = queue.add([wish("a")]);
    await settle();
    rooms[0]!.take(60);
    failure = taken;
    const [second] = queue.add([wish("b")]);
    await settle();
    expect(queue.get(second!.job.id)).toMatchObject({ state: "waiting", error: { code: "E_NO_SPACE" } });
    expect(begun).toHaveLength(2);
    queue.cancel(first!.job.id, "resume");
    await settle();
    expect(begun).toHaveLength(3);
    // What does not fit at all has failed.
    failure = new LuciError("E_NO_SPACE", "too large");
    queue.add([wish("b")]);
    await settle();
    expect(queue.get(second!.job.id)).toMatchObject({ state: "failed", error: { message: "too large" } });
  });

  test("or does not: a cancel that cannot delete says that the bytes are still there", async () => {
    const queue = openQueue({ fails: () => new LuciError("E_NOT_FOUND", "no such repository") });
    const [added] = queue.add([wish("a", { isPaused: true })]);
    queue.cancel(added!.job.id, "delete");
    await settle();
    expect(queue.get(added!.job.id)).toMatchObject({
      state: "failed",
      error: { code: "E_NOT_FOUND", hint: expect.stringContaining("luci cleanup") },
    });
  });
});

describe("the disk under the queue", () => {
  test("that takes no end is asked again before the same is added", async () => {
    const rows = downloadRows(database);
    let isFull = false;
    const queue = openQueue({
      carries: false,
      rows: {
        ...rows,
        change: (id, change) => {
          if (isFull) throw new LuciError("E_NO_SPACE", "the disk is full");
          rows.change(id, change);
        },
      },
    });
    isFull = true;
    const [first] = queue.add([wish("a")]);
    await settle();
    expect(queue.get(first!.job.id).state).toBe("failed");
    expect(() => queue.add([wish("a")])).toThrow("the disk is full");
    isFull = false;
    const [again] = queue.add([wish("a")]);
    expect(again).toMatchObject({ isNew: true });
    expect(rows.readAll().filter(({ endedAt }) => endedAt === null)).toHaveLength(1);
    await settle();
  });

  test("is shared: what one is going to write counts for the others", async () => {
    const queue = openQueue();
    queue.add([wish("a"), wish("b")]);
    await settle();
    const [one, other] = rooms;
    expect([one!.othersBytes(), other!.othersBytes()]).toEqual([0, 0]);
    one!.take(60);
    expect([one!.othersBytes(), other!.othersBytes()]).toEqual([0, 60]);
    await queue.stop();
  });
});

describe("the same, asked for again", () => {
  test("with another digest or more trust is refused, all of it", async () => {
    const queue = openQueue();
    const [added] = queue.add([wish("a")]);
    const { id } = added!.job;
    const other = { sha256: "f".repeat(64) };
    expect(() => queue.add([wish("b"), wish("a", other)])).toThrow(`already as ${id}`);
    expect(() => queue.add([wish("a", { allowUnsafe: true })])).toThrow("allowUnsafe");
    expect(queue.list()).toHaveLength(1);
    await queue.stop();
  });

  test("changes what was said, and nothing else", async () => {
    const queue = openQueue();
    queue.add([wish("a", { priority: 5, limitBytesPerSec: 10, sha256: "f".repeat(64) })]);
    const [same] = queue.add([wish("a")]);
    expect(same!.job).toMatchObject({ priority: 5, limitBytesPerSec: 10 });
    const [changed] = queue.add([{ ...wish("a"), said: { priority: 7, limitBytesPerSec: null } }]);
    expect(changed).toMatchObject({ isNew: false, job: { priority: 7, limitBytesPerSec: null } });
    await queue.stop();
  });
});

describe("what has failed", () => {
  test("is no news any more when it is cancelled, also in the next life; its bytes are others' business", async () => {
    const queue = openQueue({ fails: () => new LuciError("E_NOT_FOUND", "no such repository") });
    const [added] = queue.add([wish("a")]);
    await settle();
    const { id } = added!.job;
    expect(queue.get(id)).toMatchObject({ state: "failed", endedAt: expect.any(String) });
    expect(() => queue.cancel(id, "delete")).toThrow("nothing to steer");
    expect(queue.cancel(id, null)).toMatchObject({ state: "cancelled", error: { code: "E_CANCELLED" } });
    expect(() => queue.cancel(id, null)).toThrow("nothing to steer");
    expect(events.at(-1)).toMatchObject({ type: "download.changed", id, state: "cancelled" });
    expect(openQueue().get(id).state).toBe("cancelled");
  });

  test("is queued again as it was asked when it is resumed, also in the next life", async () => {
    let failure: LuciError | null = new LuciError("E_DIGEST", "other bytes");
    const asked = { sha256: "f".repeat(64), allowUnsafe: true, priority: 3, limitBytesPerSec: 5 };
    const first = openQueue({ fails: () => failure });
    const [added] = first.add([wish("a", asked)]);
    await settle();
    const { id } = added!.job;
    const queue = openQueue({ fails: () => failure });
    expect(queue.get(id).state).toBe("failed");
    failure = null;
    expect(queue.resume(id)).toMatchObject({ id, state: "queued", priority: 3, error: null, endedAt: null });
    expect(events.at(-1)).toMatchObject({ type: "download.changed", id, state: "queued" });
    await settle();
    expect(begun).toHaveLength(1);
    expect(downloadRows(database).readAll()).toMatchObject([{ id, ...asked, endedAt: null }]);
    await queue.stop();
    expect(openQueue().list()).toMatchObject([{ id, state: "queued" }]);
  });

  test("and is on its way for somebody else is not queued twice, and never with less care", async () => {
    let failure: LuciError | null = new LuciError("E_DIGEST", "other bytes");
    const queue = openQueue({ fails: () => failure });
    const [careful] = queue.add([wish("a", { sha256: "f".repeat(64) })]);
    const [plain] = queue.add([wish("b")]);
    await settle();
    failure = null;
    queue.add([wish("a")]);
    const [same] = queue.add([wish("b")]);
    expect(() => queue.resume(careful!.job.id)).toThrow("without a digest");
    expect(queue.resume(plain!.job.id)).toMatchObject({ id: same!.job.id });
    expect(queue.openCount).toBe(2);
    await queue.stop();
  });
});
