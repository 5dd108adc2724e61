// How far everything is: one pure reducer over events, shared by every face.
// It has no clock: time is what the events carry. Counters only rise, except where a file is restarted.

import type { ErrorReport } from "./errors.ts";
import type { LuciEvent } from "./events.ts";
import {
  ageFile,
  etaOf,
  type FileEvent,
  type FileProgress,
  isSettled,
  reduceFile,
  settle,
} from "./file-progress.ts";
import { isDamage } from "./finding.ts";
import { forgetFiles, type Models, reduceModels, stepModel } from "./model-progress.ts";
import { observe, type SpeedWindow, speedAt } from "./speed.ts";

/** All plans together. */
export interface OverallProgress {
  readonly totalBytes: number;
  readonly presentBytes: number;
  readonly doneBytes: number;
  readonly doneModels: number;
  readonly failedModels: number;
  readonly totalModels: number;
  readonly bytesPerSec: number;
  readonly etaMs: number | null;
}

export interface ProgressState {
  readonly atMs: number;
  /** By `fileKey`, in the order they were first seen. Of many files, those that are settled are forgotten. */
  readonly files: ReadonlyMap<string, FileProgress>;
  /** Bytes of the forgotten ones that were carried. */
  readonly forgottenBytes: number;
  readonly models: Models;
  readonly overall: OverallProgress;
  /** Bytes brought here since the run began; a restart does not take any back. */
  readonly movedBytes: number;
  readonly window: SpeedWindow;
  /** Why nothing is fetched just now; null while it may be. */
  readonly pausedFor: ErrorReport | null;
}

/** Before the first event. */
export const NO_PROGRESS: ProgressState = {
  atMs: 0,
  files: new Map(),
  forgottenBytes: 0,
  models: new Map(),
  overall: {
    totalBytes: 0,
    presentBytes: 0,
    doneBytes: 0,
    doneModels: 0,
    failedModels: 0,
    totalModels: 0,
    bytesPerSec: 0,
    etaMs: null,
  },
  movedBytes: 0,
  window: [],
  pausedFor: null,
};

/** The key of a file in `ProgressState.files`. */
export function fileKey(of: { readonly model: string; readonly file: string }): string {
  return `${of.model}\0${of.file}`;
}

/** A thousand small files must not make every event a walk over a thousand. */
const MOST_FILES = 32;
/** Nothing at all came for this long: a pause of everything. */
const IDLE_MS = 1_000;

function forgetSettled(state: ProgressState): ProgressState {
  if (state.files.size <= MOST_FILES) return state;
  const entries = [...state.files];
  const settled = entries.filter(([, file]) => isSettled(file) && file.carried);
  return {
    ...state,
    files: new Map(entries.filter(([, file]) => !isSettled(file))),
    forgottenBytes: state.forgottenBytes + sum(settled, ([, file]) => file.doneBytes),
    models: forgetFiles(
      state.models,
      settled.map(([, file]) => file),
    ),
  };
}

/** The state after one more event. */
export function reduceProgress(before: ProgressState, event: LuciEvent): ProgressState {
  return reduceOne(forgetSettled(before), event);
}

function reduceOne(state: ProgressState, event: LuciEvent): ProgressState {
  const atMs = Math.max(state.atMs, event.atMs);
  const models = reduceModels(state.models, event);
  if (!("file" in event)) {
    const pausedFor = pausedBy(state, event);
    const next = { ...state, models, pausedFor, files: endFiles(state.files, event) };
    return progressAt(resume(next, event), atMs);
  }
  const key = fileKey(event);
  const before = state.files.get(key);
  const after = reduceFile(before, event, atMs);
  const brought = broughtBytes(event, { before, after });
  const movedBytes = state.movedBytes + brought;
  const window = after.carried ? observe(state.window, { atMs, bytes: movedBytes }) : state.window;
  const isDoneNow = after.state === "done" && before?.state !== "done";
  const step = { atMs, startedAtMs: after.startedAtMs, movedBytes: brought, isDoneNow };
  // The others' speeds and ETAs are for whoever looks: `progressAt` ages them.
  const files = new Map(state.files).set(key, ageFile(after, atMs));
  const next = { ...state, atMs, models: stepModel(models, event.model, step), movedBytes, window, files };
  return { ...next, overall: overallOf(next) };
}

