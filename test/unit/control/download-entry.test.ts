import { expect, test } from "bun:test";
import { dueEntries, newEntry } from "../../../src/control/download-entry.ts";
import { newRow } from "../../../src/control/download-job.ts";
import type { DownloadRun } from "../../../src/control/download-run.ts";

const PLACES = 16;

/** An entry as it is while nobody carries it, or while the hook of its ready model runs. */
function entry(priority: number, ready: boolean) {
  const usual = { limitBytesPerSec: null, partials: null, sha256: null, allowUnsafe: false, isPaused: false };
  const one = newEntry(newRow({ ref: "r", priority, ...usual }, { nowMs: 0, pid: 7 }));
  return { ...one, run: ready ? ({ ready: { state: "done" } } as DownloadRun) : null };
}

test.each([
  [0, PLACES],
  [1, PLACES],
  [16, PLACES],
  // More hooks than these take places like a download.
  [17, PLACES - 1],
  [31, 1],
  [32, 0],
  [50, 0],
])("beside %d hooks, %d downloads begin", (hooks, begin) => {
  const open = [
    ...Array.from({ length: hooks }, () => entry(10, true)),
    ...Array.from({ length: 40 }, (_, at) => entry(at, false)),
  ];
  const due = dueEntries(open, PLACES);
  expect(due.map(({ row }) => row.priority)).toEqual(Array.from({ length: begin }, (_, at) => 39 - at));
});
