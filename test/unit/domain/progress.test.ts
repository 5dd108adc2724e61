import { describe, expect, test } from "bun:test";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import type { FileProgress } from "../../../src/domain/file-progress.ts";
import {
  fileKey,
  NO_PROGRESS,
  progressAt,
  type ProgressState,
  reduceProgress,
} from "../../../src/domain/progress.ts";

const FILE = { model: "llama3.2", file: "llama.gguf" };
const ERROR = { code: "E_SERVER", message: "503", hint: "later", exit: 5 } as const;

function play(
  events: readonly (readonly [number, LuciEventBody])[],
  from: ProgressState = NO_PROGRESS,
): ProgressState {
  return events.reduce(
    (state, [atMs, body], seq) => reduceProgress(state, { v: 1, seq, atMs, ...body }),
    from,
  );
}

function fileOf(state: ProgressState, of = FILE): FileProgress {
  const file = state.files.get(fileKey(of));
  if (file === undefined) throw new Error(`no ${of.file}`);
  return file;
}

const planned = (totalBytes: number, presentBytes = 0, files = 1): LuciEventBody => ({
  type: "plan.resolved",
  model: FILE.model,
  files,
  totalBytes,
  presentBytes,
});
const started = (sizeBytes: number | null, resumedBytes = 0, of = FILE): LuciEventBody => ({
  type: "file.started",
  ...of,
  sizeBytes,
  resumedBytes,
});
const at = (doneBytes: number, hashedBytes = 0, of = FILE): LuciEventBody => ({
  type: "file.progress",
  ...of,
  doneBytes,
  hashedBytes,
  connections: 4,
});
const done = (
  sizeBytes: number,
  how: "fetched" | "reused" | "linked" = "fetched",
  of = FILE,
): LuciEventBody => ({
  type: "file.done",
  ...of,
  how,
  sizeBytes,
  sha256: "00",
  authority: "hub",
});
const retrying = (waitMs: number): LuciEventBody => ({
  type: "file.retrying",
  ...FILE,
  attempt: 2,
  waitMs,
  code: "E_STALLED",
  message: "silence",
});

describe("a file", () => {
  test("goes from waiting over downloading and verifying to done", () => {
    const script: readonly (readonly [number, LuciEventBody])[] = [
      [0, started(100)],
      [100, at(10)],
      [200, { type: "file.verifying", ...FILE, sizeBytes: 100 }],
      [300, at(100, 50)],
      [400, done(100)],
    ];
    const states = script.map((_, index) => fileOf(play(script.slice(0, index + 1))).state);
    expect(states).toEqual(["waiting", "downloading", "verifying", "verifying", "done"]);
  });

  test("never runs backwards", () => {
    const file = fileOf(
      play([
        [0, started(100)],
        [100, at(60, 40)],
        [200, at(50, 30)],
      ]),
    );
    expect([file.doneBytes, file.hashedBytes]).toEqual([60, 40]);
  });

  test("runs backwards when it is restarted, and says so to its speed", () => {
    const state = play([
      [0, started(10_000, 4_000)],
      [1_000, at(6_000, 6_000)],
      [2_000, { type: "file.restarted", ...FILE, reason: "the ETag changed" }],
      [3_000, at(500)],
    ]);
    const file = fileOf(state);
    expect([file.state, file.doneBytes, file.hashedBytes, file.resumedBytes, file.bytesPerSec]).toEqual([
      "downloading",
      500,
      0,
      0,
      500,
    ]);
    expect(state.movedBytes).toBe(2_500);
  });

  test("does not count resumed bytes into its speed", () => {
    const file = fileOf(
      play([
        [0, started(10_000, 5_000)],
        [1_000, at(6_000)],
        [2_000, at(7_000)],
      ]),
    );
    expect([file.resumedBytes, file.doneBytes, file.bytesPerSec, file.etaMs]).toEqual([
      5_000, 7_000, 1_000, 3_000,
    ]);
  });

  test("tells no speed before half a second and no ETA without a size", () => {
    expect(
      fileOf(
        play([
          [0, started(1_000)],
          [400, at(400)],
        ]),
      ).bytesPerSec,
    ).toBe(0);
    const file = fileOf(
      play([
        [0, started(null)],
        [1_000, at(400)],
      ]),
    );
    expect([file.bytesPerSec, file.etaMs]).toEqual([400, null]);
  });

  test("smooths over five seconds: one burst does not make the speed jump", () => {
    const steady = Array.from({ length: 50 }, (_, index): readonly [number, LuciEventBody] => [
      (index + 1) * 200,
      at((index + 1) * 200),
    ]);
    const before = play([[0, started(1e6)], ...steady]);
    expect(fileOf(before).bytesPerSec).toBeCloseTo(1_000, -1);
    const burst = fileOf(play([[10_200, at(11_200)]], before)).bytesPerSec;
    expect(burst).toBeGreaterThan(1_100);
    expect(burst).toBeLessThan(1_300);
  });

  test("loses its speed when nothing arrives, and keeps its samples few", () => {
    const events = Array.from({ length: 300 }, (_, index): readonly [number, LuciEventBody] => [
      index * 50 + 50,
      at(index * 50),
    ]);
    const state = play([[0, started(1e6)], ...events]);
    expect(fileOf(state).window.length).toBeLessThan(30);
    expect(fileOf(progressAt(state, 17_500)).bytesPerSec).toBeCloseTo(500, -2);
    expect(fileOf(progressAt(state, 21_000)).bytesPerSec).toBe(0);
    expect(fileOf(progressAt(state, 21_000)).etaMs).toBeNull();
  });

  test("waits for its retry until bytes move again", () => {
    const state = play([
      [0, started(1_000)],
      [1_000, at(100)],
      [2_000, retrying(4_000)],
    ]);
    expect(fileOf(state)).toMatchObject({
      state: "retrying",
      connections: 0,
      retry: { attempt: 2, untilMs: 6_000 },
      etaMs: null,
    });
    expect(fileOf(play([[6_500, at(200)]], state))).toMatchObject({ state: "downloading", retry: null });
    const hashing: LuciEventBody = {
      type: "file.progress",
      ...FILE,
      doneBytes: 100,
      hashedBytes: 100,
      connections: 0,
    };
    expect(fileOf(play([[3_000, hashing]], state)).state).toBe("retrying");
  });

  test("stays settled: a late progress event changes nothing", () => {
    for (const end of [
      done(100),
      { type: "file.cancelled", ...FILE, keptBytes: 60 },
      { type: "file.failed", ...FILE, error: ERROR },
    ] as LuciEventBody[]) {
      const settled = play([
        [0, started(100)],
        [100, at(60)],
        [200, end],
      ]);
      expect(fileOf(play([[300, at(90)]], settled))).toEqual(fileOf(settled));
    }
  });

  test("measures the hash while verifying", () => {
    const file = fileOf(
      play([
        [0, started(4_000)],
        [1_000, at(4_000, 1_000)],
        [1_100, { type: "file.verifying", ...FILE, sizeBytes: 4_000 }],
        [2_100, at(4_000, 3_000)],
      ]),
    );
    expect([file.bytesPerSec, file.etaMs]).toEqual([2_000, 500]);
  });

  test("takes time from events only, and an earlier one does not turn it back", () => {
    const state = play([
      [5_000, started(100)],
      [4_000, at(10)],
    ]);
    expect(state.atMs).toBe(5_000);
    expect(fileOf(state).doneBytes).toBe(10);
  });
});

