// What a model hub says of the data sets, as files that nginx can serve: model info and listings after
// huggingface.co's API, every file stored as LFS. Only paths-info, a POST, is answered by a small server here.

import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DataFile, DataSet } from "./data.ts";

/** The organisation that owns every repository of the benchmark. */
export const HUB_OWNER = "bench";

/** Folder of the pages within the data folder. */
export const PAGES_FOLDER = "hub";

interface Entry {
  readonly type: "file";
  readonly oid: string;
  readonly size: number;
  readonly path: string;
  readonly lfs: { readonly oid: string; readonly size: number; readonly pointerSize: number };
}

/** `bench/NAME`, the repository of a set. */
export function repoOf(set: DataSet): string {
  return `${HUB_OWNER}/${set.name}`;
}

/** The commit that a set's listing is pinned to. */
export function commitOf(set: DataSet): string {
  return sha1(set.files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join(""));
}

/** Writes a set's pages: model info, listing, and the digests that `resolve` announces. */
export async function writePages(dataFolder: string, set: DataSet): Promise<void> {
  const folder = join(dataFolder, PAGES_FOLDER, set.name);
  await mkdir(folder, { recursive: true });
  const commit = commitOf(set);
  const info = {
    _id: commit.slice(0, 24),
    id: repoOf(set),
    modelId: repoOf(set),
    author: HUB_OWNER,
    sha: commit,
    lastModified: "2026-01-15T12:00:00.000Z",
    createdAt: "2026-01-15T12:00:00.000Z",
    private: false,
    gated: false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: ["region:us"],
    spaces: [],
    siblings: set.files.map(({ path }) => ({ rfilename: path })),
  };
  const etags = set.files.map(
    ({ path, sha256 }) => `"/${repoOf(set)}/resolve/${commit}/${path}" '"${sha256}"';\n`,
  );
  await Promise.all([
    writeFile(join(folder, "info.json"), JSON.stringify(info)),
    writeFile(join(folder, "tree.json"), JSON.stringify(set.files.map(entryOf))),
    writeFile(join(folder, "etags.map"), etags.join("")),
  ]);
}

/** Answers paths-info of the sets' repositories; its port goes into nginx's configuration. */
export function startPathsInfo(sets: readonly DataSet[]): { port: number; stop(): Promise<void> } {
  const entries = new Map(
    sets.map((set) => [repoOf(set), new Map(set.files.map((file) => [file.path, entryOf(file)]))]),
  );
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const repo = new URL(request.url).pathname.split("/").slice(3, 5).join("/");
      const paths = readPaths(await request.text());
      return Response.json(paths.flatMap((path) => entries.get(repo)?.get(path) ?? []));
    },
  });
  return { port: server.port ?? 0, stop: () => server.stop(true) };
}

/** JSON from huggingface.js, form fields from huggingface_hub. */
function readPaths(body: string): readonly string[] {
  if (!body.startsWith("{")) return new URLSearchParams(body).getAll("paths");
  const { paths = [] } = JSON.parse(body) as { paths?: string[] | string };
  return [paths].flat();
}

function entryOf({ path, sizeBytes, sha256 }: DataFile): Entry {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${sizeBytes}\n`;
  const oid = sha1(`blob ${pointer.length}\0${pointer}`);
  return {
    type: "file",
    oid,
    size: sizeBytes,
    path,
    lfs: { oid: sha256, size: sizeBytes, pointerSize: pointer.length },
  };
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
