import { describe, expect, test } from "bun:test";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { NO_PROGRESS, reduceProgress } from "../../../src/domain/progress.ts";
import { createBars } from "../../../src/ui/bars.ts";
import { createPaint } from "../../../src/ui/style.ts";
import { eventOf, FakeStream } from "./fake-terminal.ts";

const LLAMA = { model: "llama3.2", file: "Llama-3.2-3B-Instruct-Q4_K_M.gguf" };
const MISTRAL = { model: "mistral", file: "mistral-7b.gguf" };
const HIDE = "\u001B[?25l";
const SHOW = "\u001B[?25h";

/** Bars on a small terminal, with a clock that only the test moves. */
function createTheatre(size = { columns: 60, rows: 20 }) {
  const stream = new FakeStream(size);
  const clock = { nowMs: 0, ticks: new Set<() => void>() };
  const ticker = {
    nowMs: () => clock.nowMs,
    every(_intervalMs: number, tick: () => void) {
      clock.ticks.add(tick);
      return () => clock.ticks.delete(tick);
    },
  };
  const bars = createBars({
    stream,
    write: (chunk) => stream.write(chunk),
    paint: createPaint(false),
    columns: 80,
    ticker,
  });
  let state = NO_PROGRESS;
  const advance = (atMs: number) => {
    for (let tenth = Math.floor(clock.nowMs / 100) + 1; tenth * 100 <= atMs; tenth += 1) {
      clock.nowMs = tenth * 100;
      for (const tick of clock.ticks) tick();
    }
    clock.nowMs = atMs;
  };
  return {
    bars,
    stream,
    clock,
    advance,
    at(atMs: number, ...bodies: readonly LuciEventBody[]) {
      advance(atMs);
      for (const body of bodies) {
        const event = eventOf(body, { atMs });
        state = reduceProgress(state, event);
        bars.show(event, state);
      }
    },
  };
}

const plan = (model: string): LuciEventBody => ({
  type: "plan.resolved",
  model,
  files: 1,
  totalBytes: 1_000_000,
  presentBytes: 0,
});
const started = (of = LLAMA): LuciEventBody => ({
  type: "file.started",
  ...of,
  sizeBytes: 1_000_000,
  resumedBytes: 0,
});
const progress = (doneBytes: number, of = LLAMA): LuciEventBody => ({
  type: "file.progress",
  ...of,
  doneBytes,
  hashedBytes: 0,
  connections: 4,
});
const done = (of = LLAMA): LuciEventBody => ({
  type: "file.done",
  ...of,
  how: "fetched",
  sizeBytes: 1_000_000,
  sha256: "00",
  authority: "none",
});

