// How things are said. Pure.

import { isEnded, type Job, type JobState } from "../../domain/job.ts";
import { formatBytes, formatRate, formatRemaining } from "../../domain/size.ts";

export const STATE_WORDS: Readonly<Record<JobState, string>> = {
  queued: "Queued",
  waiting: "Waiting",
  running: "Downloading",
  paused: "Paused",
  verifying: "Checking",
  done: "Installed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** What a download stands at: `5.36 MB of 12.6 MB · 4.64 MB/s · 3s left`. */
export function progressWords(job: Job): string {
  const { doneBytes, totalBytes, bytesPerSec, etaMs, files, doneFiles, limitBytesPerSec } = job;
  const isKnown = totalBytes !== null && totalBytes > 0;
  return [
    isKnown ? `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : sizeSoFar(job),
    job.state === "running" && bytesPerSec > 0 ? formatRate(bytesPerSec) : "",
    job.state === "running" && etaMs !== null ? `${formatRemaining(etaMs)} left` : "",
    files > 1 ? `${doneFiles} of ${files} files` : "",
    limitBytesPerSec !== null && !isEnded(job) ? `limit ${formatRate(limitBytesPerSec)}` : "",
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

function sizeSoFar({ doneBytes, state }: Job): string {
  if (doneBytes > 0) return `${formatBytes(doneBytes)} so far`;
  return state === "queued" || state === "waiting" ? "Size not known yet" : "";
}

/** Whole percent, never 100 before the end. */
export function percentOf({ doneBytes, totalBytes }: Job): number | null {
  if (totalBytes === null || totalBytes <= 0) return null;
  return Math.min(99, Math.floor((doneBytes / totalBytes) * 100));
}

/** `1 file`, `3 files`. */
export function count(amount: number, thing: string): string {
  return `${amount} ${thing}${amount === 1 ? "" : "s"}`;
}

/** A moment, as people here write it. */
export function moment(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return "";
  return at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A limit as it is typed, from what luci says. */
export function limitText(bytesPerSec: number | null): string {
  if (bytesPerSec === null) return "";
  for (const [unit, size] of [
    ["M", 1e6],
    ["k", 1e3],
  ] as const)
    if (bytesPerSec >= size && bytesPerSec % (size / 10) === 0) return `${bytesPerSec / size}${unit}`;
  return String(bytesPerSec);
}
