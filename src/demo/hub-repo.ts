// The repositories of the embedded hub: commits, branches and files, as git and git-lfs would number them.
// Knows no HTTP.

import { createHash } from "node:crypto";
import { bytesContent, digestOf } from "./content.ts";
import type { Content } from "./content.ts";

const LFS_ABOVE_BYTES = 10 * 1024 * 1024;
const LFS_ENDINGS = /\.(gguf|safetensors|bin|pt|pth|onnx|h5|ckpt|msgpack|zip|tar|gz|pkl|npy|npz|parquet)$/i;

/** A file as a test or the demo describes it. Without `lfs` its ending and size decide, as `.gitattributes` would. */
export interface HubFile {
  readonly path: string;
  readonly content: Content | Uint8Array | string;
  readonly lfs?: boolean;
}

/**
 * Who may read: `gated` needs the hub's token; `denied` refuses that token too, because the terms were not
 * accepted; `private` does not even admit that the repository exists.
 */
export type HubAccess = "public" | "gated" | "denied" | "private";

/** A repository as a test or the demo describes it. */
export interface HubRepo {
  /** `org/name`, or a legacy name without organisation. */
  readonly name: string;
  readonly files: readonly HubFile[];
  readonly access?: HubAccess;
  /** Branch the files are on. */
  readonly branch?: string;
  /** The commit to answer with; derived from the files by default. */
  readonly commit?: string;
  /** The repository was renamed: every request is sent on to this name. */
  readonly movedTo?: string;
}

/** A file of a commit with its git identities. */
export interface StoredFile {
  readonly path: string;
  readonly content: Content;
  /** Git's blob id: of the bytes, or of the pointer file when the bytes are in LFS. */
  readonly oid: string;
  /** The pointer file, null when the bytes are in git itself. */
  readonly pointer: Content | null;
}

export interface Commit {
  readonly sha: string;
  readonly files: ReadonlyMap<string, StoredFile>;
}

export interface StoredRepo {
  readonly name: string;
  readonly access: HubAccess;
  readonly movedTo: string | null;
  readonly branches: Map<string, string>;
  readonly commits: Map<string, Commit>;
}

/** Every repository of one hub, by name. Publishing again adds a commit and moves the branch. */
export class HubShelf {
  readonly repos = new Map<string, StoredRepo>();
  readonly #blobs = new Map<string, Content>();

  /** Adds a commit and answers its id. Earlier commits stay readable. */
  publish(repo: HubRepo): string {
    const known = this.repos.get(repo.name);
    const commit = commitOf(repo);
    const stored: StoredRepo = {
      name: repo.name,
      access: repo.access ?? known?.access ?? "public",
      movedTo: repo.movedTo ?? null,
      branches: known?.branches ?? new Map<string, string>(),
      commits: known?.commits ?? new Map<string, Commit>(),
    };
    for (const { content, pointer } of commit.files.values()) {
      if (pointer !== null) this.#blobs.set(content.sha256, content);
    }
    stored.commits.set(commit.sha, commit);
    stored.branches.set(repo.branch ?? "main", commit.sha);
    this.repos.set(repo.name, stored);
    return commit.sha;
  }

  /** The content behind a SHA-256, wherever it is published: what a CDN knows. */
  blob(sha256: string): Content | null {
    return this.#blobs.get(sha256) ?? null;
  }
}

/** The commit a branch, tag, full commit id or `HEAD` names. */
export function findCommit(repo: StoredRepo, revision: string): Commit | null {
  const branch = revision === "HEAD" ? "main" : revision.replace(/^refs\/heads\//, "");
  return repo.commits.get(repo.branches.get(branch) ?? revision) ?? null;
}

function commitOf(repo: HubRepo): Commit {
  const files = new Map(repo.files.map((file) => [file.path, storeFile(file)]));
  const tree = [...files.values()].map((file) => `${file.path} ${file.oid}`).join("\n");
  return { sha: repo.commit ?? sha1(`${repo.name}\n${tree}`), files };
}

function storeFile(file: HubFile): StoredFile {
  const { content: source, path } = file;
  const content = typeof source === "string" || source instanceof Uint8Array ? bytesContent(source) : source;
  const isLfs = file.lfs ?? (LFS_ENDINGS.test(path) || content.sizeBytes > LFS_ABOVE_BYTES);
  if (!isLfs) return { path, content, oid: digestOf(content, "git-sha1"), pointer: null };
  const pointer = bytesContent(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${content.sha256}\nsize ${content.sizeBytes}\n`,
  );
  return { path, content, oid: digestOf(pointer, "git-sha1"), pointer };
}

/** A stable 40-hex id for things git would number. */
export function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
