// Install: name → plan → need → carry → seal → publish, for one model or many.

import { type LuciError, reportError, toLuciError } from "../domain/errors.ts";
import type { Ref } from "../domain/ref.ts";
import type { FailedModel, InstallResult, Receipt } from "../domain/results.ts";
import { openCarryRun } from "./carry-run.ts";
import type { Context } from "./context.ts";
import { emitInterrupted } from "./interrupt.ts";
import { recordsOf } from "./models.ts";
import { tellReady } from "./ready.ts";
import { type ModelNeed, assertRoom, describePlan, missingBytes, totalBytes } from "./need.ts";
import { type Failure, type PlannedBatch, planTargets } from "./plan.ts";
import type { QueuedJob } from "./steering.ts";
import { type Sources, openSources } from "./sources.ts";
import { expandRefs } from "./targets.ts";
import { openUnbegunHistory } from "./unbegun-history.ts";
import { carryModels } from "./carry-models.ts";

export interface InstallOptions {
  readonly refs: readonly Ref[];
  readonly force: boolean;
  /** False: forget what an earlier run left. */
  readonly resume: boolean;
  readonly dryRun: boolean;
  /** The digest the user gave for the one file asked for. */
  readonly sha256: string | null;
  readonly allowUnsafe: boolean;
  /** Wait for another luci that works on the same file. */
  readonly wait: boolean;
  /** How the job begins, and whether it is of somebody's queue. */
  readonly job?: QueuedJob;
  /** Hears of every failure in the result what its report leaves out: whether it passes, and when. */
  onFailed?(reason: LuciError): void;
  confirm(question: {
    models: number;
    totalBytes: number;
    missingBytes: number;
    freeBytes: number;
  }): Promise<boolean>;
}

/**
 * Installs models. Failures of single models are listed in the result; the others go on.
 * @throws LuciError for what concerns the whole run: E_NO_SPACE, E_CONFIG, E_INTERRUPTED
 */
export async function install(context: Context, options: InstallOptions): Promise<InstallResult> {
  const startedMs = performance.now();
  const sources = openSources(context, options);
  const targets = await expandRefs(options.refs, { catalog: context.catalog, sources });
  const totals = { totalModels: targets.length, doneModels: 0, told: false };
  const history = openUnbegunHistory(context, { ...options, targets });
  try {
    const records = await recordsOf(context);
    const planned = await planTargets(context, targets, { ...options, records });
    totals.doneModels = planned.already.length;
    await history.planned(planned);
    const result = {
      command: "install",
      installed: planned.already,
      failed: reportFailures(planned.failed, options),
      totalModels: targets.length,
    } as const;
    const elapsed = (): number => Math.round(performance.now() - startedMs);
    if (options.dryRun) {
      const dryRun = planned.models.map((model) => describePlan(context, model));
      return { ...result, fetchedBytes: 0, elapsedMs: elapsed(), dryRun };
    }
    if (!(await consent(context, planned.models, { options, totals })))
      return {
        ...result,
        installed: [],
        failed: [],
        ...NOTHING_FETCHED,
        elapsedMs: elapsed(),
        declined: true,
      };
    history.begun();
    const done = await finishPlanned(context, planned, { options, sources, totals });
    const failed = [...result.failed, ...reportFailures(done.failed, options)];
    return { ...result, ...done, failed, elapsedMs: elapsed(), dryRun: null };
  } catch (error) {
    if (context.signal.aborted && !totals.told)
      emitInterrupted(context, { during: "download", ...totals, kept: [] });
    if (!context.signal.aborted) await history.failed(error);
    throw error;
  }
}

const NOTHING_FETCHED = { fetchedBytes: 0, dryRun: null } as const;

/** Room on the disk, and the user's word where the caller wants it. */
async function consent(
  context: Context,
  models: readonly ModelNeed[],
  { options, totals }: Pick<Batch, "options" | "totals">,
): Promise<boolean> {
  const freeBytes = await assertRoom(context, models);
  if (models.length === 0) return true;
  // What would stop every model alike is said once, before anything begins.
  if (models.some((model) => missingBytes(model) > 0)) await context.http.ready();
  const question = {
    models: models.length,
    totalBytes: models.reduce((sum, model) => sum + totalBytes(model), 0),
    missingBytes: models.reduce((sum, model) => sum + missingBytes(model), 0),
    freeBytes,
  };
  if (await options.confirm(question)) return true;
  if (!context.signal.aborted) return false;
  totals.told = true;
  emitInterrupted(context, { during: "question", ...totals, kept: [] });
  throw toLuciError(context.signal.reason);
}

interface Done extends Pick<InstallResult, "installed" | "fetchedBytes"> {
  readonly failed: readonly Failure[];
}

/** As others hear of failures; why, in full, whoever asked hears. */
function reportFailures(failures: readonly Failure[], { onFailed }: InstallOptions): FailedModel[] {
  return failures.map(({ model, reason }) => {
    onFailed?.(reason);
    return { model, error: reportError(reason) };
  });
}

/** Carries what is needed, and tells of what was there. */
async function finishPlanned(context: Context, planned: PlannedBatch, batch: Batch): Promise<Done> {
  const [already, carried] = await Promise.all([
    Promise.all(planned.already.map((receipt) => withHooks(context, receipt))),
    carryPlanned(context, planned.models, batch),
  ]);
  context.signal.throwIfAborted();
  return {
    installed: [...already, ...carried.installed],
    failed: carried.failed,
    fetchedBytes: carried.fetchedBytes,
  };
}

/** Whoever asked to be told is told, also of what was ready before. */
async function withHooks(context: Context, receipt: Receipt): Promise<Receipt> {
  return { ...receipt, hooks: await tellReady(context, receipt) };
}

interface Batch {
  readonly options: InstallOptions;
  readonly sources: Sources;
  readonly totals: { totalModels: number; doneModels: number; told: boolean };
}

async function carryPlanned(
  context: Context,
  models: readonly ModelNeed[],
  { options, sources, totals }: Batch,
): Promise<Done> {
  const { force, resume, allowUnsafe, wait, job } = options;
  const choice = { sources, force, resume, allowUnsafe, wait, ...(job ? { job } : {}) };
  const run = openCarryRun(context, choice);
  const runs = await carryModels(run, models);
  const installed = runs.flatMap((model) => (model.receipt ? [model.receipt] : []));
  if (context.signal.aborted) {
    totals.doneModels += installed.length;
    totals.told = true;
    emitInterrupted(context, { during: "download", ...totals, kept: runs.flatMap((model) => model.kept) });
    throw toLuciError(context.signal.reason);
  }
  const failed = runs.flatMap(({ need, failure }) =>
    failure ? [{ model: need.plan.name, reason: failure }] : [],
  );
  const fetchedBytes = runs.reduce((sum, model) => sum + model.fetchedBytes, 0);
  return { installed, failed, fetchedBytes };
}
