// Station six: a model's record, once all of its files are in place at the same moment.

import { dirname, join } from "node:path";
import { LuciError, reportError } from "../domain/errors.ts";
import {
  type Manifest,
  type ManifestFile,
  installedPath,
  pathsOf,
  publishManifest,
  readManifest,
  readRecords,
} from "../store/manifest.ts";
import { findObstacle } from "../store/own-folders.ts";
import { placeAside } from "../store/place.ts";
import { changeRecords } from "../store/records-lock.ts";
import { assertRecordsReadable, removeEmptyParents } from "../store/removal.ts";
import type { Store } from "../store/store.ts";
import type { Gate } from "../transfer/gate.ts";
import type { Place } from "../transfer/queue.ts";
import { carryFile } from "./carry.ts";
import type { CarryRun, Carried } from "./carry-run.ts";
import type { Context } from "./context.ts";
import { isSameRef, nameBeside } from "./models.ts";
import type { FileNeed, ModelNeed } from "./need.ts";
import type { JobHandle } from "./steering.ts";

/** How often files are brought again that another process takes away. */
const MOST_TRIES = 3;

export interface PublishOptions {
  readonly need: ModelNeed;
  /** Every file of the model; what has to be brought again is replaced in it. */
  readonly carried: Map<FileNeed, Carried>;
  readonly job: JobHandle;
  /** Of the file that was the last to come: what has to be brought again comes in its place. */
  readonly gate: Gate;
  readonly place: Place;
  readonly signal: AbortSignal;
}

/**
 * Writes a model's record. Files that a removal by another process took away meanwhile are brought again first.
 * @throws E_LOCKED when that does not end; CarryError for a file
 */
export async function publishModel(run: CarryRun, options: PublishOptions): Promise<Manifest> {
  const { need, carried, signal } = options;
  const { store } = run.context;
  for (let tries = 1; ; tries += 1) {
    const asked = manifestOf(need, carried);
    let manifest = asked;
    const gone = await run.disk.patiently(signal, () =>
      changeRecords(store, { signal }, async () => {
        const missing = await findGone(run.context, options);
        if (missing.length > 0) return missing;
        await syncPlaces(run.context, asked);
        manifest = await besideOthers(store, asked);
        await publishManifest(store, manifest);
        await removeReplaced(run.context, need);
        return [];
      }),
    );
    const [first] = gone;
    if (first === undefined) {
      if (manifest.name !== asked.name) tellName(run.context, { asked, manifest });
      return manifest;
    }
    if (tries === MOST_TRIES)
      throw new LuciError("E_LOCKED", `${first.placement.path}: another luci keeps taking this file away`);
    for (const file of gone) await carryAgain(run, file, options);
  }
}

function manifestOf({ plan, placed, files }: ModelNeed, carried: PublishOptions["carried"]): Manifest {
  const { name, ref, source, revision } = plan;
  const records = files.flatMap((file) => carried.get(file)?.record ?? []);
  const installedAt = new Date().toISOString();
  return { format: 1, name, ref, source, revision, folder: placed.folder, installedAt, files: records };
}

/** Others may have written records since this model was planned: a name of theirs is left to them. */
async function besideOthers(store: Store, manifest: Manifest): Promise<Manifest> {
  const known = await readManifest(store, manifest.name);
  if (known === null) return manifest;
  if (!isSameRef(known.ref, manifest.ref))
    return besideOthers(store, { ...manifest, name: nameBeside(manifest) });
  const vouched = new Map(
    known.files.filter(({ authority }) => authority !== "none").map((file) => [file.sha256, file]),
  );
  // Somebody vouched for these very bytes: that a later run was told of no digest takes nothing from it.
  const files = manifest.files.map((file): ManifestFile => {
    const before = file.authority === "none" ? vouched.get(file.sha256) : undefined;
    return before ? { ...file, authority: before.authority, gitSha1: before.gitSha1 } : file;
  });
  return { ...manifest, files };
}

function tellName({ emit }: Context, { asked, manifest }: { asked: Manifest; manifest: Manifest }): void {
  const message = `installed under the name ${manifest.name}: ${asked.name} became another model meanwhile`;
  emit({ type: "notice", level: "info", model: asked.name, message });
}

async function findGone(
  { files: disk, store }: Context,
  { need, carried }: PublishOptions,
): Promise<FileNeed[]> {
  const paths = new Map(
    need.files.map((file) => [file, installedPath(store, carried.get(file)?.record ?? file.placement)]),
  );
  const listed = new Set<string>();
  for (const folder of new Set([...paths.values()].map((path) => dirname(path))))
    for (const name of await disk.list(folder).catch(() => [])) listed.add(join(folder, name));
  const gone: FileNeed[] = [];
  for (const [file, path] of paths) {
    // Some disks spell a name their own way, and some folders may be entered but not listed: what is not listed as it
    // was given is asked for by itself.
    if (!listed.has(path) && (await disk.facts(path)) === null) gone.push(file);
  }
  return gone;
}

async function carryAgain(run: CarryRun, file: FileNeed, options: PublishOptions): Promise<void> {
  const { need, carried, job, gate, place, signal } = options;
  const aside = placeAside(need.plan, file.placement);
  const again = { ...file, state: "missing", record: null, damage: null } as const;
  carried.set(file, await carryFile(run, again, { model: need.plan.name, job, gate, place, aside, signal }));
}

/**
 * The version before is nobody's any more; what cannot be removed shows up as foreign, and harms nothing. Never
 * rejects: the model is published.
 */
async function removeReplaced(context: Context, { plan, replaced }: ModelNeed): Promise<void> {
  if (replaced.length === 0) return;
  try {
    const records = await readRecords(context.store);
    assertRecordsReadable(records);
    await removeUnneeded(context, replaced, pathsOf(records.manifests));
  } catch (error) {
    const message = `files of the version before stay: ${reportError(error).message}`;
    context.emit({ type: "notice", level: "warn", model: plan.name, message });
  }
}

async function removeUnneeded(
  { files: disk, store }: Context,
  paths: readonly string[],
  needed: ReadonlySet<string>,
): Promise<void> {
  for (const path of paths) {
    const absolute = installedPath(store, { path });
    if (needed.has(path) || (await findObstacle(store, absolute))) continue;
    await disk.remove(absolute).catch(() => false);
    await removeEmptyParents(store, absolute);
  }
}

/** Makes the names of all files durable, each folder once: adopted ones may never have been. */
async function syncPlaces({ files: disk, store }: Context, { files }: Manifest): Promise<void> {
  const folders = new Set(files.map((file) => dirname(installedPath(store, file))));
  await Promise.all([...folders].map((folder) => disk.syncFolder(folder)));
}
