// Verify: an audit of the models folder, and with `repair` a plan restricted to what is broken.

import { relative } from "node:path";
import { type Finding, isDamage, isRead } from "../domain/finding.ts";
import { reportError } from "../domain/errors.ts";
import type { FailedModel, Receipt, VerifyResult } from "../domain/results.ts";
import { auditFile, findStrangers } from "../store/audit.ts";
import type { Manifest, ManifestFile, Records } from "../store/manifest.ts";
import { runQueue } from "../transfer/queue.ts";
import { carryModels } from "./carry-models.ts";
import { openCarryRun } from "./carry-run.ts";
import type { Context } from "./context.ts";
import { emitInterrupted } from "./interrupt.ts";
import { recordsOf, requireInstalled } from "./models.ts";
import { type FileNeed, assertRoom, keptBytesOf, planOfManifest, surveyPlan } from "./need.ts";
import { tellReading } from "./read-progress.ts";
import { openSources } from "./sources.ts";

export interface VerifyOptions {
  /** Empty: every installed model, and the files that belong to none. */
  readonly names: readonly string[];
  /** Size and modification time only. */
  readonly quick: boolean;
  readonly repair: boolean;
}

/** Reads what is installed and says for each file what it is. Changes nothing unless `repair` is asked for. */
export async function verify(context: Context, options: VerifyOptions): Promise<VerifyResult> {
  const startedMs = performance.now();
  const records = await recordsOf(context);
  const subjects = await chooseModels(context, records, options.names);
  const findings = await auditModels(context, subjects, options);
  if (options.names.length === 0) findings.push(...(await foreignFindings(context, records)));
  findings.push(...recordFindings(context, records));
  const damaged = new Set(findings.filter(isDamage).map((finding) => finding.model));
  const broken = subjects.filter((manifest) => damaged.has(manifest.name));
  const mended = options.repair
    ? await repair(context, { records, broken, findings })
    : { repaired: [], failed: [] };
  return {
    command: "verify",
    quick: options.quick,
    findings,
    checkedBytes: findings.filter(isRead).reduce((sum, finding) => sum + finding.sizeBytes, 0),
    elapsedMs: Math.round(performance.now() - startedMs),
    ...mended,
  };
}

async function chooseModels(
  context: Context,
  records: Records,
  names: readonly string[],
): Promise<Manifest[]> {
  if (names.length === 0) return [...records.manifests];
  const chosen: Manifest[] = [];
  for (const name of names) chosen.push(await requireInstalled(context, records, name));
  return [...new Set(chosen)];
}

/** Several files at once, so that every core hashes; told and listed in the records' order. */
async function auditModels(
  context: Context,
  manifests: readonly Manifest[],
  options: VerifyOptions,
): Promise<Finding[]> {
  const files = manifests.flatMap((manifest) =>
    manifest.files.map((file) => ({ model: manifest.name, file })),
  );
  const findings: (Finding | undefined)[] = files.map(() => undefined);
  const tasks = files.map((subject, index) => ({
    weight: 1,
    run: async () => {
      findings[index] = await auditOne(context, subject, options);
    },
  }));
  try {
    await runQueue(tasks, { capacity: context.settings.jobs, signal: context.signal });
  } catch (error) {
    if (context.signal.aborted)
      emitInterrupted(context, { during: "audit", totalModels: 0, doneModels: 0, kept: [] });
    throw error;
  }
  return findings.flatMap((finding) => finding ?? []);
}

async function auditOne(
  context: Context,
  subject: { model: string; file: ManifestFile },
  options: VerifyOptions,
): Promise<Finding> {
  const { model, file } = subject;
  if (!options.quick)
    context.emit({ type: "file.verifying", model, file: file.path, sizeBytes: file.sizeBytes });
  const finding = await auditFile(context.store, subject, {
    quick: options.quick,
    signal: context.signal,
    onProgress: tellReading(context, { model, file: file.path, sizeBytes: file.sizeBytes }),
  });
  context.emit({ type: "finding", finding });
  return finding;
}

/** A record that cannot be read is damage: nobody can say what its model's files should be. */
function recordFindings(context: Context, records: Records): Finding[] {
  return records.unreadable.map(({ path, reason }) => {
    const finding: Finding = {
      kind: "unreadable",
      model: null,
      file: relative(context.settings.modelsFolder, path),
      sizeBytes: 0,
      badPieces: [],
      pieces: 0,
      detail: reason,
      quick: false,
    };
    context.emit({ type: "finding", finding });
    return finding;
  });
}

async function foreignFindings(context: Context, records: Records): Promise<Finding[]> {
  const strangers = await findStrangers(context.store, records.manifests);
  return strangers.map(({ name, sizeBytes }) => {
    const finding: Finding = {
      kind: "foreign",
      model: null,
      file: name,
      sizeBytes,
      badPieces: [],
      pieces: 0,
      detail: "",
      quick: false,
    };
    context.emit({ type: "finding", finding });
    return finding;
  });
}

interface Broken {
  readonly records: Records;
  readonly broken: readonly Manifest[];
  readonly findings: readonly Finding[];
}

/** The broken models' own records as plans: carry and publish do the rest. */
async function repair(
  context: Context,
  { records, broken, findings }: Broken,
): Promise<{ repaired: Receipt[]; failed: FailedModel[] }> {
  if (broken.length === 0) return { repaired: [], failed: [] };
  const found = new Map(findings.map((finding) => [finding.file, finding]));
  const models = [];
  for (const manifest of broken) {
    const need = await surveyPlan(context, records, { ...planOfManifest(manifest), force: false });
    // The audit has read every byte: what it found decides, not the look of the file.
    const files = need.files.map((file) =>
      withFinding(context, { file, finding: found.get(file.placement.path) }),
    );
    models.push({ ...need, files: await Promise.all(files) });
  }
  await assertRoom(context, models);
  const sources = openSources(context, { allowUnsafe: true, sha256: null, refs: [] });
  const care = { force: false, resume: true, allowUnsafe: true, wait: true, isRepair: true };
  const runs = await carryModels(openCarryRun(context, { ...care, sources }), models);
  if (context.signal.aborted) {
    const doneModels = runs.filter((model) => model.receipt).length;
    emitInterrupted(context, {
      during: "download",
      totalModels: broken.length,
      doneModels,
      kept: runs.flatMap((model) => model.kept),
    });
    context.signal.throwIfAborted();
  }
  return {
    repaired: runs.flatMap((model) => (model.receipt ? [model.receipt] : [])),
    failed: runs.flatMap(({ need, failure }) =>
      failure ? [{ model: need.plan.name, error: reportError(failure) }] : [],
    ),
  };
}

/**
 * A damaged file is missing as far as the plan goes: its copy to mend needs room like a download, except for what of
 * that copy an interrupted repair left.
 */
async function withFinding(
  context: Context,
  { file, finding }: { file: FileNeed; finding: Finding | undefined },
): Promise<FileNeed> {
  if (!finding || !isDamage(finding)) return file;
  const keptBytes = await keptBytesOf(context, file.placement.file);
  return { ...file, state: "missing", keptBytes, damage: finding };
}
