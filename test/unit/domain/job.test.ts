import { describe, expect, test } from "bun:test";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { type Job, currentJobs, isEnded, jobsOf, lacksRoom } from "../../../src/domain/job.ts";
import { NO_PROGRESS, reduceProgress } from "../../../src/domain/progress.ts";

const QUEUED = {
  type: "model.queued",
  model: "m",
  id: "7-1",
  ref: "hf:org/m",
  files: 2,
  totalBytes: 1_000,
  presentBytes: 100,
  priority: 0,
  limitBytesPerSec: null,
} as const satisfies LuciEventBody;
const A = { model: "m", file: "a" };
const B = { model: "m", file: "b" };
const started = (of: typeof A, sizeBytes: number, resumedBytes = 0): LuciEventBody => ({
  type: "file.started",
  ...of,
  sizeBytes,
  resumedBytes,
});
const at = (of: typeof A, doneBytes: number, connections = 1, hashedBytes = 0): LuciEventBody => ({
  type: "file.progress",
  ...of,
  doneBytes,
  hashedBytes,
  connections,
});
const done = (of: typeof A, sizeBytes: number): LuciEventBody => ({
  type: "file.done",
  ...of,
  how: "fetched",
  sizeBytes,
  sha256: "",
  authority: "hub",
});

/** The jobs after these events, one every `stepMs`. */
function after(events: readonly LuciEventBody[], stepMs = 1_000): Job[] {
  const state = events.reduce(
    (before, body, index) =>
      reduceProgress(before, { v: 1, seq: index + 1, atMs: 1_000 + index * stepMs, ...body }),
    NO_PROGRESS,
  );
  return jobsOf(state, 7);
}
const one = (...events: readonly LuciEventBody[]): Job => after([QUEUED, ...events])[0]!;

describe("a job", () => {
  test("is what was queued, not what was only planned", () => {
    const planned = { type: "plan.resolved", model: "p", files: 1, totalBytes: 1, presentBytes: 0 } as const;
    expect(after([planned, QUEUED]).map(({ model }) => model)).toEqual(["m"]);
    expect(one()).toEqual({
      id: "7-1",
      ref: "hf:org/m",
      model: "m",
      state: "queued",
      priority: 0,
      limitBytesPerSec: null,
      files: 2,
      doneFiles: 0,
      totalBytes: 1_000,
      doneBytes: 100,
      hashedBytes: 100,
      bytesPerSec: 0,
      etaMs: null,
      connections: 0,
      pid: 7,
      startedAt: "1970-01-01T00:00:01.000Z",
      endedAt: null,
      error: null,
      path: null,
    });
  });

  const cases: readonly [state: Job["state"], events: readonly LuciEventBody[]][] = [
    ["waiting", [started(A, 400)]],
    ["running", [started(A, 400), at(A, 50)]],
    ["running", [started(A, 400), at(A, 0)]],
    ["waiting", [started(A, 400), at(A, 50), at(A, 50, 0)]],
    ["verifying", [started(A, 400), at(A, 400, 0, 10)]],
    ["waiting", [started(A, 400), done(A, 400)]],
    ["paused", [started(A, 400), at(A, 50), { type: "model.paused", model: "m" }]],
    ["paused", [{ type: "model.paused", model: "m" }]],
    [
      "queued",
      [
        { type: "model.paused", model: "m" },
        { type: "model.resumed", model: "m" },
      ],
    ],
    ["done", [started(A, 400), done(A, 400), { type: "model.ready", model: "m", path: "/m" }]],
    ["cancelled", [started(A, 400), { type: "model.cancelled", model: "m", keptBytes: 0 }]],
    [
      "failed",
      [{ type: "model.failed", model: "m", error: { code: "E_SERVER", message: "x", hint: "y", exit: 5 } }],
    ],
  ];
  test.each(cases)("is %s after %j", (state, events) => {
    expect(one(...events).state).toBe(state);
    expect(isEnded(one(...events))).toBe(["done", "failed", "cancelled"].includes(state));
  });

  test("counts what its files are at, and what was there before once", () => {
    const job = one(started(A, 400, 30), at(A, 130, 3, 20), started(B, 500), done(B, 500));
    expect(job).toMatchObject({
      doneBytes: 100 + 130 + 500,
      hashedBytes: 100 + 20 + 500,
      doneFiles: 1,
      connections: 3,
    });
  });

  test("keeps the bytes of files that are forgotten", () => {
    const many = Array.from({ length: 200 }, (_, index) => ({ model: "m", file: String(index) }));
    const events = many.flatMap((file) => [started(file, 5), done(file, 5)]);
    const [job] = after([{ ...QUEUED, files: 200, totalBytes: 1_100 }, ...events]);
    expect(job).toMatchObject({ doneBytes: 1_100, hashedBytes: 1_100, doneFiles: 200 });
  });

  test("has the speed of its own bytes, and none while it is paused", () => {
    const other = { model: "n", file: "x" };
    const events = [
      QUEUED,
      { ...QUEUED, model: "n", id: "7-2" },
      started(A, 900),
      started(other, 900),
      at(A, 100),
      at(other, 500),
      at(A, 200),
      at(other, 600),
    ];
    const [job] = after(events, 500);
    expect(job!.bytesPerSec).toBeGreaterThan(40);
    expect(job!.bytesPerSec).toBeLessThan(120);
    expect(job!.etaMs).toBe(Math.round((700 * 1000) / job!.bytesPerSec));
    const [paused] = after([...events, { type: "model.paused", model: "m" }], 500);
    expect(paused).toMatchObject({ bytesPerSec: 0, etaMs: null });
  });

  test("measures its speed anew after a pause", () => {
    const before = [QUEUED, started(A, 90_000), at(A, 1_000), { type: "model.paused", model: "m" } as const];
    const idle = Array.from({ length: 60 }, () => at(A, 1_000, 0));
    const [job] = after([...before, ...idle, { type: "model.resumed", model: "m" }, at(A, 2_000)]);
    expect(job!.bytesPerSec).toBe(1_000);
  });

  test("is steered, and says so", () => {
    const job = one({ type: "model.steered", model: "m", priority: 10, limitBytesPerSec: 5 });
    expect(job).toMatchObject({ priority: 10, limitBytesPerSec: 5 });
  });

  test("has no total while a size is not known", () => {
    const [job] = after([{ ...QUEUED, totalBytes: null, presentBytes: 0 }, started(A, 0), at(A, 50)]);
    expect(job).toMatchObject({ totalBytes: null, etaMs: null, doneBytes: 50 });
  });
});

