// Downloads of a queue as jobs, where no progress tells of them: before they begin and after they ended. Pure.

import { randomBytes } from "node:crypto";
import { type ErrorReport, LuciError, reportError } from "../domain/errors.ts";
import type { Job } from "../domain/job.ts";
import type { DownloadRow, DownloadWish } from "./download-rows.ts";
import type { Retry } from "./download-retry.ts";
import type { DownloadEnd, FailedEnd } from "./download-run.ts";

const AT_REST = { bytesPerSec: 0, etaMs: null, connections: 0 } as const;

/** A download that was asked for just now. */
export function newRow(wish: DownloadWish, { nowMs, pid }: { nowMs: number; pid: number }): DownloadRow {
  const id = randomBytes(4).toString("hex");
  const createdAt = new Date(nowMs).toISOString();
  return { ...wish, id, cancel: null, createdAt, endedAt: null, job: newJob(wish, { id, createdAt, pid }) };
}

/** A download of which nothing is known but what was asked for. */
function newJob(
  wish: DownloadWish,
  { id, createdAt, pid }: { id: string; createdAt: string; pid: number },
): Job {
  return {
    id,
    ref: wish.ref,
    model: wish.ref,
    state: wish.isPaused ? "paused" : "queued",
    priority: wish.priority,
    limitBytesPerSec: wish.limitBytesPerSec,
    files: 0,
    doneFiles: 0,
    totalBytes: null,
    doneBytes: 0,
    hashedBytes: 0,
    ...AT_REST,
    pid,
    startedAt: createdAt,
    endedAt: null,
    error: null,
    path: null,
  };
}

/** A download that nobody carries at the moment. @param retry its next attempt, after one that failed */
export function restingJob(row: DownloadRow, { pid, retry }: { pid: number; retry: Retry | null }): Job {
  const { job, priority, limitBytesPerSec, isPaused, cancel } = row;
  const restingState = retry ? "waiting" : "queued";
  const state = isPaused && cancel === null ? "paused" : restingState;
  const error = retry?.error ?? null;
  return { ...job, ...AT_REST, priority, limitBytesPerSec, pid, state, error, endedAt: null };
}

/** A download that has ended, as it stays in the list. */
export function endedJob(job: Job, end: Exclude<DownloadEnd, { state: "stopped" }>): Job {
  if (end.state !== "done") return { ...job, ...AT_REST, state: end.state, error: end.error };
  const { model, path, files, totalBytes } = end.receipt;
  const all = { files: files.length, doneFiles: files.length };
  const bytes = { totalBytes, doneBytes: totalBytes, hashedBytes: totalBytes };
  return { ...job, ...AT_REST, ...all, ...bytes, state: "done", model, path, error: null };
}

/** The reason of a download that somebody gave up. */
export function cancelError({ ref }: DownloadRow): LuciError {
  return new LuciError("E_CANCELLED", `${ref} was cancelled`);
}

/** The end of one. */
export function cancelledEnd(row: DownloadRow): Extract<DownloadEnd, { state: "cancelled" }> {
  return { state: "cancelled", error: reportError(cancelError(row)) };
}

/** Why a download that was given up is not gone: which bytes are to be deleted could not be found out. */
export function undeletedError({ ref }: DownloadRow, { error }: FailedEnd): ErrorReport {
  return {
    ...error,
    message: `${ref} was cancelled, but its unfinished files are still there: ${error.message}`,
    hint: "`luci cleanup` shows where they are, and deletes them",
  };
}
