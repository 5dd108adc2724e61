// Downloads of a queue as jobs, where no progress tells of them: before they begin and after they ended. Pure.

import { LuciError, reportError } from "../domain/errors.ts";
import type { Job } from "../domain/job.ts";
import type { DownloadRow, DownloadWish } from "./download-rows.ts";
import type { DownloadEnd } from "./download-run.ts";

const AT_REST = { bytesPerSec: 0, etaMs: null, connections: 0 } as const;

/** A download of which nothing is known but what was asked for. */
export function newJob(
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
    error: null,
    path: null,
  };
}

/** A download that nobody carries at the moment. */
export function restingJob({ job, priority, limitBytesPerSec, isPaused }: DownloadRow, pid: number): Job {
  return { ...job, ...AT_REST, priority, limitBytesPerSec, pid, state: isPaused ? "paused" : "queued" };
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
export function cancelledEnd(row: DownloadRow): Exclude<DownloadEnd, { state: "stopped" | "done" }> {
  return { state: "cancelled", error: reportError(cancelError(row)) };
}
