// Taking an installed model away: plan, then execute. The record is set aside first, so that no record
// ever names a file that is gone; a removal that was killed is finished by cleanup.

import { dirname, join, sep } from "node:path";
import { LuciError, toLuciError } from "../domain/errors.ts";
import type { Leftover } from "./leftover.ts";
import {
  type Manifest,
  type Records,
  installedPath,
  pathsOf,
  manifestPath,
  parseManifest,
  readRecords,
} from "./manifest.ts";
import { assertReachable } from "./own-folders.ts";
import type { Store } from "./store.ts";

const TOMBSTONE = ".removing";
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

export interface RemovalPlan {
  readonly manifests: readonly Manifest[];
  /** Files that go, absolute. */
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
  /** Files that stay because another model uses them, absolute. */
  readonly shared: readonly string[];
}

/** While a record cannot be read, nobody knows what the files belong to. @throws E_DAMAGED */
export function assertRecordsReadable(records: Records): void {
  const [bad] = records.unreadable;
  if (!bad) return;
  throw new LuciError(
    "E_DAMAGED",
    `${bad.path}: this record cannot be read (${bad.reason}), so nothing is deleted`,
    {
      hint: "Move that file away and install its model again, which costs no download",
    },
  );
}

/** What would go with these models. Pure. @throws E_DAMAGED while any record is unreadable */
export function planRemoval(store: Store, records: Records, doomed: readonly Manifest[]): RemovalPlan {
  assertRecordsReadable(records);
  const names = new Set(doomed.map((manifest) => manifest.name));
  const needed = pathsOf(records.manifests.filter((manifest) => !names.has(manifest.name)));
  const files = [
    ...new Map(doomed.flatMap((manifest) => manifest.files).map((file) => [file.path, file])).values(),
  ];
  return {
    manifests: doomed,
    files: files
      .filter((file) => !needed.has(file.path))
      .map((file) => ({ path: installedPath(store, file), sizeBytes: file.sizeBytes })),
    shared: files.filter((file) => needed.has(file.path)).map((file) => installedPath(store, file)),
  };
}

/**
 * Executes a plan once: records aside, files away, empty folders away, records away.
 * @throws LuciError where the disk refuses; if that was the first file, everything is as before. E_UNSAFE_PATH,
 * before anything is touched, when a link stands in the place of a folder
 */
export async function executeRemoval(store: Store, plan: RemovalPlan): Promise<number> {
  const { files, layout } = store;
  for (const folder of new Set(plan.files.map(({ path }) => dirname(path))))
    await assertReachable(store, join(folder, "any"));
  const records = plan.manifests.map((manifest) => manifestPath(store, manifest.name));
  for (const record of records) await files.rename(record, `${record}${TOMBSTONE}`);
  await files.syncFolder(layout.manifestsFolder);
  let freedBytes = 0;
  for (const [index, file] of plan.files.entries()) {
    try {
      if (await files.remove(file.path)) freedBytes += file.sizeBytes;
    } catch (error) {
      if (index === 0 && (await takeBack(store, { records, first: file.path })))
        throw withHint(error, "Nothing was removed: mend this and run the command again");
      throw withHint(error, "`luci cleanup` removes the rest once this is mended");
    }
    await removeEmptyParents(store, file.path);
  }
  for (const record of records) await files.remove(`${record}${TOMBSTONE}`);
  return freedBytes;
}

/** Puts the records back if the first file is still there; false where it is not, or the disk refuses that too. */
async function takeBack(
  { files }: Store,
  { records, first }: { records: readonly string[]; first: string },
): Promise<boolean> {
  try {
    // A disk may say no and have done it.
    if (!(await files.facts(first))) return false;
    for (const record of records) await files.rename(`${record}${TOMBSTONE}`, record);
    return true;
  } catch {
    return false;
  }
}

function withHint(thrown: unknown, hint: string): LuciError {
  const { code, message } = toLuciError(thrown);
  return new LuciError(code, message, { hint, cause: thrown });
}

/** Removes folders that became empty, up to the models folder. */
export async function removeEmptyParents(store: Store, path: string): Promise<void> {
  store.places.clear();
  for (
    let folder = dirname(path);
    folder.startsWith(`${store.layout.modelsFolder}${sep}`);
    folder = dirname(folder)
  ) {
    if (!(await store.files.removeEmptyFolder(folder))) return;
  }
}

/** Files of removals that were killed half-way, and their set-aside records. */
export async function findTombstones(store: Store, nowMs: number): Promise<Leftover[]> {
  const { files, layout } = store;
  const items: Leftover[] = [];
  const names = await files.list(layout.manifestsFolder);
  const tombstones = names.filter((name) => name.endsWith(TOMBSTONE));
  if (tombstones.length === 0) return [];
  const records = await readRecords(store);
  const needed = records.unreadable.length === 0 ? pathsOf(records.manifests) : null;
  for (const name of tombstones) {
    const path = join(layout.manifestsFolder, name);
    const manifest = await readTombstone(store, path);
    const facts = await files.facts(path);
    // One age for all of them: files outliving their record would belong to nobody.
    const ageMs = Math.max(0, nowMs - (facts?.modifiedMs ?? nowMs));
    const common = {
      kind: "orphan",
      of: manifest?.name ?? null,
      ageMs,
      key: null,
      keptBytes: 0,
      modifiedNs: null,
      isRemoval: true,
    } as const;
    const isAlive = manifest === null || needed === null;
    const reason = isAlive
      ? "left by a removal that was killed, but not every record can be read"
      : "left by a removal that was killed";
    const doomed = manifest && needed ? manifest.files.filter((file) => !needed.has(file.path)) : [];
    for (const file of doomed) {
      const found = await files.facts(installedPath(store, file));
      const item = { ...common, reason, isAlive, path: installedPath(store, file) };
      if (found) items.push({ ...item, sizeBytes: found.allocatedBytes });
    }
    items.push({ ...common, reason, isAlive, path, sizeBytes: facts?.allocatedBytes ?? 0 });
  }
  return items;
}

/**
 * Deletes what a killed removal left, unless a model that was installed meanwhile needs it.
 * @throws E_DAMAGED while any record is unreadable; E_UNSAFE_PATH when a link leads there
 */
export async function finishRemoval(store: Store, path: string): Promise<boolean> {
  const records = await readRecords(store);
  assertRecordsReadable(records);
  const needed = [...pathsOf(records.manifests)].map((file) => installedPath(store, { path: file }));
  if (needed.includes(path)) return false;
  await assertReachable(store, path);
  return store.files.remove(path);
}

async function readTombstone({ files }: Store, path: string): Promise<Manifest | null> {
  try {
    return parseManifest((await files.readText(path, { maxBytes: MAX_RECORD_BYTES })) ?? "");
  } catch {
    return null;
  }
}
