// Manifests: one record per installed model, written last of all. A model is installed when its manifest says so.

import { join } from "node:path";
import {
  array,
  literal,
  nullable,
  number,
  object,
  picklist,
  safeParse,
  string,
  variant,
  type InferOutput,
} from "valibot";
import { LuciError } from "../domain/errors.ts";
import { checkRemotePath } from "../domain/safe-path.ts";
import type { FileFacts } from "../platform/files.ts";
import { manifestFileName } from "./layout.ts";
import type { Store } from "./store.ts";

const fileSchema = object({
  /** Relative to the models folder, with forward slashes. */
  path: string(),
  sizeBytes: number(),
  sha256: string(),
  /** The published git blob hash, where that is what the file was checked against. */
  gitSha1: nullable(string()),
  authority: picklist(["catalog", "hub", "user", "none"]),
  modifiedNs: string(),
  /** XXH3-64 of each 8 MiB piece: says which pieces are damaged. */
  pieces: array(string()),
  origin: variant("kind", [
    object({ kind: literal("huggingface"), repo: string(), revision: string(), path: string() }),
    object({ kind: literal("url"), url: string() }),
  ]),
});

const manifestSchema = object({
  format: literal(1),
  name: string(),
  ref: string(),
  source: picklist(["huggingface", "url"]),
  revision: nullable(string()),
  folder: nullable(string()),
  installedAt: string(),
  files: array(fileSchema),
});

export type ManifestFile = InferOutput<typeof fileSchema>;
export type Manifest = InferOutput<typeof manifestSchema>;

/** All records of a models folder, and those that could not be read. */
export interface Records {
  readonly manifests: readonly Manifest[];
  /** Absolute paths and reasons. While there is one, nothing may be deleted. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

/** Reads every manifest. Never throws for a bad record: it is listed instead. */
export async function readRecords(store: Store): Promise<Records> {
  const { files, layout } = store;
  const manifests: Manifest[] = [];
  const unreadable: { path: string; reason: string }[] = [];
  for (const name of await files.list(layout.manifestsFolder)) {
    if (!name.endsWith(".json")) continue;
    const path = join(layout.manifestsFolder, name);
    try {
      const manifest = parseManifest((await files.readText(path, { maxBytes: MAX_MANIFEST_BYTES })) ?? "");
      manifests.push(manifest);
    } catch (error) {
      unreadable.push({
        path,
        reason: error instanceof LuciError ? error.message : "it is not a manifest of luci",
      });
    }
  }
  return { manifests, unreadable };
}

/** The record in a text. @throws when it is none */
export function parseManifest(text: string): Manifest {
  const parsed = safeParse(manifestSchema, JSON.parse(text));
  if (!parsed.success) throw new Error(parsed.issues[0].message);
  // A models folder may come from anywhere: its records name what will be read, and removed.
  for (const file of parsed.output.files) checkRemotePath(file.path);
  if (parsed.output.folder !== null) checkRemotePath(parsed.output.folder);
  return parsed.output;
}

/** Writes a model's record: the moment it becomes installed. */
export async function publishManifest(store: Store, manifest: Manifest): Promise<void> {
  await store.files.makeFolder(store.layout.manifestsFolder);
  await store.files.replaceText(manifestPath(store, manifest.name), `${JSON.stringify(manifest, null, 1)}\n`);
}

/** Takes a model's record away: the moment it is no longer installed. */
export async function withdrawManifest(store: Store, name: string): Promise<void> {
  await store.files.remove(manifestPath(store, name));
  await store.files.syncFolder(store.layout.manifestsFolder);
}

/** Where a model's record lies. */
export function manifestPath(store: Store, name: string): string {
  return join(store.layout.manifestsFolder, manifestFileName(name));
}

/** Absolute path of an installed file. */
export function installedPath(store: Store, file: { path: string }): string {
  return join(store.layout.modelsFolder, ...file.path.split("/"));
}

/** What to hand to an inference engine: the folder of a multi-file model unless it is sharded GGUF, else its file. */
export function mainPath(store: Store, manifest: Manifest): string {
  const weights = manifest.files.filter((file) => file.path.endsWith(".gguf") && !/mmproj/i.test(file.path));
  const isOneModel =
    weights.length === 1 || weights.every((file) => /-\d{5}-of-\d{5}\.gguf$/.test(file.path));
  const first = isOneModel ? weights[0] : undefined;
  if (manifest.folder === null || first) {
    const only = first ?? manifest.files[0];
    if (only) return installedPath(store, only);
  }
  return join(store.layout.modelsFolder, manifest.folder ?? "");
}

/** Whether a file still looks as it did when it was installed: its size and modification time, nothing read. */
export function looksUntouched(file: ManifestFile, facts: FileFacts | null): boolean {
  return facts?.kind === "file" && facts.sizeBytes === file.sizeBytes && facts.modifiedNs === file.modifiedNs;
}

/** The places that models hold, relative to the models folder. */
export function pathsOf(manifests: readonly Manifest[]): Set<string> {
  return new Set(manifests.flatMap((manifest) => manifest.files.map((file) => file.path)));
}
