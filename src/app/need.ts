// Station three of an install: which files of a plan are not here yet, and is there room for them?

import { LuciError, toLuciError } from "../domain/errors.ts";
import type { Finding } from "../domain/finding.ts";
import type { Plan, PlanFile } from "../domain/plan.ts";
import type { PlannedModel } from "../domain/results.ts";
import { formatBytes } from "../domain/size.ts";
import { describeKind } from "../platform/files.ts";
import { journalPath, partialKey } from "../store/layout.ts";
import { Listing } from "../store/listing.ts";
import { keptBytesIn, readJournal } from "../store/journal.ts";
import {
  type Manifest,
  type ManifestFile,
  type Records,
  installedPath,
  looksUntouched,
} from "../store/manifest.ts";
import { findObstacle } from "../store/own-folders.ts";
import { type PlacedPlan, type Placement, isSameContent } from "../store/place.ts";
import type { Context } from "./context.ts";

/** How a file stands before anything is fetched. */
export interface FileNeed {
  readonly placement: Placement;
  /** `present`: recorded and untouched. `unproved`: something lies there that must be read first. */
  readonly state: "present" | "unproved" | "partial" | "missing";
  /** What a record says of the file at this place, if it is the file that is asked for. */
  readonly record: ManifestFile | null;
  /** Whether any model owns the place: what is not ours is not overwritten. */
  readonly owned: boolean;
  /** Whether what lies there has the right size at least. */
  readonly hasSize: boolean;
  /** Bytes an earlier run left. */
  readonly keptBytes: number;
  /** What an audit found wrong with the installed file; null where none has looked. */
  readonly damage: Finding | null;
}

/** A model on its way: its plan, its place, and what is needed. */
export interface ModelNeed {
  readonly plan: Plan;
  readonly placed: PlacedPlan;
  readonly files: readonly FileNeed[];
  /** Files of the version before, to be removed once this one is published. */
  readonly replaced: readonly string[];
}

/** The plan that an installed model's own record makes: the same revision, the same places. */
export function planOfManifest(manifest: Manifest): { plan: Plan; placed: PlacedPlan } {
  const placements = manifest.files.map((file): Placement => {
    const inside = manifest.folder === null ? file.path : file.path.slice(manifest.folder.length + 1);
    const digest = file.gitSha1
      ? ({ algorithm: "git-sha1", hex: file.gitSha1 } as const)
      : ({ algorithm: "sha256", hex: file.sha256 } as const);
    const { sizeBytes, authority, origin } = file;
    return { path: file.path, file: { path: inside, sizeBytes, digest, authority, origin } };
  });
  const { name, ref, source, revision, folder } = manifest;
  const plan = {
    name,
    ref,
    source,
    revision,
    folder,
    files: placements.map(({ file }) => file),
    notices: [],
  };
  return { plan, placed: { folder, placements } };
}

/** The record a planned model will have, as far as it is known: what it holds is not for others to take. */
export function manifestOfNeed({ plan, placed }: ModelNeed): Manifest {
  const files = placed.placements.map(({ path, file }): ManifestFile => {
    const { digest, origin, authority } = file;
    return {
      path,
      sizeBytes: file.sizeBytes ?? 0,
      sha256: digest?.algorithm === "sha256" ? digest.hex : "",
      gitSha1: digest?.algorithm === "git-sha1" ? digest.hex : null,
      authority,
      origin,
      modifiedNs: "",
      pieces: [],
    };
  });
  const { name, ref, source, revision } = plan;
  return { format: 1, name, ref, source, revision, folder: placed.folder, installedAt: "", files };
}

/** Surveys a plan against the disk. Reads no file's content. */
export async function surveyPlan(
  context: Context,
  records: Records,
  planned: { plan: Plan; placed: PlacedPlan; force: boolean },
): Promise<ModelNeed> {
  const { placed, force } = planned;
  const owned = Map.groupBy(
    records.manifests.flatMap((manifest) => manifest.files),
    ({ path }) => path,
  );
  const survey = { owned, listing: new Listing(context.files), force };
  const files: FileNeed[] = [];
  for (const placement of placed.placements) files.push(await surveyFile(context, placement, survey));
  return { plan: planned.plan, placed, files, replaced: [] };
}

interface Survey {
  /** What records say of each place. */
  readonly owned: ReadonlyMap<string, readonly ManifestFile[]>;
  readonly listing: Listing;
  readonly force: boolean;
}

async function surveyFile(
  context: Context,
  placement: Placement,
  { owned, listing, force }: Survey,
): Promise<FileNeed> {
  const { store } = context;
  const owners = owned.get(placement.path) ?? [];
  const record = owners.find((file) => isSameContent(placement.file, file)) ?? null;
  const path = installedPath(store, placement);
  // What lies behind a link is not ours: whoever carries the file says so.
  const isThere = (await listing.has(path)) && (await findObstacle(store, path)) === null;
  const facts = isThere ? await store.files.facts(path) : null;
  const common = { placement, record, owned: owners.length > 0, damage: null };
  if (facts && facts.kind !== "file" && facts.kind !== "link") {
    throw new LuciError(
      "E_IO",
      `${installedPath(store, placement)}: ${describeKind(facts.kind)} stands in the file's place`,
      {
        hint: "Move it away, or choose another models folder with --dir",
      },
    );
  }
  if (facts && !force) {
    const state = record && looksUntouched(record, facts) ? "present" : "unproved";
    const sizeBytes = placement.file.sizeBytes;
    return { ...common, state, keptBytes: 0, hasSize: sizeBytes === null || facts.sizeBytes === sizeBytes };
  }
  const hasJournal = await listing.has(journalPath(store.layout, partialKey(placement.file)));
  const keptBytes = hasJournal ? await keptBytesOf(context, placement.file) : 0;
  return { ...common, hasSize: false, state: keptBytes > 0 ? "partial" : "missing", keptBytes };
}

