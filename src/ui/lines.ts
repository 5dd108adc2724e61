// Progress without a terminal to redraw: plain lines that read well in a log. At most one line per file
// every five seconds, by the time in the events.

import type { LuciEvent } from "../domain/events.ts";
import { fileKey, type ProgressState } from "../domain/progress.ts";
import type { Display } from "./display.ts";
import { labelOf, progressSentence, sentenceOf } from "./sentences.ts";

const EVERY_MS = 5_000;

/** Progress as plain lines. */
export function createLines(write: (text: string) => void): Display {
  const saidAtMs = new Map<string, number>();
  return {
    show(event, state) {
      const line = lineOf(event, state, saidAtMs);
      if (line === null || !("file" in event)) return;
      saidAtMs.set(fileKey(event), event.atMs);
      write(`${labelOf(event, state)}: ${line}\n`);
    },
    say: (text) => write(`${text}\n`),
    table: null,
    pause() {},
    resume() {},
    stop() {},
  };
}

function lineOf(
  event: LuciEvent,
  state: ProgressState,
  saidAtMs: ReadonlyMap<string, number>,
): string | null {
  if (!("file" in event)) return null;
  const key = fileKey(event);
  const file = state.files.get(key);
  if (file === undefined || (event.type === "file.done" && event.how === "reused")) return null;
  if (event.type !== "file.progress") return sentenceOf(event, { file, state });
  const sinceMs = event.atMs - (saidAtMs.get(key) ?? file.startedAtMs);
  return sinceMs >= EVERY_MS ? progressSentence(file) : null;
}
