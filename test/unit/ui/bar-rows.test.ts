import { describe, expect, test } from "bun:test";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { NO_PROGRESS, progressAt, type ProgressState, reduceProgress } from "../../../src/domain/progress.ts";
import { barRows } from "../../../src/ui/bar-rows.ts";
import { widthOf } from "../../../src/ui/layout.ts";
import { createPaint } from "../../../src/ui/style.ts";
import { eventOf } from "./fake-terminal.ts";

const LLAMA = { model: "llama3.2", file: "Llama-3.2-3B-Instruct-Q4_K_M.gguf" };
const MISTRAL = { model: "mistral", file: "mistral-7b-instruct-v0.2.Q4_K_M.gguf" };
const plain = createPaint(false);
const NO_ROOM = { code: "E_NO_SPACE", message: "only 1 MB free", hint: "", exit: 8 } as const;

function play(...events: readonly (readonly [number, LuciEventBody])[]): ProgressState {
  return events.reduce(
    (state, [atMs, body], seq) => reduceProgress(state, eventOf(body, { atMs, seq })),
    NO_PROGRESS,
  );
}

function rowsAt(state: ProgressState, columns: number, rows = 24): string {
  return barRows(state, { columns, rows, paint: plain }).join("\n");
}

const plan = (model: string, totalBytes: number, files = 1): LuciEventBody => ({
  type: "plan.resolved",
  model,
  files,
  totalBytes,
  presentBytes: 0,
});
const BATCH = play(
  [0, plan("llama3.2", 2_000_000_000)],
  [0, plan("mistral", 4_400_000_000)],
  [0, { type: "file.started", ...LLAMA, sizeBytes: 2_000_000_000, resumedBytes: 0 }],
  [0, { type: "file.started", ...MISTRAL, sizeBytes: 4_400_000_000, resumedBytes: 1_000_000_000 }],
  [10_000, { type: "file.progress", ...LLAMA, doneBytes: 482_000_000, hashedBytes: 0, connections: 4 }],
  [10_000, { type: "file.progress", ...MISTRAL, doneBytes: 2_200_000_000, hashedBytes: 0, connections: 4 }],
);