describe("bars on a terminal", () => {
  test("draw below what stays, and leave only that", () => {
    const { bars, stream, at, advance } = createTheatre();
    at(0, plan("llama3.2"), plan("mistral"), started(), started(MISTRAL));
    at(1_000, progress(500_000), progress(250_000, MISTRAL));
    advance(1_100);
    expect(stream.screen()).toBe(
      [
        "Llama-3…-Q4_K_M  ━━━━────   50%   500 kB   455 kB/s      2s",
        "mistral-7b.gguf  ━━──────   25%   250 kB   227 kB/s      4s",
        "0 of 2 models    ━━━─────   37%   750 kB   682 kB/s      2s",
      ].join("\n"),
    );
    at(2_000, done(), { type: "file.restarted", ...MISTRAL, reason: "its ETag changed" });
    advance(2_100);
    expect(stream.screen()).toBe(
      [
        "✓ Llama-3.2-3B-Instruct-Q4_K_M.gguf: done, 1 MB in 2s,",
        "  500 kB/s, unverified (no digest published)",
        "! mistral-7b.gguf: starting again from 0: its ETag changed",
        "mistral-7b.gguf  ────────    0%      0 B  waiting",
        "0 of 2 models    ━━━━────   50%     1 MB   625 kB/s      2s",
      ].join("\n"),
    );
    at(3_000, { type: "file.cancelled", ...MISTRAL, keptBytes: 250_000 });
    bars.stop();
    expect(stream.screen()).toBe(
      [
        "✓ Llama-3.2-3B-Instruct-Q4_K_M.gguf: done, 1 MB in 2s,",
        "  500 kB/s, unverified (no digest published)",
        "! mistral-7b.gguf: starting again from 0: its ETag changed",
        "– mistral-7b.gguf: cancelled, 250 kB of 1 MB kept",
      ].join("\n"),
    );
  });

  test("say what must be said above themselves", () => {
    const { bars, stream, at, advance } = createTheatre();
    at(0, plan("llama3.2"), started());
    advance(100);
    bars.say("warning: the disk is nearly full");
    expect(stream.screen()).toBe(
      "warning: the disk is nearly full\nLlama-3…-Q4_K_M  ────────    0%      0 B  waiting",
    );
  });

  test("redraw ten times a second at most, however many events come", () => {
    const { stream, at, advance } = createTheatre();
    at(0, plan("llama3.2"), started());
    for (let atMs = 1; atMs <= 1_000; atMs += 1) at(atMs, progress(atMs * 100));
    advance(1_100);
    const drawings = stream.text.split("%").length - 1;
    expect(drawings).toBeGreaterThan(5);
    expect(drawings).toBeLessThanOrEqual(12);
  });

  test("age once a second while nothing comes", () => {
    const { stream, at, advance } = createTheatre();
    at(0, plan("llama3.2"), started());
    at(1_000, progress(500_000));
    advance(4_000);
    expect(stream.screen()).toBe("Llama-3…-Q4_K_M  ━━━━────   50%   500 kB   161 kB/s      4s");
    advance(8_000);
    expect(stream.screen()).toBe("Llama-3…-Q4_K_M  ━━━━────   50%   500 kB");
  });

  test("hide the cursor only while they draw, and stop their clock", () => {
    const { bars, stream, clock, at, advance } = createTheatre();
    at(0, plan("llama3.2"));
    expect(stream.text).toBe("");
    at(0, started());
    advance(100);
    expect(stream.text.split(HIDE).length - 1).toBe(1);
    bars.pause();
    expect(stream.text.endsWith(SHOW)).toBe(true);
    expect(clock.ticks.size).toBe(0);
    bars.resume();
    expect(stream.text.split(HIDE).length - 1).toBe(2);
    bars.stop();
    expect(stream.text.endsWith(SHOW)).toBe(true);
    at(200, progress(10));
    advance(2_000);
    expect(stream.text.endsWith(SHOW)).toBe(true);
    expect([stream.screen(), clock.ticks.size]).toEqual(["", 0]);
  });

  test("take no more lines than the terminal has", () => {
    const { stream, at, advance } = createTheatre({ columns: 60, rows: 4 });
    at(0, { ...plan("many"), files: 9 } as LuciEventBody);
    for (let index = 0; index < 9; index += 1) at(0, started({ model: "many", file: `${index}.gguf` }));
    advance(100);
    expect(
      stream
        .screen()
        .split("\n")
        .map((line) => line.split("  ")[0]),
    ).toEqual(["many/0.gguf", "and 8 more files", "all 9 files"]);
  });

  test("clear all rows that a narrower terminal has folded them into", () => {
    const { stream, at, advance } = createTheatre();
    at(0, plan("llama3.2"), plan("mistral"), started());
    at(1_000, progress(500_000));
    advance(1_100);
    stream.text = "";
    stream.columns = 40;
    at(1_200, progress(600_000));
    advance(1_300);
    // Two lines of 60 cells have become four rows.
    expect(stream.text).toContain("\u001B[4A\r\u001B[J");
  });

  test("print nothing for files that were there already", () => {
    const { bars, stream, at } = createTheatre();
    at(0, { ...plan("many"), files: 2 } as LuciEventBody, { ...done(), how: "reused" } as LuciEventBody);
    bars.stop();
    expect(stream.screen()).toBe("");
  });
});
