// Manifests: one record per installed model, written last of all. A model is installed when its manifest says so.

import { join } from "node:path";
import * as v from "valibot";
import { LuciError } from "../domain/errors.ts";
import { parseJson } from "../domain/json-shape.ts";
import { isRepoName } from "../domain/ref-hub.ts";
import { checkNoCollisions, checkRemotePath } from "../domain/safe-path.ts";
import type { FileFacts } from "../platform/files.ts";
import { manifestFileName } from "./layout.ts";
import type { Store } from "./store.ts";

const BytesSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const PathSchema = v.pipe(
  v.string(),
  v.rawTransform(({ dataset }) => checkRemotePath(dataset.value)),
);

const FileSchema = v.object({
  /** Relative to the models folder, with forward slashes. */
  path: PathSchema,
  sizeBytes: BytesSchema,
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** The published git blob hash, where that is what the file was checked against. */
  gitSha1: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/))),
  authority: v.picklist(["catalog", "hub", "user", "none"]),
  modifiedNs: v.string(),
  /** XXH3-64 of each 8 MiB piece: says which pieces are damaged. */
  pieces: v.array(v.string()),
  origin: v.variant("kind", [
    v.object({
      kind: v.literal("huggingface"),
      repo: v.pipe(v.string(), v.check(isRepoName)),
      revision: v.string(),
      path: PathSchema,
    }),
    v.object({ kind: v.literal("url"), url: v.pipe(v.string(), v.url()) }),
  ]),
});

const ManifestSchema = v.object({
  format: v.literal(1),
  name: v.string(),
  ref: v.string(),
  source: v.picklist(["huggingface", "url"]),
  revision: v.nullable(v.string()),
  folder: v.nullable(PathSchema),
  installedAt: v.string(),
  files: v.pipe(v.array(FileSchema), v.minLength(1)),
});

export type ManifestFile = v.InferOutput<typeof FileSchema>;
export type Manifest = v.InferOutput<typeof ManifestSchema>;

/** All records of a models folder, and those that could not be read. */
export interface Records {
  readonly manifests: readonly Manifest[];
  /** Absolute paths and reasons. While there is one, nothing may be deleted. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

/** A record of 100,000 files. */
const MAX_MANIFEST_BYTES = 48 * 1024 * 1024;

/** Reads every manifest. Never throws for a bad record: it is listed instead. */
export async function readRecords(store: Store): Promise<Records> {
  const { files, layout } = store;
  const manifests: Manifest[] = [];
  const unreadable: { path: string; reason: string }[] = [];
  for (const name of await files.list(layout.manifestsFolder)) {
    if (!name.endsWith(".json")) continue;
    const path = join(layout.manifestsFolder, name);
    try {
      const text = await files.readText(path, { maxBytes: MAX_MANIFEST_BYTES });
      // Removed by another process since it was listed.
      if (text === null) continue;
      const manifest = parseManifest(text);
      // By a model's name its record is found again, replaced and removed: under another one it is nobody's.
      if (manifestFileName(manifest.name) === name) manifests.push(manifest);
      else
        unreadable.push({
          path,
          reason: `it is named like another model's record, not like ${manifest.name}'s`,
        });
    } catch (error) {
      unreadable.push({
        path,
        reason: error instanceof LuciError ? error.message : "it is not a manifest of luci",
      });
    }
  }
  return { manifests, unreadable };
}

/** The record of a name; null where there is none that can be read. */
export async function readManifest(store: Store, name: string): Promise<Manifest | null> {
  try {
    const text = await store.files.readText(manifestPath(store, name), { maxBytes: MAX_MANIFEST_BYTES });
    const manifest = parseManifest(text ?? "");
    return manifest.name === name ? manifest : null;
  } catch {
    return null;
  }
}

/**
 * The record in a text. A models folder may come from anywhere, and its records name what will be read, fetched
 * and removed: each value is checked as if it came from a network.
 * @throws LuciError E_UNSAFE_PATH naming the path, another error when it is no record
 */
export function parseManifest(text: string): Manifest {
  const manifest = v.parse(ManifestSchema, parseJson(text));
  checkNoCollisions(manifest.files.map((file) => file.path));
  return manifest;
}

/** Writes a model's record: the moment it becomes installed. */
export async function publishManifest(store: Store, manifest: Manifest): Promise<void> {
  await store.files.makeFolder(store.layout.manifestsFolder);
  await store.files.replaceText(manifestPath(store, manifest.name), `${JSON.stringify(manifest, null, 1)}\n`);
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