describe("bars", () => {
  test("at 60 columns", () => {
    expect(rowsAt(BATCH, 60)).toBe(
      [
        "Llama-3…-Q4_K_M  ━───────   24%   482 MB  48.2 MB/s     32s",
        "mistral….Q4_K_M  ━━━━────   50%   2.2 GB   120 MB/s     19s",
        "0 of 2 models    ━━━─────   41%  2.68 GB   168 MB/s     23s",
      ].join("\n"),
    );
  });

  test("say that a model is paused, and promise nothing of it", () => {
    const queued = {
      type: "model.queued",
      model: "mistral",
      id: "7-1",
      ref: "mistral",
      files: 1,
      totalBytes: 4_400_000_000,
      presentBytes: 0,
      priority: 0,
      limitBytesPerSec: null,
    } as const;
    const paused = play(
      [0, queued],
      [0, { type: "file.started", ...MISTRAL, sizeBytes: 4_400_000_000, resumedBytes: 0 }],
      [
        9_000,
        { type: "file.progress", ...MISTRAL, doneBytes: 2_200_000_000, hashedBytes: 0, connections: 4 },
      ],
      [9_100, { type: "model.paused", model: "mistral" }],
    );
    expect(rowsAt(paused, 70)).toMatch(/^mistral\S+ +━+─+ +50% +2.2 GB +paused$/);
  });

  test("say when nothing is fetched, until it is again", () => {
    const at = eventOf({ type: "run.paused", reason: "disk", error: NO_ROOM }, { atMs: 10_500, seq: 9 });
    const paused = reduceProgress(BATCH, at);
    expect(rowsAt(paused, 60)).toBe(
      [
        "Llama-3…-Q4_K_M  ━───────   24%   482 MB  paused",
        "mistral….Q4_K_M  ━━━━────   50%   2.2 GB  paused",
        "0 of 2 models    ━━━─────   41%  2.68 GB  paused",
      ].join("\n"),
    );
    const goesOn = eventOf({ type: "run.resumed", reason: "disk" }, { atMs: 10_500, seq: 10 });
    expect(rowsAt(reduceProgress(paused, goesOn), 60)).toContain("MB/s");
  });

  test("at 40 columns there is no bar", () => {
    expect(rowsAt(BATCH, 40)).toBe(
      [
        "Llama-3…Q4_K_M   24%  48.2 MB/s     32s",
        "mistral…Q4_K_M   50%   120 MB/s     19s",
        "0 of 2 models    41%   168 MB/s     23s",
      ].join("\n"),
    );
  });

  test("at 110 columns names are whole and sizes are told", () => {
    expect(rowsAt(BATCH, 110)).toBe(
      [
        "Llama-3.2-3B-Instruct-Q4_K_M.gguf     ━━━━━━────────────────────   24%      482 MB of 2 GB  48.2 MB/s     32s",
        "mistral-7b-instruct-v0.2.Q4_K_M.gguf  ━━━━━━━━━━━━━─────────────   50%    2.2 GB of 4.4 GB   120 MB/s     19s",
        "0 of 2 models                         ━━━━━━━━━━────────────────   41%   2.68 GB of 6.4 GB   168 MB/s     23s",
      ].join("\n"),
    );
  });

  test("fit every width from 40 columns on, also with wide and hostile names", () => {
    const wide = play(
      [0, plan("a/b", 1e12, 2)],
      [
        0,
        {
          type: "file.started",
          model: "日本語/モデル",
          file: "非常に長い名前のファイル\u001B[2J.safetensors",
          sizeBytes: 1e12,
          resumedBytes: 0,
        },
      ],
      [0, { type: "file.started", ...LLAMA, sizeBytes: null, resumedBytes: 0 }],
      [2_000, { type: "file.progress", ...LLAMA, doneBytes: 999_999_999, hashedBytes: 0, connections: 1 }],
      [
        2_000,
        { type: "file.retrying", ...LLAMA, attempt: 3, waitMs: 3_599_000, code: "E_STALLED", message: "x" },
      ],
      [
        2_000,
        {
          type: "file.retrying",
          model: "日本語/モデル",
          file: "非常に長い名前のファイル\u001B[2J.safetensors",
          attempt: 99,
          waitMs: 15 * 60_000,
          code: "E_RATE_LIMITED",
          message: "x",
        },
      ],
    );
    for (let columns = 40; columns <= 200; columns += 1) {
      for (const row of [
        ...barRows(BATCH, { columns, rows: 9, paint: plain }),
        ...barRows(wide, { columns, rows: 9, paint: plain }),
      ]) {
        expect(widthOf(row)).toBeLessThan(columns);
        expect(row).not.toContain("\u001B");
      }
    }
  });

  test("never need more lines than there are", () => {
    const many = play(
      [0, plan("many", 900, 9)],
      ...Array.from({ length: 9 }, (_, index): [number, LuciEventBody] => [
        0,
        { type: "file.started", model: "many", file: `${index}.gguf`, sizeBytes: 100, resumedBytes: 0 },
      ]),
    );
    expect(
      rowsAt(many, 60, 4)
        .split("\n")
        .map((row) => row.split("  ")[0]),
    ).toEqual(["many/0.gguf", "many/1.gguf", "and 7 more files", "all 9 files"]);
    expect([1, 2, 3, 10, 11].map((rows) => rowsAt(many, 60, rows).split("\n").length)).toEqual([
      1, 2, 3, 10, 10,
    ]);
    expect(rowsAt(many, 60, 0)).toBe("");
  });

  test("say in words what is not downloading", () => {
    const state = play(
      [0, plan("llama3.2", 100)],
      [0, plan("mistral", 100)],
      [0, { type: "file.started", ...LLAMA, sizeBytes: 100, resumedBytes: 50 }],
      [0, { type: "file.started", ...MISTRAL, sizeBytes: null, resumedBytes: 0 }],
    );
    expect(rowsAt(state, 60).split("\n").slice(0, 2)).toEqual([
      "Llama-3…-Q4_K_M  ━━━━────   50%     50 B  waiting",
      "mistral….Q4_K_M  ────────            0 B  waiting",
    ]);
    const verifying = reduceProgress(
      state,
      eventOf({ type: "file.verifying", ...LLAMA, sizeBytes: 100 }, { atMs: 100 }),
    );
    const retrying = reduceProgress(
      verifying,
      eventOf(
        { type: "file.retrying", ...MISTRAL, attempt: 2, waitMs: 4_000, code: "E_NETWORK", message: "lost" },
        { atMs: 100 },
      ),
    );
    expect(rowsAt(progressAt(retrying, 1_200), 60).split("\n").slice(0, 2)).toEqual([
      "Llama-3…-Q4_K_M  ────────    0%      0 B  verifying",
      "mistral….Q4_K_M  ────────            0 B  retry 2 in 3s",
    ]);
    expect(rowsAt(progressAt(retrying, 9_000), 60)).toContain("retry 2 now");
  });

  test("are gone when nothing is under way", () => {
    const events: readonly LuciEventBody[] = [
      { type: "file.cancelled", ...LLAMA, keptBytes: 0 },
      { type: "file.failed", ...MISTRAL, error: { code: "E_SERVER", message: "", hint: "", exit: 5 } },
    ];
    const state = events.reduce(
      (before, body) => reduceProgress(before, eventOf(body, { atMs: 20_000 })),
      BATCH,
    );
    expect(rowsAt(state, 60)).toBe("");
  });

  test("colour is decoration: without it the same text remains", () => {
    const painted = barRows(BATCH, { columns: 60, rows: 9, paint: createPaint(true) }).join("\n");
    expect(painted).toContain("\u001B[36m━");
    expect(Bun.stripANSI(painted)).toBe(rowsAt(BATCH, 60));
  });
});
