// All files of all models of a run, several at once; a model is published when its last file is sealed.

import { LuciError, reportError, toLuciError } from "../domain/errors.ts";
import { type FileHow, isSmall } from "../domain/plan.ts";
import { formatBytes } from "../domain/size.ts";
import type { Receipt } from "../domain/results.ts";
import { installedPath, pathsOf, readRecords } from "../store/manifest.ts";
import { changeRecords } from "../store/records-lock.ts";
import { removeEmptyParents } from "../store/removal.ts";
import { Gate } from "../transfer/gate.ts";
import { carryFile } from "./carry.ts";
import { countRun } from "./carry-history.ts";
import { CarryError, type CarryRun, type Carried, type Kept, policyOf } from "./carry-run.ts";
import type { Context } from "./context.ts";
import { discardPartials } from "./discard.ts";
import { publishModel } from "./publish.ts";
import { receiptOf } from "./models.ts";
import { tellReady } from "./ready.ts";
import { type FileNeed, type ModelNeed, presentBytes, reserveFor, totalBytes } from "./need.ts";
import { type JobHandle, MOST_FILES } from "./steering.ts";

/** Somebody waits for the answer to Ctrl-C. */
const WIND_DOWN_MS = 1_000;

/** One model under way. */
export interface ModelRun {
  readonly need: ModelNeed;
  readonly job: JobHandle;
  readonly carried: Map<FileNeed, Carried>;
  readonly kept: Kept[];
  started: boolean;
  receipt: Receipt | null;
  failure: LuciError | null;
  fetchedBytes: number;
}

/**
 * Carries the models' files, in their order within a priority. Never rejects for a model's failure: it is in
 * its run, as is that somebody cancelled it.
 */
export async function carryModels(asked: CarryRun, models: readonly ModelNeed[]): Promise<ModelRun[]> {
  const { run, remember } = countRun(asked);
  const runs = models.map((need): ModelRun => {
    const base = { need, job: openJob(run, need), carried: new Map<FileNeed, Carried>(), kept: [] };
    return { ...base, started: false, receipt: null, failure: null, fetchedBytes: 0 };
  });
  const crash = new AbortController();
  const stopWatch = run.disk.start(await reserveFor(run.context, models));
  const ends = runs.map(async (model) => {
    try {
      await carryModel(run, model, crash);
      if (isGivenUp(run, model)) await cancelled(run, model, runs);
    } finally {
      run.context.steering.close(model.job);
    }
    if (!run.context.signal.aborted) await remember(model);
    if (model.receipt)
      model.receipt = { ...model.receipt, hooks: await tellReady(run.context, model.receipt) };
  });
  const [failed] = (await Promise.allSettled(ends)).filter((end) => end.status === "rejected");
  stopWatch();
  if (failed) throw failed.reason;
  if (run.context.signal.aborted) for (const model of runs) await windDown(run, model, runs);
  for (const model of runs) await remember(model);
  return runs;
}

/** Whether somebody cancelled a model, and it came to that. */
function isGivenUp({ context }: CarryRun, model: ModelRun): boolean {
  return model.job.isCancelled && !model.receipt && !context.signal.aborted;
}

function openJob({ context, gate, job }: CarryRun, need: ModelNeed): JobHandle {
  const { name: model, ref, files } = need.plan;
  return context.steering.open({
    ...job,
    model,
    ref,
    emit: context.emit,
    gate,
    files: need.files.length,
    totalBytes: files.some(({ sizeBytes }) => sizeBytes === null) ? null : totalBytes(need),
    presentBytes: presentBytes(need),
  });
}

/** One model to its end. @throws LuciError E_INTERNAL only; it ends the other models as well */
async function carryModel(run: CarryRun, model: ModelRun, crash: AbortController): Promise<void> {
  const { context } = run;
  const { job, need } = model;
  const cancel = AbortSignal.any([context.signal, crash.signal, job.signal]);
  // A disk without room fails a model, it does not cancel it.
  const signal = AbortSignal.any([cancel, run.disk.signal]);
  const tasks = need.files.map((file) => {
    const gate = new Gate(job.gate);
    const weight = weightOf(file, context.settings.jobs);
    return { weight, lane: job.lane, gate, run: () => carryOne(run, model, { file, gate, cancel, signal }) };
  });
  try {
    await context.steering.queue.run(tasks, { signal: cancel });
  } catch (error) {
    if (!cancel.aborted) {
      crash.abort(error);
      throw error;
    }
  }
}

