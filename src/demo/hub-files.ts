// File bytes: the hub's `resolve` addresses and the CDN they point to.
// Large files answer 302 to a signed CDN address; the first hop alone says what the file is.

import { createHash } from "node:crypto";
import { openRepo, revisionNotFound } from "./hub-access.ts";
import type { HubState } from "./hub-access.ts";
import { bytesContent } from "./content.ts";
import { findCommit, sha1 } from "./hub-repo.ts";
import type { Commit, StoredFile } from "./hub-repo.ts";
import { contentReply, errorReply, redirectReply } from "./hub-request.ts";
import type { HubRequest, Reply } from "./hub-request.ts";

/** Where huggingface.co sends requests for small files. */
const RESOLVE_CACHE = "/api/resolve-cache/models/";

/** Whether a hub address asks for bytes: `/{repo}/resolve|raw/{revision}/{path}`. */
export function isFileAddress(request: HubRequest): boolean {
  return request.path.startsWith(RESOLVE_CACHE) || fileVerbAt(request) !== -1;
}

/** Answers GET and HEAD of a file on the hub's origin. */
export function answerFile(state: HubState, request: HubRequest): Reply {
  const isCache = request.path.startsWith(RESOLVE_CACHE);
  const address = isCache ? cacheAddress(state, request) : fileAddress(request);
  const opened = openRepo(state, { request, name: address.name, area: "files" });
  if ("refusal" in opened) return opened.refusal;
  const commit = findCommit(opened.repo, address.revision);
  if (commit === null) return revisionNotFound(address.revision);
  const file = commit.files.get(address.path);
  if (!file) return entryNotFound(commit);
  if (address.verb === "raw") return smallFile(request, { commit, file, isPointer: file.pointer !== null });
  if (file.pointer !== null) return linkedFile(state, { commit, file, name: address.name });
  if (state.movesSmallFiles && !isCache) return movedFile(request, { commit, file, name: address.name });
  return smallFile(request, { commit, file, isPointer: false });
}

/** Answers GET and HEAD on the CDN's origin: bytes for a signed address, nothing else. */
export function answerCdn(state: HubState, request: HubRequest): Reply {
  if (!state.links.opens(request.path, request.query)) {
    const body =
      '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>';
    return { status: 403, headers: { "Content-Type": "text/xml" }, content: bytesContent(body) };
  }
  const sha256 = request.segments.at(-1) ?? "";
  const content = state.shelf.blob(sha256);
  if (content === null) return errorReply(404, { message: "NoSuchKey" });
  const headers = {
    "Content-Type": "application/octet-stream",
    // A CDN's ETag is its own affair: strong, stable, and not the digest of the file.
    ETag: `"${createHash("md5").update(sha256).digest("hex")}"`,
    "Last-Modified": "Thu, 15 Jan 2026 12:00:00 GMT",
  };
  return contentReply(request, { content, headers });
}

interface FileAddress {
  readonly name: string;
  readonly verb: string;
  readonly revision: string;
  readonly path: string;
}

function fileVerbAt(request: HubRequest): number {
  const isVerb = (segment: string | undefined) => segment === "resolve" || segment === "raw";
  if (isVerb(request.segments[1])) return 1;
  return isVerb(request.segments[2]) ? 2 : -1;
}

function fileAddress(request: HubRequest): FileAddress {
  const verbAt = fileVerbAt(request);
  const [verb = "resolve", revision = "", ...path] = request.segments.slice(verbAt);
  return { name: request.segments.slice(0, verbAt).join("/"), verb, revision, path: path.join("/") };
}

/** `/api/resolve-cache/models/{repo}/{commit}/{path}`, the repository named with or without organisation. */
function cacheAddress(state: HubState, request: HubRequest): FileAddress {
  const segments = request.segments.slice(3);
  const nameSegments = state.shelf.repos.has(segments[0] ?? "") ? 1 : 2;
  const [revision = "", ...path] = segments.slice(nameSegments);
  return { name: segments.slice(0, nameSegments).join("/"), verb: "resolve", revision, path: path.join("/") };
}

function linkedFile(state: HubState, options: { commit: Commit; file: StoredFile; name: string }): Reply {
  const { commit, file, name } = options;
  const { content, path } = file;
  const cdnPath = `/xet-bridge-us/${sha1(name).slice(0, 24)}/${content.sha256}`;
  const query = state.links.sign(cdnPath);
  query.set(
    "response-content-disposition",
    `inline; filename="${encodeURIComponent(path.split("/").at(-1) ?? "")}"`,
  );
  return redirectReply(302, {
    to: `${state.cdnUrl()}${cdnPath}?${query.toString()}`,
    headers: {
      "X-Repo-Commit": commit.sha,
      "X-Linked-Etag": `"${content.sha256}"`,
      "X-Linked-Size": String(content.sizeBytes),
      ETag: `"${content.sha256}"`,
      "Accept-Ranges": "bytes",
    },
  });
}

function movedFile(request: HubRequest, options: { commit: Commit; file: StoredFile; name: string }): Reply {
  const { commit, file, name } = options;
  const tail = request.path
    .split("/")
    .slice(fileVerbAt(request) + 3)
    .join("/");
  return redirectReply(307, {
    to: `${RESOLVE_CACHE}${name}/${commit.sha}/${tail}`,
    headers: {
      "X-Repo-Commit": commit.sha,
      "X-Linked-Etag": `"${file.oid}"`,
      "X-Linked-Size": String(file.content.sizeBytes),
      "Accept-Ranges": "bytes",
    },
  });
}

function smallFile(
  request: HubRequest,
  options: { commit: Commit; file: StoredFile; isPointer: boolean },
): Reply {
  const { commit, file, isPointer } = options;
  const content = isPointer ? (file.pointer ?? file.content) : file.content;
  const type = file.path.endsWith(".json") ? "application/json" : "text/plain; charset=utf-8";
  const headers = { "Content-Type": type, ETag: `"${file.oid}"`, "X-Repo-Commit": commit.sha };
  return contentReply(request, { content, headers });
}

function entryNotFound(commit: Commit): Reply {
  const refusal = errorReply(404, { code: "EntryNotFound", message: "Entry not found" });
  return { ...refusal, headers: { ...refusal.headers, "X-Repo-Commit": commit.sha } };
}
