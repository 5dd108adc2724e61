// All files of all models of a run, several at once; a model is published when its last file is sealed.

import { LuciError, reportError, toLuciError } from "../domain/errors.ts";
import { type FileHow, isSmall } from "../domain/plan.ts";
import type { Receipt } from "../domain/results.ts";
import { installedPath, pathsOf, readRecords } from "../store/manifest.ts";
import { changeRecords } from "../store/records-lock.ts";
import { removeEmptyParents } from "../store/removal.ts";
import { runQueue } from "../transfer/queue.ts";
import { carryFile } from "./carry.ts";
import { CarryError, type CarryRun, type Carried, type Kept } from "./carry-run.ts";
import { discardPartials } from "./discard.ts";
import { publishModel } from "./publish.ts";
import { receiptOf } from "./models.ts";
import { type FileNeed, type ModelNeed, reserveFor } from "./need.ts";

/** Every file has a connection of its own: no host is asked for more at once. */
const MOST_FILES = 16;
/** Somebody waits for the answer to Ctrl-C. */
const WIND_DOWN_MS = 1_000;

/** One model under way. */
export interface ModelRun {
  readonly need: ModelNeed;
  readonly abort: AbortController;
  /** The run's interrupt, or that another of its files failed. */
  readonly signal: AbortSignal;
  readonly carried: Map<FileNeed, Carried>;
  readonly kept: Kept[];
  started: boolean;
  receipt: Receipt | null;
  failure: LuciError | null;
  fetchedBytes: number;
}

/** Carries the models' files in their order. Never rejects for a model's failure: it is in its run. */
export async function carryModels(run: CarryRun, models: readonly ModelNeed[]): Promise<ModelRun[]> {
  const { settings, signal } = run.context;
  const runs = models.map((need): ModelRun => {
    const abort = new AbortController();
    const both = AbortSignal.any([signal, abort.signal]);
    const base = { need, abort, signal: both, carried: new Map<FileNeed, Carried>(), kept: [] };
    return { ...base, started: false, receipt: null, failure: null, fetchedBytes: 0 };
  });
  const tasks = runs.flatMap((model) =>
    model.need.files.map((file) => ({
      weight: weightOf(file, settings.jobs),
      run: () => carryOne(run, model, file),
    })),
  );
  const stopWatch = run.disk.start(await reserveFor(run.context, models));
  try {
    await runQueue(tasks, { capacity: MOST_FILES, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stopWatch();
  }
  if (signal.aborted) for (const model of runs) await windDown(run, model);
  return runs;
}

/** Small files mostly wait: four of them run in the place of a large one. */
function weightOf({ placement: { file } }: FileNeed, jobs: number): number {
  return isSmall(file) ? Math.max(1, Math.floor(4 / jobs)) : Math.max(1, Math.floor(MOST_FILES / jobs));
}

async function carryOne(run: CarryRun, model: ModelRun, file: FileNeed): Promise<void> {
  const { context } = run;
  const cancel = model.signal;
  // A disk without room fails a model, it does not cancel it.
  const signal = AbortSignal.any([cancel, run.disk.signal]);
  if (cancel.aborted) return;
  model.started = true;
  const names = { model: model.need.plan.name, file: file.placement.file.path };
  try {
    const carried = await carryFile(run, file, { model: names.model, signal });
    model.carried.set(file, carried);
    model.fetchedBytes += carried.fetchedBytes;
    if (model.carried.size === model.need.files.length) await publish(run, model, { signal });
  } catch (error) {
    const reason = error instanceof CarryError ? error.reason : toLuciError(error);
    if (error instanceof CarryError) model.kept.push(error.kept);
    const keptBytes = error instanceof CarryError ? error.kept.keptBytes : 0;
    if (cancel.aborted) return context.emit({ type: "file.cancelled", ...names, keptBytes });
    context.emit({ type: "file.failed", ...names, error: reportError(reason) });
    fail(run, model, reason);
  }
}

function fail(run: CarryRun, model: ModelRun, reason: LuciError): void {
  if (reason.code === "E_INTERNAL") throw reason;
  model.failure = reason;
  // The model's other files cannot make it whole now; what they have is kept.
  model.abort.abort(new LuciError("E_SOME_FAILED", "another file of this model failed", { cause: reason }));
  run.context.emit({ type: "model.failed", model: model.need.plan.name, error: reportError(reason) });
}

async function publish(run: CarryRun, model: ModelRun, { signal }: { signal: AbortSignal }): Promise<void> {
  const { context } = run;
  const { need, carried } = model;
  const { name } = need.plan;
  const manifest = await publishModel(run, { need, carried, signal });
  const hows = new Map<string, FileHow>(
    need.files.map((file) => [file.placement.path, carried.get(file)?.how ?? "reused"]),
  );
  model.receipt = receiptOf(context.store, manifest, {
    hows,
    fetchedBytes: model.fetchedBytes,
    already: false,
  });
  context.emit({ type: "model.ready", model: name, path: model.receipt.path });
}

/** After an interrupt: a model that is not whole keeps its finished files, or loses every byte, as the policy says. */
async function windDown(run: CarryRun, model: ModelRun): Promise<void> {
  const { context } = run;
  if (model.receipt || !model.started) return;
  if (context.settings.partials === "resume") {
    const finished = [...model.carried].filter(([, carried]) => carried.how === "fetched");
    const keptBytes = finished.reduce((sum, [, carried]) => sum + carried.record.sizeBytes, 0);
    model.kept.push({ keptBytes, deleted: null, undeleted: null });
    return;
  }
  await changeRecords(context.store, { patienceMs: WIND_DOWN_MS }, () => deleteFinished(run, model));
  // Files that this run had not begun may have partials of an earlier one.
  model.kept.push(...(await discardPartials(context, model.need.files)));
}

/** Deletes what this run fetched of a model, as far as no other needs it. */
async function deleteFinished({ context }: CarryRun, model: ModelRun): Promise<void> {
  const finished = [...model.carried].filter(([, carried]) => carried.how === "fetched");
  // What completed models need, those of this run included: no policy may take it from them.
  const needed = pathsOf((await readRecords(context.store)).manifests);
  for (const [file] of finished) {
    if (needed.has(file.placement.path)) continue;
    const path = installedPath(context.store, file.placement);
    await context.files.remove(path).catch((error: unknown) => {
      model.kept.push({
        keptBytes: 0,
        deleted: null,
        undeleted: { path, reason: reportError(error).message },
      });
    });
    await removeEmptyParents(context.store, path);
  }
}