/** What an earlier run left of a file, as its journal says. */
export async function keptBytesOf({ store }: Context, file: PlanFile): Promise<number> {
  const journal = await readJournal(store, partialKey(file));
  return journal ? keptBytesIn(journal) : 0;
}

/** Bytes of a model that are not here yet; unknown sizes count as nothing. */
export function missingBytes(model: ModelNeed): number {
  return model.files
    .filter((file) => file.state === "partial" || file.state === "missing")
    .reduce((sum, file) => sum + leftBytes(file), 0);
}

/** What stays free for the rest of the machine, where the disk has that much. */
const RESERVE_BYTES = 1024 ** 3;
const RESERVE_SHARE = 0.02;

/**
 * How much room others must leave while these models are carried: the smaller of 1 GiB and 2 % of the disk, and
 * never so much that our own bytes alone could use it up.
 */
export async function reserveFor(context: Context, models: readonly ModelNeed[]): Promise<number> {
  const { modelsFolder } = context.settings;
  const freeBytes = await context.files.freeBytes(modelsFolder);
  const diskBytes = await context.files.diskBytes(modelsFolder);
  // What lies there unproved may have to be fetched as well.
  const files = models.flatMap((model) => model.files).filter((file) => file.state !== "present");
  const comingBytes = files.reduce((sum, file) => sum + leftBytes(file), context.room.othersBytes());
  const spareBytes = Math.max(0, freeBytes - comingBytes);
  return Math.min(RESERVE_BYTES, diskBytes * RESERVE_SHARE, spareBytes / 2);
}

function leftBytes({ placement, keptBytes }: FileNeed): number {
  return Math.max(0, (placement.file.sizeBytes ?? 0) - keptBytes);
}

/** Bytes of a model's files that are here as a whole, as far as one sees. */
export function presentBytes(model: ModelNeed): number {
  return model.files
    .filter((file) => file.state === "present" || file.state === "unproved")
    .reduce((sum, file) => sum + (file.placement.file.sizeBytes ?? 0), 0);
}

/** Bytes of a whole model, as far as known. */
export function totalBytes(model: ModelNeed): number {
  return model.plan.files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0);
}

/** A tenth to spare: file systems keep books of their own. */
const SPARE = 1.1;

/** The room that so many bytes ask for before they are fetched. */
export function roomFor(comingBytes: number): number {
  return Math.ceil(comingBytes * SPARE);
}

/**
 * Looks at the whole plan before the first byte: what is missing plus a tenth must fit beside what others of this
 * process are still to write. Then it is taken.
 * @throws E_NO_SPACE with the amounts, retryable where only others are in the way
 */
export async function assertRoom(context: Context, models: readonly ModelNeed[]): Promise<number> {
  const { modelsFolder } = context.settings;
  const comingBytes = models.reduce((sum, model) => sum + missingBytes(model), 0);
  const neededBytes = roomFor(comingBytes);
  const freeBytes = await context.files.freeBytes(modelsFolder);
  const othersBytes = comingBytes > 0 ? context.room.othersBytes() : 0;
  if (neededBytes <= Math.max(0, freeBytes - othersBytes)) {
    context.room.take(comingBytes);
    return freeBytes;
  }
  // No room at all is what file systems say that hold no files: then the folder is what cannot be.
  if (freeBytes === 0) await assertFolder(context);
  const isForOthers = neededBytes <= freeBytes;
  const others = isForOthers ? `, ${formatBytes(othersBytes)} of it for other downloads under way` : "";
  throw new LuciError(
    "E_NO_SPACE",
    `Not enough room in ${modelsFolder}: ${formatBytes(neededBytes)} needed (with a tenth to spare), ${formatBytes(freeBytes)} free${others}`,
    { retryable: isForOthers },
  );
}

/** @throws LuciError where the models folder is not there and cannot be made, for another reason than room */
async function assertFolder({ files, settings: { modelsFolder } }: Context): Promise<void> {
  try {
    await files.makeFolder(modelsFolder);
  } catch (error) {
    const { code } = toLuciError(error);
    if (code === "E_NO_SPACE") return;
    throw new LuciError(code, `The folder ${modelsFolder} cannot be made`, {
      hint: "Choose one that can be with --dir, LUCI_MODELS or LUCI_HOME",
      cause: error,
    });
  }
}

/** A model as `--dry-run` shows it. */
export function describePlan(context: Context, model: ModelNeed): PlannedModel {
  return {
    model: model.plan.name,
    ref: model.plan.ref,
    revision: model.plan.revision,
    totalBytes: totalBytes(model),
    missingBytes: missingBytes(model),
    files: model.files.map(({ placement, state, hasSize }) => ({
      path: installedPath(context.store, placement),
      sizeBytes: placement.file.sizeBytes,
      digest: placement.file.digest,
      state: state !== "unproved" ? state : hasSize ? "present" : "missing",
    })),
  };
}
