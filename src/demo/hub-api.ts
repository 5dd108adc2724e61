// The hub's JSON API: model info, file listings, path infos and refs.
// Written after the public behaviour of huggingface.co as huggingface.js and huggingface_hub use it.

import { findCommit, sha1 } from "./hub-repo.ts";
import type { Commit, StoredFile, StoredRepo } from "./hub-repo.ts";
import { errorReply, jsonReply } from "./hub-request.ts";
import type { HubRequest, Reply } from "./hub-request.ts";
import { openRepo, revisionNotFound } from "./hub-access.ts";
import type { HubState } from "./hub-access.ts";

const COMMIT_DATE = "2026-01-15T12:00:00.000Z";
const ROUTES = ["revision", "tree", "paths-info", "refs"];
const LARGEST_PAGE = 1000;

interface Listed {
  readonly type: "file" | "directory";
  readonly oid: string;
  readonly size: number;
  readonly path: string;
  readonly lfs?: { readonly oid: string; readonly size: number; readonly pointerSize: number };
}

/** Answers `/api/models/…`. */
export async function answerApi(state: HubState, request: HubRequest): Promise<Reply> {
  const segments = request.segments.slice(2);
  const isLegacyName = segments.length === 1 || ROUTES.includes(segments[1] ?? "");
  const nameSegments = isLegacyName ? 1 : 2;
  const name = segments.slice(0, nameSegments).join("/");
  const opened = openRepo(state, { request, name, area: "listing" });
  if ("refusal" in opened) return opened.refusal;
  const [route = "revision", ...rest] = segments.slice(nameSegments);
  if (route === "refs") return refs(opened.repo);
  const revision = rest[0] ?? "HEAD";
  const commit = findCommit(opened.repo, revision);
  if (commit === null) return revisionNotFound(revision);
  if (route === "revision") return modelInfo(opened.repo, { commit, request });
  if (route === "tree") return tree(state, { commit, request, folder: rest.slice(1).join("/") });
  if (route === "paths-info") return pathsInfo(commit, request);
  return errorReply(404, { message: "Not Found" });
}

function modelInfo(repo: StoredRepo, options: { commit: Commit; request: HubRequest }): Reply {
  const { commit, request } = options;
  const withBlobs = request.query.get("blobs") === "true";
  const siblings = [...commit.files.values()].map((file) => ({
    rfilename: file.path,
    ...(withBlobs ? { blobId: file.oid, size: file.content.sizeBytes, ...siblingLfs(file) } : {}),
  }));
  return jsonReply({
    _id: sha1(repo.name).slice(0, 24),
    id: repo.name,
    modelId: repo.name,
    ...(repo.name.includes("/") ? { author: repo.name.split("/")[0] } : {}),
    sha: commit.sha,
    lastModified: COMMIT_DATE,
    createdAt: COMMIT_DATE,
    private: repo.access === "private",
    gated: repo.access === "gated" || repo.access === "denied" ? "auto" : false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: ["region:us"],
    pipeline_tag: "text-generation",
    spaces: [],
    siblings,
  });
}

function siblingLfs(file: StoredFile): object {
  if (file.pointer === null) return {};
  return {
    lfs: { sha256: file.content.sha256, size: file.content.sizeBytes, pointerSize: file.pointer.sizeBytes },
  };
}

function refs(repo: StoredRepo): Reply {
  const branches = [...repo.branches].map(([name, targetCommit]) => ({
    name,
    ref: `refs/heads/${name}`,
    targetCommit,
  }));
  return jsonReply({ branches, converts: [], tags: [] });
}

/** One page of a folder; the next page is in the Link header, as on the real hub. */
function tree(state: HubState, options: { commit: Commit; request: HubRequest; folder: string }): Reply {
  const { commit, request, folder } = options;
  const isRecursive = ["true", "1"].includes((request.query.get("recursive") ?? "").toLowerCase());
  const entries = listFolder(commit, { folder, isRecursive });
  if (folder !== "" && entries.length === 0) {
    return errorReply(404, { code: "EntryNotFound", message: `${folder} does not exist on this revision` });
  }
  const first = cursorOffset(request.query.get("cursor"));
  const asked = Number(request.query.get("limit") ?? state.pageSize);
  const pageSize = Math.max(1, Math.min(asked || state.pageSize, state.pageSize, LARGEST_PAGE));
  const page = entries.slice(first, first + pageSize);
  const next = first + pageSize;
  if (next >= entries.length) return jsonReply(page);
  const query = new URLSearchParams(request.query);
  query.set("cursor", Buffer.from(JSON.stringify({ from: next })).toString("base64"));
  return jsonReply(page, {
    headers: { Link: `<${state.url()}${request.path}?${query.toString()}>; rel="next"` },
  });
}

function cursorOffset(cursor: string | null): number {
  if (cursor === null) return 0;
  const { from } = JSON.parse(Buffer.from(cursor, "base64").toString("utf8")) as { from: number };
  return from;
}

function listFolder(commit: Commit, options: { folder: string; isRecursive: boolean }): Listed[] {
  const prefix = options.folder === "" ? "" : `${options.folder}/`;
  const inside = [...commit.files.values()].filter((file) => file.path.startsWith(prefix));
  const folders = new Set(inside.flatMap((file) => parentFolders(file.path)));
  const all = [
    ...[...folders].filter((path) => path.startsWith(prefix)).map((path) => listedFolder(commit, path)),
    ...inside.map(listedFile),
  ];
  const shown = options.isRecursive
    ? all
    : all.filter((entry) => !entry.path.slice(prefix.length).includes("/"));
  return shown.toSorted((one, other) => (one.path < other.path ? -1 : 1));
}

/** `a/b/c.txt` → `a`, `a/b`. A leading slash is part of a hostile name, not a folder. */
function parentFolders(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/")).filter((folder) => folder !== "");
}

function listedFolder(commit: Commit, path: string): Listed {
  return { type: "directory", oid: sha1(`${commit.sha} ${path}`), size: 0, path };
}

function listedFile(file: StoredFile): Listed {
  const { path, oid, content, pointer } = file;
  const entry = { type: "file" as const, oid, size: content.sizeBytes, path };
  if (pointer === null) return entry;
  return { ...entry, lfs: { oid: content.sha256, size: content.sizeBytes, pointerSize: pointer.sizeBytes } };
}

/** POST with JSON (huggingface.js) or form fields (huggingface_hub). Unknown paths are left out. */
async function pathsInfo(commit: Commit, request: HubRequest): Promise<Reply> {
  const { paths, expand } = parsePathsBody(await request.text(), request.header("content-type") ?? "");
  const found = paths.flatMap((path) => {
    const file = commit.files.get(path);
    if (file) return [listedFile(file)];
    const isFolder = [...commit.files.keys()].some((known) => known.startsWith(`${path}/`));
    return isFolder ? [listedFolder(commit, path)] : [];
  });
  const expanded = { lastCommit: { id: commit.sha, title: "Upload files", date: COMMIT_DATE } };
  return jsonReply(expand ? found.map((entry) => ({ ...entry, ...expanded })) : found);
}

function parsePathsBody(body: string, contentType: string): { paths: string[]; expand: boolean } {
  if (!contentType.includes("json")) {
    const form = new URLSearchParams(body);
    return { paths: form.getAll("paths"), expand: (form.get("expand") ?? "").toLowerCase() === "true" };
  }
  const data = JSON.parse(body) as { paths?: string[] | string; expand?: boolean };
  return { paths: [data.paths ?? []].flat(), expand: data.expand === true };
}
