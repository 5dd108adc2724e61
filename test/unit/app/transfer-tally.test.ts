import { describe, expect, test } from "bun:test";
import { TransferTally } from "../../../src/app/transfer-tally.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";

const FILE = { model: "m", file: "a" };
const queued = {
  type: "model.queued",
  model: "m",
  id: "1",
  ref: "m",
  files: 1,
  totalBytes: 9,
  presentBytes: 0,
  priority: 0,
  limitBytesPerSec: null,
} as const;
const started = (resumedBytes = 0): LuciEventBody => ({
  type: "file.started",
  ...FILE,
  sizeBytes: null,
  resumedBytes,
});
const progress = (doneBytes: number): LuciEventBody => ({
  type: "file.progress",
  ...FILE,
  doneBytes,
  hashedBytes: 0,
  connections: 1,
});
const done = {
  type: "file.done",
  ...FILE,
  how: "fetched",
  sizeBytes: 9,
  sha256: "00",
  authority: "hub",
} as const;
const retrying = {
  type: "file.retrying",
  ...FILE,
  attempt: 1,
  waitMs: 1,
  code: "E_NETWORK",
  message: "x",
} as const;

function tallied(...events: readonly (readonly [atMs: number, event: LuciEventBody])[]) {
  const tally = new TransferTally();
  for (const [atMs, event] of events) tally.hear(event, atMs);
  return tally.take("m", (events.at(-1)?.[0] ?? 0) + 1_000);
}

describe("a file", () => {
  test("counts what came over the network, its time, its speeds and its attempts", () => {
    const { transfers, elapsedMs, peakBytesPerSec } = tallied(
      [0, queued],
      [1_000, started(500)],
      [2_000, progress(1_500)],
      [2_500, retrying],
      [3_000, progress(6_500)],
      [9_000, progress(6_500)],
      [9_000, done],
    );
    expect(transfers).toEqual([
      {
        file: "a",
        at: new Date(9_000).toISOString(),
        fetchedBytes: 6_000,
        elapsedMs: 8_000,
        meanBytesPerSec: 750,
        peakBytesPerSec: 3_000,
        retries: 1,
        outcome: "ready",
        how: "fetched",
      },
    ]);
    expect([elapsedMs, peakBytesPerSec]).toEqual([10_000, 3_000]);
  });

  test("counts a small file, which tells of its end only", () => {
    expect(tallied([0, queued], [1_000, started()], [2_000, done]).transfers[0]).toMatchObject({
      fetchedBytes: 9,
      meanBytesPerSec: 9,
    });
    expect(tallied([0, queued], [1_000, started(4)], [2_000, done]).transfers[0]?.fetchedBytes).toBe(5);
    const reused = { ...done, how: "reused" } as const;
    expect(tallied([0, queued], [1_000, started()], [2_000, reused]).transfers[0]?.fetchedBytes).toBe(0);
  });

  test("counts twice what is fetched twice", () => {
    const restarted = { type: "file.restarted", ...FILE, reason: "x" } as const;
    const { transfers } = tallied(
      [0, started()],
      [100, progress(50)],
      [200, restarted],
      [300, progress(80)],
      [400, done],
    );
    expect(transfers[0]).toMatchObject({ fetchedBytes: 130 });
  });

  test("does not count a pause", () => {
    const { transfers, elapsedMs } = tallied(
      [0, queued],
      [0, started()],
      [1_000, progress(1_000)],
      [1_000, { type: "model.paused", model: "m" }],
      [101_000, { type: "model.resumed", model: "m" }],
      [102_000, progress(2_000)],
      [102_000, done],
    );
    expect(transfers[0]).toMatchObject({ elapsedMs: 2_000, meanBytesPerSec: 1_000, peakBytesPerSec: 1_000 });
    expect(elapsedMs).toBe(3_000);
  });

  test("that never ended was interrupted, as was one that says so; one that was in place is no transfer", () => {
    expect(tallied([0, started()], [500, progress(10)]).transfers[0]).toMatchObject({
      outcome: "interrupted",
      how: null,
      fetchedBytes: 10,
    });
    const cancelled = { type: "file.cancelled", ...FILE, keptBytes: 0 } as const;
    expect(tallied([0, started()], [5, cancelled]).transfers[0]).toMatchObject({ outcome: "interrupted" });
    expect(tallied([0, { ...done, how: "reused" }]).transfers).toEqual([]);
  });

  test("is forgotten with its model", () => {
    const tally = new TransferTally();
    tally.hear(started(), 0);
    expect(tally.take("m", 1).transfers).toHaveLength(1);
    expect(tally.take("m", 1).transfers).toEqual([]);
  });
});
