// Stations two and three for a batch: every target becomes a surveyed plan, an "already installed", or a failure.

import { LuciError, reportError, toLuciError } from "../domain/errors.ts";
import type { Plan } from "../domain/plan.ts";
import type { Receipt } from "../domain/results.ts";
import { type Manifest, type Records, pathsOf } from "../store/manifest.ts";
import { placePlan } from "../store/place.ts";
import { runQueue } from "../transfer/queue.ts";
import type { Context } from "./context.ts";
import { isSameRef, nameBeside, receiptOf } from "./models.ts";
import {
  type ModelNeed,
  manifestOfNeed,
  missingBytes,
  planOfManifest,
  presentBytes,
  surveyPlan,
  totalBytes,
} from "./need.ts";
import type { Target } from "./targets.ts";

/** Metadata requests at once: enough to hide the round trips, few enough for any hub's quota. */
const PLANS_AT_ONCE = 4;

export interface PlanOptions {
  readonly records: Records;
  readonly force: boolean;
  readonly sha256: string | null;
}

export interface PlannedBatch {
  /** Models that still need something, in the order asked for. */
  readonly models: readonly ModelNeed[];
  readonly already: readonly Receipt[];
  readonly failed: readonly Failure[];
}

/** A model that failed, and all that is known of why. */
export interface Failure {
  readonly model: string;
  readonly reason: LuciError;
}

/** A target that needs no more asking: its own record is the plan, or its source has answered. */
type Resolved =
  | { readonly target: Target; readonly installed: Manifest }
  | { readonly target: Target; readonly plan: Plan };

/** Plans every target. A target's failure is told and listed, the others go on. @throws the signal's reason */
export async function planTargets(
  context: Context,
  targets: readonly Target[],
  options: PlanOptions,
): Promise<PlannedBatch> {
  const slots: (Resolved | Failure | undefined)[] = targets.map(() => undefined);
  const tasks = targets.map((target, index) => ({
    weight: 1,
    run: async () => {
      slots[index] = await orFailure(context, target, () => resolveTarget(context, target, options));
    },
  }));
  await runQueue(tasks, { capacity: PLANS_AT_ONCE, signal: context.signal });
  // In order, and one after the other: what an earlier model of the batch takes is taken.
  const batch = { models: [] as ModelNeed[], already: [] as Receipt[], failed: [] as Failure[] };
  for (const slot of slots) {
    if (!slot) continue;
    const outcome =
      "reason" in slot
        ? slot
        : await orFailure(context, slot.target, () =>
            placeTarget(context, slot, { ...options, earlier: batch.models }),
          );
    if ("reason" in outcome) batch.failed.push(outcome);
    else if ("already" in outcome) batch.already.push(outcome);
    else batch.models.push(outcome);
  }
  return batch;
}

async function orFailure<T>(context: Context, target: Target, act: () => Promise<T>): Promise<T | Failure> {
  try {
    return await act();
  } catch (error) {
    context.signal.throwIfAborted();
    const reason = toLuciError(error);
    if (reason.code === "E_INTERNAL") throw error;
    context.emit({ type: "model.failed", model: target.label, error: reportError(reason) });
    return { model: target.label, reason };
  }
}

async function resolveTarget(context: Context, target: Target, options: PlanOptions): Promise<Resolved> {
  const { records, force, sha256 } = options;
  const installed = records.manifests.find((manifest) => isSameRef(manifest.ref, target.ref));
  // What is installed stays at its revision: nobody is asked, and nothing moves silently.
  if (installed && !force && sha256 === null && target.isCurrent(installed)) return { target, installed };
  return { target, plan: await target.resolve(context.signal) };
}

async function placeTarget(
  context: Context,
  resolved: Resolved,
  options: PlanOptions & { readonly earlier: readonly ModelNeed[] },
): Promise<ModelNeed | Receipt> {
  const { force, sha256 } = options;
  const { records } = options;
  const taken = withEarlier(records, options.earlier);
  if ("installed" in resolved) {
    const { installed } = resolved;
    return settled(
      context,
      installed,
      await surveyPlan(context, records, { ...planOfManifest(installed), force }),
    );
  }
  const plan = withUserDigest(await withFreeName(context, resolved.plan, taken), sha256);
  for (const message of plan.notices)
    context.emit({ type: "notice", level: "info", model: plan.name, message });
  const placed = placePlan(plan, taken.manifests);
  const need = await surveyPlan(context, records, { plan, placed, force });
  const known = records.manifests.find((manifest) => manifest.name === plan.name);
  if (known && isRecorded(known, need)) return settled(context, known, need);
  emitPlan(context, need);
  if (known) tellReplacement(context, known, need);
  return { ...need, replaced: known ? replacedPaths(records, known, need) : [] };
}

