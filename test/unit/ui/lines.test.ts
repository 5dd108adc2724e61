import { expect, test } from "bun:test";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { createStage, text } from "./fake-terminal.ts";

const LLAMA = { model: "llama3.2", file: "Q4/llama.gguf" };
const SHARD = { model: "Qwen/Qwen3-4B", file: "model-00001.safetensors" };
const plan = (model: string, files: number): LuciEventBody => ({
  type: "plan.resolved",
  model,
  files,
  totalBytes: 20_000_000,
  presentBytes: 0,
});
const progress = (doneBytes: number, of = LLAMA): LuciEventBody => ({
  type: "file.progress",
  ...of,
  doneBytes,
  hashedBytes: 0,
  connections: 4,
});

test("a log gets one line per file every five seconds, and every turn of events", () => {
  const { stdout, stderr, play } = createStage();
  play([
    [0, plan("llama3.2", 1)],
    [0, plan("Qwen/Qwen3-4B", 2)],
    [0, { type: "file.started", ...LLAMA, sizeBytes: 20_000_000, resumedBytes: 5_000_000 }],
    [100, { type: "file.started", ...SHARD, sizeBytes: null, resumedBytes: 0 }],
    ...Array.from({ length: 100 }, (_, index): readonly [number, LuciEventBody] => [
      index * 100 + 100,
      progress(5_000_000 + index * 100_000),
    ]),
    [10_200, progress(3_000_000, SHARD)],
    [
      10_300,
      {
        type: "file.retrying",
        ...LLAMA,
        attempt: 1,
        waitMs: 2_000,
        code: "E_NETWORK",
        message: "The connection was lost",
      },
    ],
    [
      12_400,
      {
        type: "file.retrying",
        ...LLAMA,
        attempt: 2,
        waitMs: 0,
        code: "E_SERVER",
        message: "The server answered 503",
      },
    ],
    [12_500, { type: "file.restarted", ...LLAMA, reason: "the file changed at its source" }],
    [13_000, progress(1_000_000)],
    [20_000, { type: "file.verifying", ...LLAMA, sizeBytes: 20_000_000 }],
    [
      22_500,
      { type: "file.done", ...LLAMA, how: "fetched", sizeBytes: 20_000_000, sha256: "00", authority: "hub" },
    ],
    [23_000, { type: "file.cancelled", ...SHARD, keptBytes: 3_000_000 }],
  ]);
  expect(stderr.text).toBe(
    text(
      "llama.gguf: resumed at 5 MB of 20 MB",
      "Qwen/Qwen3-4B/model-00001.safetensors: started, size unknown",
      "llama.gguf: 49%, 980 kB/s, 11s left",
      "llama.gguf: 74%, 1 MB/s, 6s left",
      "Qwen/Qwen3-4B/model-00001.safetensors: 3 MB, 297 kB/s",
      "llama.gguf: retry 1 in 2s: The connection was lost (E_NETWORK)",
      "llama.gguf: retry 2 now: The server answered 503 (E_SERVER)",
      "llama.gguf: starting again from 0: the file changed at its source",
      "llama.gguf: verifying",
      "llama.gguf: done, 20 MB in 22s, 889 kB/s",
      "Qwen/Qwen3-4B/model-00001.safetensors: cancelled, 3 MB kept",
    ),
  );
  expect(stdout.text).toBe("");
});

test("how a file came to be there, and who vouches for it", () => {
  const { stderr, play } = createStage();
  const done = (
    how: "fetched" | "reused" | "linked" | "repaired",
    authority: "hub" | "none",
  ): LuciEventBody => ({
    type: "file.done",
    model: "m",
    file: `${how}.gguf`,
    how,
    sizeBytes: 2_000_000,
    sha256: "00",
    authority,
  });
  play([
    [0, plan("m", 1)],
    [0, done("fetched", "none")],
    [0, done("reused", "hub")],
    [0, done("linked", "hub")],
    [0, done("repaired", "hub")],
  ]);
  expect(stderr.text).toBe(
    text(
      "fetched.gguf: done, 2 MB in 0ms, unverified (no digest published)",
      "linked.gguf: taken from another tool's folder, 2 MB",
      "repaired.gguf: repaired, 2 MB in 0ms",
    ),
  );
});

test("a failure tells its reason at once in a batch, and leaves it to the end of a single run", () => {
  const error = {
    code: "E_SERVER",
    message: "The server answered 503\u001B[2J",
    hint: "later",
    exit: 5,
  } as const;
  const failure: readonly (readonly [number, LuciEventBody])[] = [
    [0, { type: "file.started", ...LLAMA, sizeBytes: 20_000_000, resumedBytes: 0 }],
    [1_000, progress(4_000_000)],
    [2_000, { type: "file.failed", ...LLAMA, error }],
  ];
  const single = createStage();
  single.play([[0, plan("llama3.2", 1)], ...failure]);
  expect(single.stderr.text).toBe(text("llama.gguf: started, 20 MB", "llama.gguf: failed at 4 MB of 20 MB"));
  const batch = createStage();
  batch.play([[0, plan("llama3.2", 1)], [0, plan("mistral", 1)], ...failure]);
  expect(batch.stderr.text).toBe(
    text(
      "llama.gguf: started, 20 MB",
      "llama.gguf: failed at 4 MB of 20 MB: The server answered 503\\u{1b}[2J",
    ),
  );
});
