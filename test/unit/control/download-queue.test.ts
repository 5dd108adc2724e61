import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Context } from "../../../src/app/context.ts";
import { Steering } from "../../../src/app/steering.ts";
import { DownloadQueue } from "../../../src/control/download-queue.ts";
import { type DownloadWish, downloadRows } from "../../../src/control/download-rows.ts";
import { SCHEMA_STEPS } from "../../../src/control/schema.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";
import { type TempHome, tempHome } from "../../support/temp-home.ts";

let home: TempHome;
let database: Database;
let events: LuciEventBody[];
let nowMs: number;
/** Refs whose install has begun, in that order. */
let begun: string[];

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
function openQueue({ carries = true } = {}): DownloadQueue {
  events = [];
  begun = [];
  const limits = { limitBytesPerSec: null, connections: null, pid: 7, emit: () => undefined };
  return new DownloadQueue({
    rows: downloadRows(database),
    steering: new Steering(limits),
    partials: "resume",
    pid: 7,
    nowMs: () => (nowMs += 1_000),
    contextFor: ({ signal }) => stuckContext(signal, carries),
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