/** The records, and what earlier models of this batch will put there. */
function withEarlier(records: Records, earlier: readonly ModelNeed[]): Records {
  const names = new Set(earlier.map(({ plan }) => plan.name));
  const standing = records.manifests.filter((manifest) => !names.has(manifest.name));
  return { ...records, manifests: [...standing, ...earlier.map(manifestOfNeed)] };
}

/** Whether a record says of every file what the plan says. */
function isRecorded(known: Manifest, { plan, placed, files }: ModelNeed): boolean {
  const authorities = new Map(known.files.map((file) => [file.path, file.authority]));
  return (
    known.revision === plan.revision &&
    known.folder === placed.folder &&
    known.files.length === files.length &&
    files.every(({ placement }) => authorities.get(placement.path) === placement.file.authority)
  );
}

/** A name that comes to mean other bytes is said, not silently followed. */
function tellReplacement(context: Context, known: Manifest, need: ModelNeed): void {
  if (missingBytes(need) === 0) return;
  const message = `${known.name} is installed in another version, which this one replaces when it is whole`;
  context.emit({ type: "notice", level: "info", model: known.name, message });
}

/** Files of the version before that no model needs any more. */
function replacedPaths(records: Records, known: Manifest, { placed }: ModelNeed): string[] {
  const others = records.manifests.filter((manifest) => manifest.name !== known.name);
  const needed = new Set([...placed.placements.map(({ path }) => path), ...pathsOf(others)]);
  return known.files.map((file) => file.path).filter((path) => !needed.has(path));
}

/** Installed and untouched, or still in need of something. */
function settled(context: Context, manifest: Manifest, need: ModelNeed): ModelNeed | Receipt {
  emitPlan(context, need);
  if (!need.files.every((file) => file.state === "present")) return need;
  const receipt = receiptOf(context.store, manifest, { hows: new Map(), fetchedBytes: 0, already: true });
  context.emit({ type: "model.ready", model: receipt.model, path: receipt.path });
  return receipt;
}

function emitPlan(context: Context, need: ModelNeed): void {
  context.emit({
    type: "plan.resolved",
    model: need.plan.name,
    files: need.files.length,
    totalBytes: totalBytes(need),
    presentBytes: presentBytes(need),
  });
}

/**
 * Two models may bear one name (two addresses end alike, or one ends like a model of the catalog): the second one's
 * carries a mark, and that is said.
 */
async function withFreeName(context: Context, plan: Plan, records: Records): Promise<Plan> {
  const holder = records.manifests.find((manifest) => manifest.name === plan.name);
  if (holder && isSameRef(holder.ref, plan.ref)) return plan;
  // A catalog that cannot be read is told of by whoever needs it.
  const catalog = plan.source === "url" ? await context.catalog().catch(() => null) : null;
  const meant = holder ?? catalog?.find(plan.name);
  if (!meant) return plan;
  const name = nameBeside(plan);
  const whose = "ref" in meant ? meant.ref : `${meant.name} of the catalog`;
  const message = `installed under the name ${name}: ${plan.name} is another model (${whose})`;
  context.emit({ type: "notice", level: "info", model: name, message });
  return { ...plan, name };
}

/** The digest the user gave decides, and may not contradict a published one. @throws E_DIGEST, E_USAGE */
function withUserDigest(plan: Plan, sha256: string | null): Plan {
  const [file] = plan.files;
  if (sha256 === null || !file) return plan;
  if (plan.files.length > 1) {
    throw new LuciError(
      "E_USAGE",
      `\`--sha256\` is the digest of one file, but ${plan.name} has ${plan.files.length}`,
    );
  }
  if (file.digest?.algorithm === "sha256" && file.digest.hex !== sha256) {
    throw new LuciError(
      "E_DIGEST",
      `${file.path}: its source publishes another SHA-256 (${file.digest.hex}) than the one given`,
      {
        hint: "Check the digest, or leave --sha256 out to trust the source",
      },
    );
  }
  return { ...plan, files: [{ ...file, digest: { algorithm: "sha256", hex: sha256 }, authority: "user" }] };
}
