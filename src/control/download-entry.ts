// A download of the queue as it is held in memory: what is remembered of it, who carries it, and its next attempt.

import { JobAllowances } from "../app/job-allowances.ts";
import type { Steering } from "../app/steering.ts";
import type { Job } from "../domain/job.ts";
import { cancelledEnd, restingJob, undeletedError } from "./download-job.ts";
import type { Retry } from "./download-retry.ts";
import type { DownloadChange, DownloadRow, DownloadRows } from "./download-rows.ts";
import type { DownloadEnd, DownloadRun, FailedEnd } from "./download-run.ts";

type RealEnd = Exclude<DownloadEnd, { state: "stopped" }>;
type CancelledEnd = Extract<DownloadEnd, { state: "cancelled" }>;

export interface Entry {
  row: DownloadRow;
  run: DownloadRun | null;
  /** What its files may cost, over all attempts that it makes by itself. */
  allowances: JobAllowances;
  /** The attempt after one that failed: `timer` runs until it is due. */
  retry: Retry | null;
  timer: ReturnType<typeof setTimeout> | null;
  /** What has happened and could not be written. */
  unwritten: DownloadChange;
}

/** What is remembered, and nobody carries yet. */
export function newEntry(row: DownloadRow): Entry {
  return { row, run: null, allowances: new JobAllowances(), retry: null, timer: null, unwritten: {} };
}

/** The entry as others see it. */
export function jobOf({ row, run, retry }: Entry, { nowMs, pid }: { nowMs: number; pid: number }): Job {
  const { endedAt } = row;
  if (endedAt !== null) return { ...row.job, endedAt };
  const live = run?.job(nowMs, pid) ?? null;
  const job = live ?? { ...restingJob(row, { pid, retry }), ...run?.ready };
  return { ...job, startedAt: row.createdAt };
}

/** Whether it has failed for good. */
export function hasFailed({ row }: Entry): boolean {
  return row.endedAt !== null && row.job.state === "failed";
}

/** Writes a change, with what could not be written before. @throws LuciError the disk's; nothing has changed then */
export function writeChange(entry: Entry, rows: DownloadRows, change: DownloadChange = {}): void {
  const all = { ...entry.unwritten, ...change };
  if (Object.keys(all).length > 0) rows.change(entry.row.id, all);
  entry.unwritten = {};
  entry.row = { ...entry.row, ...change };
}

/** Somebody has it begin again after its end: as if nothing had been tried. */
export function beginAgain(entry: Entry): void {
  entry.retry = null;
  entry.allowances = new JobAllowances();
}

/** Nobody carries it until its next attempt is due. */
export function rest(entry: Entry, retry: Retry, { onDue }: { onDue(): void }): void {
  entry.run = null;
  entry.retry = retry;
  entry.timer = setTimeout(() => {
    entry.timer = null;
    onDue();
  }, retry.waitMs);
}

/** What waits for its next attempt is due now. */
export function hurry(entry: Entry): void {
  if (entry.timer) clearTimeout(entry.timer);
  entry.timer = null;
}

/** What others leave is free for those that waited for it. */
export function hurryForRoom(open: readonly Entry[]): void {
  for (const entry of open) if (entry.retry?.error.code === "E_NO_SPACE") hurry(entry);
}

/** Hooks of ready models that run beside the downloads; what is more than these takes places like one. */
const MOST_HOOKS = 16;

/**
 * The most important ones for so many places. What is given up and not deleted yet needs none, paused or not, and what
 * only waits for its hook does not hold up the others.
 */
export function dueEntries(open: readonly Entry[], places: number): Entry[] {
  const due = open.filter(isDue).toSorted((one, other) => other.row.priority - one.row.priority);
  const unready = due.filter(({ run }) => (run?.ready ?? null) === null);
  const free = places - Math.max(0, due.length - unready.length - MOST_HOOKS);
  return [...unready.filter(({ row }) => row.cancel !== null), ...unready.slice(0, Math.max(0, free))];
}

function isDue({ row, timer }: Entry): boolean {
  return timer === null && (!row.isPaused || row.cancel !== null);
}

/** Steers what runs to what was said of it, maybe before there was anything to steer. */
export function steerAsRemembered({ row }: Entry, steering: Steering): void {
  const handle = steering.handle(row.id);
  if (!handle) return;
  handle.setPriority(row.priority);
  handle.setLimit(row.limitBytesPerSec);
  if (row.isPaused) handle.pause();
  if (row.cancel !== null) handle.cancel(row.cancel);
}

/** Whether a download that failed is to be tried again: what it lacked comes back by itself. */
export function isAgain({ cancel }: DownloadRow, { isPassing }: FailedEnd): boolean {
  return isPassing && cancel !== "resume";
}

/** How it ended for whoever had given it up. Of one that failed nobody knows that its bytes were deleted. */
export function endAsAsked(row: DownloadRow, end: FailedEnd): FailedEnd | CancelledEnd;
export function endAsAsked(row: DownloadRow, end: RealEnd): RealEnd;
export function endAsAsked(row: DownloadRow, end: RealEnd): RealEnd {
  if (row.cancel === null || end.state !== "failed") return end;
  return row.cancel === "resume" ? cancelledEnd(row) : { ...end, error: undeletedError(row, end) };
}