describe("all together", () => {
  const OTHER = { model: "mistral", file: "mistral.gguf" };
  const otherPlan: LuciEventBody = {
    type: "plan.resolved",
    model: OTHER.model,
    files: 1,
    totalBytes: 3_000,
    presentBytes: 0,
  };

  test("adds plans, present, resumed and fetched bytes, and moves at the speed of all", () => {
    const state = play([
      [0, planned(2_000, 500, 2)],
      [0, otherPlan],
      [0, started(1_500, 500)],
      [0, started(3_000, 0, OTHER)],
      [1_000, at(1_000)],
      [1_000, at(500, 0, OTHER)],
    ]);
    expect(state.overall).toEqual({
      totalBytes: 5_000,
      presentBytes: 500,
      doneBytes: 2_000,
      doneModels: 0,
      failedModels: 0,
      totalModels: 2,
      bytesPerSec: 1_000,
      etaMs: 3_000,
    });
  });

  test("does not count a present file twice, nor a linked one into the speed", () => {
    const linked = { model: FILE.model, file: "linked.gguf" };
    const state = play([
      [0, planned(1_000, 400, 3)],
      [0, done(400, "reused")],
      [1_000, started(600, 0, linked)],
      [2_000, done(600, "linked", linked)],
    ]);
    expect([state.overall.doneBytes, state.overall.totalBytes, state.movedBytes]).toEqual([1_000, 1_000, 0]);
  });

  test("counts models ready and failed, planned or not", () => {
    const state = play([
      [0, planned(1_000)],
      [0, otherPlan],
      [0, started(1_000)],
      [10, { type: "model.ready", model: FILE.model, path: "/m" }],
      [20, { type: "model.failed", model: "nowhere", error: ERROR }],
    ]);
    expect([state.overall.doneModels, state.overall.failedModels, state.overall.totalModels]).toEqual([
      1, 1, 3,
    ]);
    expect(fileOf(state).state).toBe("done");
  });

  test("grows with files nobody knew the size of", () => {
    const state = play([
      [0, planned(0)],
      [0, started(null)],
      [1_000, at(700)],
    ]);
    expect([state.overall.doneBytes, state.overall.totalBytes]).toEqual([700, 700]);
  });

  test("settles audited files by what was found, whatever folder they lie in", () => {
    const audited = { model: "org/repo", file: "part/a.safetensors" };
    const finding = (kind: "ok" | "digest"): LuciEventBody => ({
      type: "finding",
      finding: {
        kind,
        model: audited.model,
        file: `org--repo/${audited.file}`,
        sizeBytes: 10,
        badPieces: [],
        pieces: 1,
        detail: "",
        quick: false,
      },
    });
    const reading = play([[0, { type: "file.verifying", ...audited, sizeBytes: 10 }]]);
    expect(fileOf(play([[5, finding("ok")]], reading), audited).state).toBe("done");
    expect(fileOf(play([[5, finding("digest")]], reading), audited).state).toBe("failed");
    expect(reading.overall.doneBytes).toBe(0);
  });

  test("leaves earlier states as they were", () => {
    const first = play([
      [0, planned(100)],
      [0, started(100)],
    ]);
    const copy = structuredClone(first);
    play(
      [
        [1_000, at(50)],
        [2_000, done(100)],
      ],
      first,
    );
    expect(first).toEqual(copy);
  });
});

test("of many files the settled ones are forgotten, and still counted", () => {
  const names = Array.from({ length: 300 }, (_, index) => ({ model: FILE.model, file: `part-${index}` }));
  const events = names.flatMap((of, index): (readonly [number, LuciEventBody])[] => [
    [index * 10, started(1_000, 0, of)],
    [index * 10 + 5, done(1_000, "fetched", of)],
  ]);
  const state = play(events, play([[0, planned(300_000, 0, 300)]]));
  expect(state.files.size).toBeLessThanOrEqual(66);
  expect(state.overall.doneBytes).toBe(300_000);
});
