// How far one model is: the per-model half of the progress reducer. Pure, without a clock.

import type { ErrorReport } from "./errors.ts";
import type { LuciEvent } from "./events.ts";
import { type SpeedWindow, observe } from "./speed.ts";

/** What makes a model on its way a job that can be steered. */
export interface JobFacts {
  readonly id: string;
  readonly ref: string;
  readonly priority: number;
  readonly limitBytesPerSec: number | null;
  readonly queuedAtMs: number;
  readonly isPaused: boolean;
  /** Whether the total counts every file. */
  readonly isSizeKnown: boolean;
}

export interface ModelProgress {
  readonly model: string;
  readonly files: number;
  readonly totalBytes: number;
  /** Bytes of whole files that were in place before anything was fetched. */
  readonly presentBytes: number;
  readonly state: "working" | "ready" | "failed" | "cancelled";
  readonly doneFiles: number;
  /** Bytes of settled files that were carried and whose progress is forgotten. */
  readonly forgottenBytes: number;
  /** Bytes brought here since the run began. */
  readonly movedBytes: number;
  readonly window: SpeedWindow;
  /** Null for a model that is only planned, or audited. */
  readonly job: JobFacts | null;
  readonly endedAtMs: number | null;
  readonly error: ErrorReport | null;
  /** Where it is, once it is ready. */
  readonly path: string | null;
}

export type Models = ReadonlyMap<string, ModelProgress>;

function newModel(model: string): ModelProgress {
  return {
    model,
    files: 0,
    totalBytes: 0,
    presentBytes: 0,
    state: "working",
    doneFiles: 0,
    forgottenBytes: 0,
    movedBytes: 0,
    window: [],
    job: null,
    endedAtMs: null,
    error: null,
    path: null,
  };
}

/** What is said of a whole model. */
type ModelEvent = Extract<LuciEvent, { readonly type: "plan.resolved" | `model.${string}` }>;

/** The models after one more event. */
export function reduceModels(models: Models, event: LuciEvent): Models {
  if (!isModelEvent(event)) return models;
  return withModel(models, reduceModel(models.get(event.model) ?? newModel(event.model), event));
}

function isModelEvent(event: LuciEvent): event is ModelEvent {
  return event.type === "plan.resolved" || event.type.startsWith("model.");
}

function withModel(models: Models, model: ModelProgress): Models {
  return new Map(models).set(model.model, model);
}

function reduceModel(model: ModelProgress, event: ModelEvent): ModelProgress {
  switch (event.type) {
    case "plan.resolved": {
      const { files, totalBytes, presentBytes } = event;
      return { ...model, files, totalBytes, presentBytes, state: "working" };
    }
    case "model.queued":
      return queued(model, event);
    case "model.paused":
      return withJob(model, { isPaused: true });
    case "model.resumed":
      // The time in between says nothing of the speed.
      return withJob(
        { ...model, window: [{ atMs: event.atMs, bytes: model.movedBytes }] },
        { isPaused: false },
      );
    case "model.steered":
      return withJob(model, { priority: event.priority, limitBytesPerSec: event.limitBytesPerSec });
    case "model.ready":
      return { ...model, state: "ready", path: event.path, endedAtMs: event.atMs };
    case "model.failed":
      return { ...model, state: "failed", error: event.error, endedAtMs: event.atMs };
    case "model.cancelled":
      return { ...model, state: "cancelled", endedAtMs: event.atMs };
  }
}

function queued(model: ModelProgress, event: Extract<LuciEvent, { type: "model.queued" }>): ModelProgress {
  const { files, totalBytes, presentBytes, id, ref, priority, limitBytesPerSec, atMs } = event;
  return {
    ...newModel(model.model),
    files,
    totalBytes: totalBytes ?? 0,
    presentBytes,
    job: {
      id,
      ref,
      priority,
      limitBytesPerSec,
      queuedAtMs: atMs,
      isPaused: false,
      isSizeKnown: totalBytes !== null,
    },
  };
}

function withJob(model: ModelProgress, change: Partial<JobFacts>): ModelProgress {
  return model.job ? { ...model, job: { ...model.job, ...change } } : model;
}

/** What a file event did to its model. */
export interface FileStep {
  readonly atMs: number;
  /** When its file was first spoken of. */
  readonly startedAtMs: number;
  readonly movedBytes: number;
  readonly isDoneNow: boolean;
}

/** The model of a file after it moved; a model nobody planned is not followed. */
export function stepModel(models: Models, name: string, step: FileStep): Models {
  const model = models.get(name);
  if (!model || (step.movedBytes === 0 && !step.isDoneNow)) return models;
  const movedBytes = model.movedBytes + step.movedBytes;
  const window = model.movedBytes === 0 ? [{ atMs: step.startedAtMs, bytes: 0 }] : model.window;
  return withModel(models, {
    ...model,
    movedBytes,
    doneFiles: model.doneFiles + (step.isDoneNow ? 1 : 0),
    window: step.movedBytes > 0 ? observe(window, { atMs: step.atMs, bytes: movedBytes }) : window,
  });
}

/** The models when settled files are forgotten: their bytes are not. */
export function forgetFiles(
  models: Models,
  settled: readonly { readonly model: string; readonly doneBytes: number }[],
): Models {
  const after = new Map(models);
  for (const { model: name, doneBytes } of settled) {
    const model = after.get(name);
    if (model) after.set(name, { ...model, forgottenBytes: model.forgottenBytes + doneBytes });
  }
  return after;
}
