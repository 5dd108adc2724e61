// Where everything lies below the models folder. No other room builds these paths.
//
//   models/
//     Llama-3.2-3B-Instruct-Q4_K_M.gguf     a finished single-file model
//     Qwen--Qwen3-4B/…                      a finished multi-file model, the repository's own layout
//     .luci/v1/manifests/<name>.json        one record per model
//     .luci/v1/partials/<key>.part          data of an unfinished file at rest
//     .luci/v1/partials/<key>.<owner>.part  the same, owned by a running process
//     .luci/v1/partials/<key>.json          its journal
//     .luci/v1/locks/<key>.lock             who works on it

import { createHash } from "node:crypto";
import { join } from "node:path";
import { type PlanFile, contentIdentity } from "../domain/plan.ts";

export interface Layout {
  readonly modelsFolder: string;
  readonly privateFolder: string;
  readonly manifestsFolder: string;
  readonly partialsFolder: string;
  readonly locksFolder: string;
}

/** The name of the folder that is luci's own. */
export const PRIVATE_NAME = ".luci";

/** The paths below one models folder. */
export function layoutOf(modelsFolder: string): Layout {
  const privateFolder = join(modelsFolder, PRIVATE_NAME, "v1");
  return {
    modelsFolder,
    privateFolder,
    manifestsFolder: join(privateFolder, "manifests"),
    partialsFolder: join(privateFolder, "partials"),
    locksFolder: join(privateFolder, "locks"),
  };
}

function shortDigest(text: string, length: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, length);
}

/** The name a file's partial goes by: its SHA-256 where one is published, else a digest of where it comes from. */
export function partialKey(file: PlanFile): string {
  if (file.digest?.algorithm === "sha256") return `sha256-${file.digest.hex}`;
  return `source-${shortDigest(contentIdentity(file), 32)}`;
}

/** A manifest's file name: the model's name where that is plain, else made plain and told apart by a digest. */
export function manifestFileName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(name) && name.length <= 100) return `${name}.json`;
  const plain = name.replaceAll(/[^A-Za-z0-9._-]+/g, "--").slice(0, 100);
  return `${plain}~${shortDigest(name, 8)}.json`;
}

/** A partial's file name taken apart: its key and, while a process owns it, the owner's tag. */
export interface PartialName {
  readonly key: string;
  readonly tag: string | null;
}

/** The data file's name for a key, owned or at rest. */
export function partialFileName({ key, tag }: PartialName): string {
  return tag === null ? `${key}.part` : `${key}.${tag}.part`;
}

/** Takes a data file's name apart; null for anything else. */
export function parsePartialName(fileName: string): PartialName | null {
  const match = /^((?:sha256|source)-[0-9a-f]+)(?:\.(\d+\.[0-9a-f]+))?\.part$/.exec(fileName);
  return match?.[1] ? { key: match[1], tag: match[2] ?? null } : null;
}

/** Where the journal of a key lies. */
export function journalPath(layout: Layout, key: string): string {
  return join(layout.partialsFolder, `${key}.json`);
}

/** Where the lock of a key lies. */
export function lockPath(layout: Layout, key: string): string {
  return join(layout.locksFolder, `${key}.lock`);
}