function pausedBy(state: ProgressState, event: LuciEvent): ProgressState["pausedFor"] {
  if (event.type === "run.paused") return event.error;
  return event.type === "run.resumed" ? null : state.pausedFor;
}

/** After a pause speeds are measured anew: the time in between says nothing. */
function resume(state: ProgressState, event: LuciEvent): ProgressState {
  if (event.type !== "model.resumed") return state;
  const { atMs } = event;
  const files = [...state.files].map(([key, file]): [string, FileProgress] =>
    file.model !== event.model || isSettled(file)
      ? [key, file]
      : [key, { ...file, window: [{ atMs, bytes: file.doneBytes }] }],
  );
  const isIdle = atMs - (state.window.at(-1)?.atMs ?? 0) > IDLE_MS;
  const window = isIdle ? [{ atMs, bytes: state.movedBytes }] : state.window;
  return { ...state, files: new Map(files), window };
}

/** The same state seen at a later moment: speeds sink and ETAs grow while no event comes. */
export function progressAt(state: ProgressState, atMs: number): ProgressState {
  const files = new Map([...state.files].map(([key, file]) => [key, ageFile(file, atMs)]));
  const aged = { ...state, atMs, files };
  return { ...aged, overall: overallOf(aged) };
}

/** What is said of a whole model, or found by an audit, settles the files nobody spoke of since. */
function endFiles(files: ProgressState["files"], event: LuciEvent): ProgressState["files"] {
  const ending = endingOf(event);
  if (ending === null) return files;
  const { concerns, as } = ending;
  return new Map(
    [...files].map(([key, file]) => [key, isSettled(file) || !concerns(file) ? file : settle(file, as)]),
  );
}

interface Ending {
  readonly concerns: (file: FileProgress) => boolean;
  readonly as: "done" | "failed" | "cancelled";
}

const ENDINGS: Partial<Record<LuciEvent["type"], Ending["as"]>> = {
  "model.ready": "done",
  "model.failed": "failed",
  "model.cancelled": "cancelled",
};

function endingOf(event: LuciEvent): Ending | null {
  const as = ENDINGS[event.type];
  if (as && "model" in event) return { concerns: (file) => file.model === event.model, as };
  if (event.type !== "finding") return null;
  const { finding } = event;
  // A finding names the file from the models folder, a file event from inside the model.
  const isNamed = (file: FileProgress) =>
    finding.file === file.file || finding.file.endsWith(`/${file.file}`);
  const concerns = (file: FileProgress) => file.model === finding.model && !file.carried && isNamed(file);
  return { concerns, as: isDamage(finding) ? "failed" : "done" };
}

interface Step {
  readonly before: FileProgress | undefined;
  readonly after: FileProgress;
}

/** Bytes the network brought between two states of a file: not those resumed, reused or linked. */
function broughtBytes(event: FileEvent, { before, after }: Step): number {
  const elsewhere = event.type === "file.done" && (event.how === "reused" || event.how === "linked");
  if (elsewhere || !after.carried) return 0;
  return Math.max(0, after.doneBytes - Math.max(before?.doneBytes ?? 0, after.resumedBytes));
}

function overallOf(state: ProgressState): OverallProgress {
  const models = [...state.models.values()];
  const presentBytes = sum(models, (model) => model.presentBytes);
  // Files in place from the start are in their plan's presentBytes already.
  const doneBytes =
    presentBytes +
    state.forgottenBytes +
    sum([...state.files.values()], (file) => (file.carried ? file.doneBytes : 0));
  const totalBytes = Math.max(
    doneBytes,
    sum(models, (model) => model.totalBytes),
  );
  const bytesPerSec = speedAt(state.window, state.atMs);
  return {
    totalBytes,
    presentBytes,
    doneBytes,
    doneModels: models.filter((model) => model.state === "ready").length,
    failedModels: models.filter((model) => model.state === "failed" || model.state === "cancelled").length,
    totalModels: models.length,
    bytesPerSec,
    etaMs: etaOf(totalBytes - doneBytes, bytesPerSec),
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
