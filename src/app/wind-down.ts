// How a model ends that is not whole, after an interrupt or a cancel: what is kept of it, what is deleted.

import { LuciError, reportError } from "../domain/errors.ts";
import { formatBytes } from "../domain/size.ts";
import { installedPath, pathsOf, readRecords } from "../store/manifest.ts";
import { changeRecords } from "../store/records-lock.ts";
import { assertRecordsReadable, removeEmptyParents } from "../store/removal.ts";
import { type CarryRun, type Carried, type ModelRun, policyOf } from "./carry-run.ts";
import type { Context } from "./context.ts";
import { discardPartials } from "./discard.ts";
import type { FileNeed } from "./need.ts";

/** Somebody waits for the answer to Ctrl-C. */
const WIND_DOWN_MS = 1_000;

/** Somebody gave the model up: its bytes go the way of an interrupt's, and the others go on. */
export async function cancelModel(run: CarryRun, model: ModelRun, runs: readonly ModelRun[]): Promise<void> {
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

/**
 * What completed models need, those of this run included, and what others are about to: no policy may take it.
 * @throws LuciError E_DAMAGED while a record is unreadable
 */
async function neededPaths(
  { store, signal }: Context,
  { model, runs }: { model: ModelRun; runs: readonly ModelRun[] },
): Promise<Set<string>> {
  const others = signal.aborted ? [] : runs.filter((other) => other !== model && !other.failure);
  const paths = others.flatMap(({ need }) => need.files.map(({ placement }) => placement.path));
  const records = await readRecords(store);
  assertRecordsReadable(records);
  return new Set([...pathsOf(records.manifests), ...paths]);
}

/** After an interrupt or a cancel: a model that is not whole keeps its finished files, or loses every byte, as the policy says. */
export async function windDown(run: CarryRun, model: ModelRun, runs: readonly ModelRun[]): Promise<void> {
  const { context } = run;
  const isSettled = model.receipt !== null || model.failure?.code === "E_CANCELLED";
  if (isSettled || !(model.started || model.job.isCancelled)) return;
  if (policyOf(run, model.job) === "resume") {
    const keptBytes = finishedOf(model).reduce((sum, [, carried]) => sum + carried.record.sizeBytes, 0);
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
  const finished = finishedOf(model);
  if (finished.length === 0) return;
  let needed: ReadonlySet<string>;
  try {
    needed = await neededPaths(context, { model, runs });
  } catch (error) {
    for (const one of finished) keepAgainstWill(context, model, { one, error });
    return;
  }
  for (const one of finished) if (!needed.has(one[1].record.path)) await deleteOne(context, model, one);
}

type Finished = readonly [FileNeed, Carried];

/** What this run fetched of a model, and sealed. */
function finishedOf({ carried }: ModelRun): readonly Finished[] {
  return [...carried].filter(([, { how }]) => how === "fetched");
}

async function deleteOne(context: Context, model: ModelRun, one: Finished): Promise<void> {
  const path = installedPath(context.store, one[1].record);
  try {
    await context.files.remove(path);
  } catch (error) {
    keepAgainstWill(context, model, { one, error });
  }
  await removeEmptyParents(context.store, path);
}

function keepAgainstWill(
  { store }: Context,
  { kept }: ModelRun,
  { one: [, { record }], error }: { one: Finished; error: unknown },
): void {
  const undeleted = { path: installedPath(store, record), reason: reportError(error).message };
  kept.push({ keptBytes: record.sizeBytes, deleted: null, undeleted });
}
