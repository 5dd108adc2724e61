// Finding installed models by what a person may call them, and showing them as plain data.

import { LuciError } from "../domain/errors.ts";
import type { InstalledModel, Receipt } from "../domain/results.ts";
import type { FileHow } from "../domain/plan.ts";
import {
  type Manifest,
  type ManifestFile,
  type Records,
  installedPath,
  mainPath,
  readRecords,
} from "../store/manifest.ts";
import { checkOwnFolders } from "../store/own-folders.ts";
import { digestMark } from "../store/place.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";

/** The records, with a warning for each that cannot be read. @throws E_UNSAFE_PATH when luci's own folders are links */
export async function recordsOf(context: Context): Promise<Records> {
  await checkOwnFolders(context.store);
  const records = await readRecords(context.store);
  for (const { path, reason } of records.unreadable) {
    const message = `${path}: this record cannot be read (${reason}). Move it away and install its model again`;
    context.emit({ type: "notice", level: "warn", message });
  }
  return records;
}

/** The installed model of a name: its own name, the ref it was installed by, a catalog alias, or a file's name. */
export async function findInstalled(
  context: Context,
  records: Records,
  name: string,
): Promise<Manifest | null> {
  const wanted = name.toLowerCase();
  const exact =
    records.manifests.find((manifest) => manifest.name.toLowerCase() === wanted) ??
    records.manifests.find((manifest) => manifest.ref.toLowerCase() === wanted);
  if (exact) return exact;
  const known = (await context.catalog()).find(name);
  // A file of another model may be called like it, and is not meant.
  if (known) return records.manifests.find((manifest) => isOfCatalog(manifest, known.name)) ?? null;
  const byFile = records.manifests.filter((manifest) =>
    manifest.files.some((file) => isNameOf(file, wanted)),
  );
  return byFile.length === 1 ? (byFile[0] ?? null) : null;
}

/** Whether an installed model is the catalog's of that name: one from elsewhere may bear the name. */
export function isOfCatalog({ ref }: Pick<Manifest, "ref">, catalogName: string): boolean {
  return ref === catalogName;
}

function isNameOf(file: ManifestFile, wanted: string): boolean {
  const base = file.path.split("/").at(-1)?.toLowerCase() ?? "";
  return base === wanted || base.replace(/\.[^.]+$/, "") === wanted;
}

/**
 * As `findInstalled`, for commands that need it.
 * @throws E_NOT_FOUND saying what to do; E_DAMAGED while a record that may be the model's cannot be read
 */
export async function requireInstalled(context: Context, records: Records, name: string): Promise<Manifest> {
  const found = await findInstalled(context, records, name);
  if (found) return found;
  // Who cannot read every record cannot say that it is not there.
  const [bad] = records.unreadable;
  if (bad) {
    const message = `${name}: no readable record is of this model, and one cannot be read: ${bad.path} (${bad.reason})`;
    throw new LuciError("E_DAMAGED", message, {
      hint: "Try again; if it repeats, move that file away and install its model again, which costs no download",
    });
  }
  const known = (await context.catalog()).find(name);
  const hint = known ? `\`luci install ${known.name}\` installs it` : "`luci list` shows what is installed";
  throw new LuciError("E_NOT_FOUND", `${name} is not installed`, { hint });
}

/** Whether two refs ask for the same model. */
export function isSameRef(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** The name a model takes where its own is another's. */
export function nameBeside({ name, ref }: { name: string; ref: string }): string {
  return `${name}-${digestMark(ref)}`;
}

/** What is wrong with a model's files, by their sizes; nothing is read. */
async function lookAtFiles(store: Store, { files }: Manifest): Promise<InstalledModel["damage"]> {
  const facts = await Promise.all(files.map((file) => store.files.facts(installedPath(store, file))));
  if (facts.every((one) => one === null)) return "missing";
  const isWhole = files.every(
    (file, at) => facts[at]?.kind === "file" && facts[at].sizeBytes === file.sizeBytes,
  );
  return isWhole ? undefined : "incomplete";
}

/** A record as commands show it, with a look at its files. */
export async function describeInstalled(store: Store, manifest: Manifest): Promise<InstalledModel> {
  const damage = await lookAtFiles(store, manifest);
  return {
    ...(damage && { damage }),
    name: manifest.name,
    ref: manifest.ref,
    source: manifest.source,
    revision: manifest.revision,
    path: mainPath(store, manifest),
    sizeBytes: manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    installedAt: manifest.installedAt,
    files: manifest.files.map((file) => ({
      path: installedPath(store, file),
      sizeBytes: file.sizeBytes,
      sha256: file.sha256,
      authority: file.authority,
    })),
  };
}

/** What an install returns for a model. */
export function receiptOf(
  store: Store,
  manifest: Manifest,
  done: { hows: ReadonlyMap<string, FileHow>; fetchedBytes: number; already: boolean },
): Receipt {
  return {
    model: manifest.name,
    ref: manifest.ref,
    revision: manifest.revision,
    path: mainPath(store, manifest),
    files: manifest.files.map((file) => ({
      path: installedPath(store, file),
      sizeBytes: file.sizeBytes,
      sha256: file.sha256,
      how: done.hows.get(file.path) ?? "reused",
      authority: file.authority,
    })),
    totalBytes: manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    fetchedBytes: done.fetchedBytes,
    already: done.already,
    hooks: [],
  };
}
