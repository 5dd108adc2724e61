// What the files of one run share, and what carrying one of them comes to. No decisions.

import type { LuciError } from "../domain/errors.ts";
import type { FileHow } from "../domain/plan.ts";
import type { PartialsPolicy } from "../domain/settings.ts";
import type { ManifestFile } from "../store/manifest.ts";
import type { Gate } from "../transfer/gate.ts";
import type { Context } from "./context.ts";
import type { FileNeed } from "./need.ts";
import type { Sources } from "./sources.ts";
import type { JobHandle, JobStart } from "./steering.ts";

/** How often a file's progress is told. */
export const PROGRESS_MS = 200;

/** What all files of a run share. */
export interface CarryRun {
  readonly context: Context;
  readonly sources: Sources;
  readonly force: boolean;
  /** False with `--no-resume`. */
  readonly resume: boolean;
  readonly allowUnsafe: boolean;
  readonly wait: boolean;
  /** Whether models that were installed are mended. */
  readonly isRepair?: boolean;
  /** How its job begins, where a run carries one model of somebody's queue. */
  readonly job?: JobStart;
}

export interface CarryOptions {
  readonly model: string;
  readonly signal: AbortSignal;
  readonly job: JobHandle;
  /** Shut while the file may not be fetched. */
  readonly gate: Gate;
}

export interface Carried {
  readonly record: ManifestFile;
  readonly how: FileHow;
  readonly fetchedBytes: number;
}

/** What an interrupted or failed file left behind. */
export interface Kept {
  readonly keptBytes: number;
  readonly deleted: string | null;
  readonly undeleted: { readonly path: string; readonly reason: string } | null;
}

/** Thrown by `carryFile`: the reason, and what became of the bytes. */
export class CarryError extends Error {
  readonly reason: LuciError;
  readonly kept: Kept;

  constructor(reason: LuciError, kept: Kept) {
    super(reason.message);
    this.reason = reason;
    this.kept = kept;
  }
}

/** What happens to unfinished files of a model that is stopped. */
export function policyOf({ context }: CarryRun, job: JobHandle): PartialsPolicy {
  return job.partials ?? context.settings.partials;
}

/** A file that is in place already: nothing is fetched, and the plan's authority counts. */
export function reuseFile(
  run: CarryRun,
  need: FileNeed,
  found: { record: ManifestFile; model: string },
): Carried {
  const record = {
    ...found.record,
    authority: need.placement.file.authority,
    origin: need.placement.file.origin,
  };
  emitDone(run, need, { model: found.model, record, how: "reused" });
  return { record, how: "reused", fetchedBytes: 0 };
}

/** Says that a file is in place, and how it came there. */
export function emitDone(
  run: CarryRun,
  need: FileNeed,
  done: { model: string; record: ManifestFile; how: FileHow },
): void {
  const { sizeBytes, sha256, authority } = done.record;
  run.context.emit({
    type: "file.done",
    model: done.model,
    file: need.placement.file.path,
    how: done.how,
    sizeBytes,
    sha256,
    authority,
  });
}