/** Small files mostly wait: four of them run in the place of a large one. */
function weightOf({ placement: { file } }: FileNeed, jobs: number): number {
  return isSmall(file) ? Math.max(1, Math.floor(4 / jobs)) : Math.max(1, Math.floor(MOST_FILES / jobs));
}

async function carryOne(
  run: CarryRun,
  model: ModelRun,
  { file, gate, cancel, signal }: { file: FileNeed; gate: Gate; cancel: AbortSignal; signal: AbortSignal },
): Promise<void> {
  const { context } = run;
  if (cancel.aborted) return;
  model.started = true;
  const names = { model: model.need.plan.name, file: file.placement.file.path };
  try {
    const carried = await carryFile(run, file, { model: names.model, job: model.job, gate, signal });
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
  model.job.giveUp(new LuciError("E_SOME_FAILED", "another file of this model failed", { cause: reason }));
  run.context.emit({ type: "model.failed", model: model.need.plan.name, error: reportError(reason) });
}

/** Somebody gave the model up: its bytes go the way of an interrupt's, and the others go on. */
async function cancelled(run: CarryRun, model: ModelRun, runs: readonly ModelRun[]): Promise<void> {
  const { context } = run;
  const name = model.need.plan.name;
  await windDown(run, model, runs);
  for (const { undeleted } of model.kept) {
    if (!undeleted) continue;
    const message = `could not delete ${undeleted.path}: ${undeleted.reason}`;
    context.emit({ type: "notice", level: "warn", model: name, message });
  }
  const keptBytes = model.kept.reduce((sum, kept) => sum + kept.keptBytes, 0);
  const rest = keptBytes > 0 ? `, ${formatBytes(keptBytes)} are kept` : "";
  model.failure = new LuciError("E_CANCELLED", `Cancelled${rest}`);
  context.emit({ type: "model.cancelled", model: name, keptBytes });
}

async function publish(run: CarryRun, model: ModelRun, { signal }: { signal: AbortSignal }): Promise<void> {
  const { context } = run;
  const { need, carried } = model;
  const { name } = need.plan;
  const manifest = await publishModel(run, { need, carried, job: model.job, signal });
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

/** What completed models need, those of this run included, and what others are about to: no policy may take it. */
async function neededPaths(
  { store, signal }: Context,
  { model, runs }: { model: ModelRun; runs: readonly ModelRun[] },
): Promise<Set<string>> {
  const others = signal.aborted ? [] : runs.filter((other) => other !== model && !other.failure);
  const paths = others.flatMap(({ need }) => need.files.map(({ placement }) => placement.path));
  return new Set([...pathsOf((await readRecords(store)).manifests), ...paths]);
}

/** After an interrupt or a cancel: a model that is not whole keeps its finished files, or loses every byte, as the policy says. */
async function windDown(run: CarryRun, model: ModelRun, runs: readonly ModelRun[]): Promise<void> {
  const { context } = run;
  const isSettled = model.receipt !== null || model.failure?.code === "E_CANCELLED";
  if (isSettled || !(model.started || model.job.isCancelled)) return;
  if (policyOf(run, model.job) === "resume") {
    const finished = [...model.carried].filter(([, carried]) => carried.how === "fetched");
    const keptBytes = finished.reduce((sum, [, carried]) => sum + carried.record.sizeBytes, 0);
    model.kept.push({ keptBytes, deleted: null, undeleted: null });
    return;
  }
  await changeRecords(context.store, { patienceMs: WIND_DOWN_MS }, () =>
    deleteFinished(context, { model, runs }),
  );
  // Files that this run had not begun may have partials of an earlier one.
  model.kept.push(...(await discardPartials(context, model.need.files)));
}

/** Deletes what this run fetched of a model, as far as no other needs it. */
async function deleteFinished(
  context: Context,
  { model, runs }: { model: ModelRun; runs: readonly ModelRun[] },
): Promise<void> {
  const finished = [...model.carried].filter(([, carried]) => carried.how === "fetched");
  const needed = await neededPaths(context, { model, runs });
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
