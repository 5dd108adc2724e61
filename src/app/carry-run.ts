// What the files of one run share, and what carrying one of them comes to. No decisions.

import type { LuciError } from "../domain/errors.ts";
import type { FileHow } from "../domain/plan.ts";
import type { Receipt } from "../domain/results.ts";
import type { PartialsPolicy } from "../domain/settings.ts";
import type { ManifestFile } from "../store/manifest.ts";
import { Gate } from "../transfer/gate.ts";
import type { Placement } from "../store/place.ts";
import type { Place } from "../transfer/queue.ts";
import type { Context } from "./context.ts";
import { DiskWatch } from "./disk-watch.ts";
import type { FileNeed, ModelNeed } from "./need.ts";
import type { Sources } from "./sources.ts";
import type { JobHandle, QueuedJob } from "./steering.ts";

/** How often a file's progress is told. */
export const PROGRESS_MS = 200;

/** What all files of a run share. */
export interface CarryRun {
  readonly context: Context;
  readonly sources: Sources;
  /** Shut while nothing of this run may be fetched. */
  readonly gate: Gate;
  /** Shuts the gate while the disk has no room. */
  readonly disk: DiskWatch;
  readonly force: boolean;
  /** False with `--no-resume`. */
  readonly resume: boolean;
  readonly allowUnsafe: boolean;
  readonly wait: boolean;
  /** Whether models that were installed are mended. */
  readonly isRepair?: boolean;
  /** How its jobs begin, and whether it is one of somebody's queue. */
  readonly job?: QueuedJob;
}

export interface CarryOptions {
  readonly model: string;
  readonly signal: AbortSignal;
  readonly job: JobHandle;
  /** Shut while the file may not be fetched. */
  readonly gate: Gate;
  /** Where it stands among those that fetch. */
  readonly place: Place;
  /** Where it goes when another model takes its place meanwhile; null where it has no other. */
  readonly aside: Placement | null;
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

/** Thrown by `carryFile`: the reason, and what became of the bytes. */
export class CarryError extends Error {
  readonly reason: LuciError;
  readonly kept: Kept;
  readonly fetchedBytes: number;
  /** A sync failed: what was written since the last checkpoint is lost, and may be fetched once more. */
  readonly lostSync: boolean;

  constructor(reason: LuciError, kept: Kept, { fetchedBytes = 0, lostSync = false } = {}) {
    super(reason.message);
    this.reason = reason;
    this.kept = kept;
    this.fetchedBytes = fetchedBytes;
    this.lostSync = lostSync;
  }
}

/** What happens to unfinished files of a model that is stopped. */
export function policyOf({ context }: CarryRun, job: JobHandle): PartialsPolicy {
  return job.partials ?? context.settings.partials;
}

/** What a run is told by its caller: the rest follows from the settings. */
export type CarryChoice = Omit<CarryRun, "context" | "gate" | "disk">;

/** Makes ready what the files of a run share, as the settings say. */
export function openCarryRun(context: Context, choice: CarryChoice): CarryRun {
  const { diskWaitMs, modelsFolder } = context.settings;
  const gate = new Gate(context.steering.gate);
  return {
    ...choice,
    context,
    gate,
    disk: new DiskWatch({
      gate,
      folder: modelsFolder,
      waitMs: diskWaitMs,
      emit: context.emit,
      freeBytes: () => context.files.freeBytes(modelsFolder),
    }),
  };
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
