// A job: one model on its way, as others see and steer it. Derived from the progress of its run; no I/O.

import type { ErrorReport } from "./errors.ts";
import { type FileProgress, etaOf, isSettled } from "./file-progress.ts";
import type { ModelProgress } from "./model-progress.ts";
import type { ProgressState } from "./progress.ts";
import { speedAt } from "./speed.ts";

/**
 * `queued`: nothing of it has begun. `waiting`: it has begun and nothing moves (an attempt is due later, another
 * luci has the file, more important ones go first). `running`: bytes arrive. `verifying`: the rest is read.
 */
export type JobState =
  | "queued"
  | "waiting"
  | "running"
  | "paused"
  | "verifying"
  | "done"
  | "failed"
  | "cancelled";

/** Named priorities; any whole number between -100 and 100 is one. */
export const PRIORITIES = { high: 10, normal: 0, low: -10 } as const;
export const HIGHEST_PRIORITY = 100;

export interface Job {
  /** Fit for an address; no other job of this machine has it. */
  readonly id: string;
  readonly ref: string;
  readonly model: string;
  readonly state: JobState;
  readonly priority: number;
  /** The model's own limit; null where only that of the whole run counts. */
  readonly limitBytesPerSec: number | null;
  readonly files: number;
  readonly doneFiles: number;
  /** Null while nobody knows. */
  readonly totalBytes: number | null;
  /** Of the total: what was here before counts. */
  readonly doneBytes: number;
  readonly hashedBytes: number;
  readonly bytesPerSec: number;
  readonly etaMs: number | null;
  readonly connections: number;
  /** The process that carries it. */
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601; null as long as it has not ended. */
  readonly endedAt: string | null;
  /** Why it failed; of one that waits, what it waits for, where that is something that went wrong. */
  readonly error: ErrorReport | null;
  /** Where the model is, once it is done. */
  readonly path: string | null;
}

/** Whether nothing more will happen to a job. */
export function isEnded({ state }: Pick<Job, "state">): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** Whether a job waits for room on the disk, others' doing or its own. */
export function lacksRoom({ state, error }: Pick<Job, "state" | "error">): boolean {
  return state === "waiting" && error?.code === "E_NO_SPACE";
}

/** So long a failure is news. */
const NEWS_MS = 24 * 3_600_000;

/** What somebody who looks wants to see: what has not ended, and what failed of late and was not asked for again. */
export function currentJobs(jobs: readonly Job[], nowMs: number): Job[] {
  const latest = new Map(jobs.map(({ ref, id }) => [ref, id]));
  return jobs.filter((job) => {
    if (!isEnded(job)) return true;
    if (job.state !== "failed" || latest.get(job.ref) !== job.id) return false;
    return job.endedAt === null || nowMs - Date.parse(job.endedAt) < NEWS_MS;
  });
}

/** The models of those jobs that have not ended. */
export function openModels(jobs: readonly Job[]): string[] {
  return jobs.flatMap((job) => (isEnded(job) ? [] : [job.model]));
}

/** The jobs of a run, in the order they were queued. */
export function jobsOf(state: ProgressState, pid: number): Job[] {
  const active = Map.groupBy(
    [...state.files.values()].filter((file) => !isSettled(file)),
    (file) => file.model,
  );
  return [...state.models.values()].flatMap((model) => {
    const job = jobOf(model, { active: active.get(model.model) ?? [], state, pid });
    return job ? [job] : [];
  });
}

interface Scene {
  readonly active: readonly FileProgress[];
  readonly state: ProgressState;
  readonly pid: number;
}

function jobOf(model: ModelProgress, { active, state, pid }: Scene): Job | null {
  const { job, files, doneFiles } = model;
  if (!job) return null;
  const carried = [...state.files.values()].filter((file) => file.model === model.model && file.carried);
  const before = model.presentBytes + model.forgottenBytes;
  const doneBytes = carried.reduce((sum, file) => sum + file.doneBytes, before);
  const hashedBytes = carried.reduce((sum, file) => sum + file.hashedBytes, before);
  const moving = stateOf(model, active);
  const isHeld = state.pausedFor !== null && (moving === "queued" || moving === "running");
  const jobState = isHeld ? "waiting" : moving;
  const bytesPerSec = jobState === "running" ? speedAt(model.window, state.atMs) : 0;
  const totalBytes = job.isSizeKnown ? Math.max(doneBytes, model.totalBytes) : null;
  return {
    id: job.id,
    ref: job.ref,
    model: model.model,
    state: jobState,
    priority: job.priority,
    limitBytesPerSec: job.limitBytesPerSec,
    files,
    doneFiles,
    totalBytes,
    doneBytes,
    hashedBytes,
    bytesPerSec,
    etaMs: etaOf(totalBytes === null ? null : totalBytes - doneBytes, bytesPerSec),
    connections: active.reduce((sum, file) => sum + file.connections, 0),
    pid,
    startedAt: new Date(job.queuedAtMs).toISOString(),
    endedAt: model.endedAtMs === null ? null : new Date(model.endedAtMs).toISOString(),
    error: jobState === "waiting" ? state.pausedFor : model.error,
    path: model.path,
  };
}

function stateOf(model: ModelProgress, active: readonly FileProgress[]): JobState {
  if (model.state !== "working") return model.state === "ready" ? "done" : model.state;
  if (model.job?.isPaused) return "paused";
  if (active.some((file) => file.connections > 0)) return "running";
  if (active.length > 0 && active.every(isRead)) return "verifying";
  return active.length === 0 && model.doneFiles === 0 ? "queued" : "waiting";
}

/** Whether all of it is here and the hash has the rest to go. */
function isRead(file: FileProgress): boolean {
  return file.state === "verifying" || (file.sizeBytes !== null && file.doneBytes >= file.sizeBytes);
}