describe("a disk without room", () => {
  const error = { code: "E_NO_SPACE", message: "only 1 MB free", hint: "", exit: 8 } as const;
  const full: LuciEventBody = { type: "run.paused", reason: "disk", error };

  test.each([
    ["of which nothing has begun", []],
    ["that was running", [started(A, 500), at(A, 10)]],
  ])("is what a job waits for %s", (_, before) => {
    const job = one(...before, full);
    expect([job.state, job.error, job.bytesPerSec, lacksRoom(job)]).toEqual(["waiting", error, 0, true]);
    const again = one(...before, full, { type: "run.resumed", reason: "disk" });
    expect([again.state, again.error]).toEqual([one(...before).state, null]);
  });

  test("is not what a paused job waits for, nor one that has ended", () => {
    expect(one({ type: "model.paused", model: "m" }, full)).toMatchObject({ state: "paused", error: null });
    expect(one({ type: "model.ready", model: "m", path: "/m" }, full)).toMatchObject({
      state: "done",
      error: null,
    });
  });
});

describe("who looks sees", () => {
  const endedAt = "2026-01-01T00:00:00.000Z";
  const nowMs = Date.parse(endedAt) + 23 * 3_600_000;
  const job = (id: string, state: Job["state"], more: Partial<Job> = {}): Job =>
    ({ id, ref: id, state, endedAt, ...more }) as Job;
  const idsOf = (...jobs: Job[]): string[] => currentJobs(jobs, nowMs).map(({ id }) => id);

  test("what has not ended, and what failed within a day", () => {
    const old = { endedAt: "2025-12-31T00:00:00.000Z" };
    expect(
      idsOf(
        job("a", "running"),
        job("b", "done"),
        job("c", "failed"),
        job("d", "failed", old),
        job("e", "cancelled"),
      ),
    ).toEqual(["a", "c"]);
  });

  test("no failure of what was asked for again since", () => {
    const ref = { ref: "same" };
    expect(idsOf(job("a", "failed", ref), job("b", "done", ref))).toEqual([]);
    expect(idsOf(job("a", "failed", ref), job("b", "failed", ref))).toEqual(["b"]);
  });
});
