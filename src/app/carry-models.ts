// All files of all models of a run, several at once; a model is published when its last file is sealed.

import { LuciError, reportError, toLuciError } from "../domain/errors.ts";
import { type FileHow, isSmall } from "../domain/plan.ts";
import { placeAside } from "../store/place.ts";
import { Gate } from "../transfer/gate.ts";
import type { Place } from "../transfer/queue.ts";
import { carryFile } from "./carry.ts";
import { countRun } from "./carry-history.ts";
import { CarryError, type CarryRun, type Carried, type ModelRun } from "./carry-run.ts";
import { publishModel } from "./publish.ts";
import { receiptOf } from "./models.ts";
import { tellReady } from "./ready.ts";
import { type FileNeed, type ModelNeed, presentBytes, reserveFor, totalBytes } from "./need.ts";
import { type JobHandle, MOST_FILES } from "./steering.ts";
import { cancelModel, windDown } from "./wind-down.ts";

/**
 * Carries the models' files, in their order within a priority. Never rejects for a model's failure: it is in
 * its run, as is that somebody cancelled it.
 */
export async function carryModels(asked: CarryRun, models: readonly ModelNeed[]): Promise<ModelRun[]> {
  const { run, remember } = countRun(asked);
  const reserveBytes = await reserveFor(run.context, models);
  const runs = models.map((need): ModelRun => {
    const base = { need, job: openJob(run, need), carried: new Map<FileNeed, Carried>(), kept: [] };
    return { ...base, started: false, receipt: null, failure: null, fetchedBytes: 0 };
  });
  const crash = new AbortController();
  const stopWatch = run.disk.start(reserveBytes, { isIdle: () => isIdle(run, runs) });
  const ends = runs.map(async (model) => {
    try {
      await carryModel(run, model, crash);
      if (isGivenUp(run, model)) await cancelModel(run, model, runs);
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

/** Whether somebody has everything wait: then it is not the disk that is waited for. */
function isIdle({ context }: CarryRun, runs: readonly ModelRun[]): boolean {
  const isAtRest = ({ receipt, job }: ModelRun): boolean =>
    receipt !== null || job.signal.aborted || job.lane.isHeld;
  return !context.steering.gate.isOpen || runs.every(isAtRest);
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
    const one = { file, gate, cancel, signal };
    return { weight, lane: job.lane, gate, run: (place: Place) => carryOne(run, model, { ...one, place }) };
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

interface CarryOne {
  readonly file: FileNeed;
  readonly gate: Gate;
  readonly place: Place;
  readonly cancel: AbortSignal;
  readonly signal: AbortSignal;
}

async function carryOne(run: CarryRun, model: ModelRun, one: CarryOne): Promise<void> {
  const { file, gate, place, cancel, signal } = one;
  if (cancel.aborted) return;
  model.started = true;
  const names = { model: model.need.plan.name, file: file.placement.file.path };
  try {
    const aside = placeAside(model.need.plan, file.placement);
    const options = { model: names.model, job: model.job, gate, place, aside, signal };
    const carried = await carryFile(run, file, options);
    model.carried.set(file, carried);
    model.fetchedBytes += carried.fetchedBytes;
  } catch (error) {
    const { reason, keptBytes } = keep(model, error);
    if (cancel.aborted) return run.context.emit({ type: "file.cancelled", ...names, keptBytes });
    run.context.emit({ type: "file.failed", ...names, error: reportError(reason) });
    return fail(run, model, reason);
  }
  if (model.carried.size === model.need.files.length) await publishWhole(run, model, one);
}

/** The last file is in place and was said to be: whatever comes now concerns the model. */
async function publishWhole(run: CarryRun, model: ModelRun, one: CarryOne): Promise<void> {
  try {
    await publish(run, model, one);
  } catch (error) {
    const { reason } = keep(model, error);
    if (!one.cancel.aborted) fail(run, model, reason);
  }
}

/** Notes what is left of a file, and says why it came to that. */
function keep(model: ModelRun, error: unknown): { reason: LuciError; keptBytes: number } {
  if (!(error instanceof CarryError)) return { reason: toLuciError(error), keptBytes: 0 };
  model.kept.push(error.kept);
  return { reason: error.reason, keptBytes: error.kept.keptBytes };
}

function fail(run: CarryRun, model: ModelRun, reason: LuciError): void {
  if (reason.code === "E_INTERNAL") throw reason;
  model.failure = reason;
  // The model's other files cannot make it whole now; what they have is kept.
  model.job.giveUp(new LuciError("E_SOME_FAILED", "another file of this model failed", { cause: reason }));
  run.context.emit({ type: "model.failed", model: model.need.plan.name, error: reportError(reason) });
}

async function publish(run: CarryRun, model: ModelRun, { gate, place, signal }: CarryOne): Promise<void> {
  const { context } = run;
  const { need, carried } = model;
  const { name } = need.plan;
  const manifest = await publishModel(run, { need, carried, job: model.job, gate, place, signal });
  const hows = new Map<string, FileHow>([...carried.values()].map(({ record, how }) => [record.path, how]));
  model.receipt = receiptOf(context.store, manifest, {
    hows,
    fetchedBytes: model.fetchedBytes,
    already: false,
  });
  context.emit({ type: "model.ready", model: name, path: model.receipt.path });
}
