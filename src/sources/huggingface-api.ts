// The hub's listing API: revisions and file trees, as huggingface.js and huggingface_hub use it.
// What it answers is held against a schema before anything believes it.

import * as v from "valibot";
import { LuciError } from "../domain/errors.ts";
import type { Digest } from "../domain/plan.ts";
import { redactUrl } from "../domain/safe-url.ts";
import type { Http } from "../platform/http.ts";
import { explainHub } from "./huggingface-advice.ts";
import type { HubAccess } from "./huggingface-advice.ts";

const MOST_ENTRIES = 100_000;
const MOST_PAGES = 1_000;

const CommitSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/));
const SizeSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const RevisionSchema = v.object({
  sha: CommitSchema,
  gated: v.optional(v.union([v.boolean(), v.string()]), false),
});

const EntrySchema = v.object({
  type: v.string(),
  path: v.string(),
  oid: v.optional(v.string(), ""),
  size: v.optional(v.unknown()),
  lfs: v.nullish(v.object({ oid: v.string(), size: v.unknown() })),
});

/** A file of a repository at one commit. The path is as the hub says it: not checked yet. */
export interface HubFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: Digest;
}

export interface HubApi {
  /**
   * The commit of a branch or tag; a commit is returned without asking.
   * @throws LuciError E_NOT_FOUND, E_GATED, E_AUTH, E_MALFORMED, network codes
   */
  commitOf(repo: string, options: { revision: string | null; signal: AbortSignal }): Promise<string>;
  /**
   * Every file at a commit, all pages.
   * @throws LuciError E_NOT_FOUND, E_GATED, E_AUTH, E_MALFORMED, network codes
   */
  files(repo: string, options: { commit: string; signal: AbortSignal }): Promise<HubFile[]>;
}

/** The headers that show the token to the hub; only ever sent to its own origin. */
export function authorization(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** Speaks to one hub. */
export function createHubApi({ http, ...access }: HubAccess & { http: Http }): HubApi {
  const { endpoint, token } = access;
  const ask = async (url: string, options: { repo: string; what: string; signal: AbortSignal }) => {
    try {
      return await http.json(url, {
        headers: authorization(token),
        what: options.what,
        signal: options.signal,
      });
    } catch (thrown) {
      throw thrown instanceof LuciError ? explainHub(thrown, { ...access, repo: options.repo }) : thrown;
    }
  };
  return {
    async commitOf(repo, { revision, signal }) {
      if (revision !== null && /^[0-9a-f]{40}$/i.test(revision)) return revision.toLowerCase();
      const url = `${endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision ?? "main")}`;
      const what = revision === null ? repo : `${repo}@${revision}`;
      const { data } = await ask(url, { repo, what, signal });
      const { sha, gated } = parse(RevisionSchema, { data, what });
      // The listing of a gated repository is public, its files are not: said before anything is planned.
      if (gated !== false && token === null) throw explainHub(gatedError(repo), { ...access, repo });
      return sha;
    },
    async files(repo, { commit, signal }) {
      const found: HubFile[] = [];
      const asked = new Set<string>();
      let entries = 0;
      let url: string | null = `${endpoint}/api/models/${repo}/tree/${commit}?recursive=true`;
      for (let page = 1; url !== null; page += 1) {
        const { data, headers } = await ask(url, { repo, what: repo, signal });
        const listed = readPage(data, repo);
        found.push(...listed.files);
        entries += listed.entries;
        if (entries > MOST_ENTRIES || page >= MOST_PAGES)
          throw malformed(repo, `it lists more than ${MOST_ENTRIES} files and folders`);
        asked.add(url);
        url = nextPage(headers.get("link"), { url, repo });
        if (url !== null && asked.has(url)) throw malformed(repo, "its list goes round in circles");
      }
      refuseTwins(found, repo);
      return found;
    },
  };
}

function gatedError(repo: string): LuciError {
  return new LuciError("E_GATED", `${repo} is gated: its authors want its terms accepted first`);
}

/** One path with two sizes or digests: whichever was believed, the other would be served. */
function refuseTwins(files: readonly HubFile[], repo: string): void {
  const seen = new Set<string>();
  const twin = files.find(({ path }) => seen.size === seen.add(path).size);
  if (twin !== undefined) throw malformed(repo, `it lists ${shown(twin.path)} twice`);
}

function shown(path: string): string {
  return JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path);
}

function readPage(data: unknown, repo: string): { files: HubFile[]; entries: number } {
  const entries = parse(v.array(EntrySchema), { data, what: repo });
  const files = entries.flatMap((entry) => {
    if (entry.type !== "file") return [];
    const sizeBytes = v.safeParse(SizeSchema, entry.lfs ? entry.lfs.size : entry.size);
    if (!sizeBytes.success) throw malformed(repo, `the size of ${shown(entry.path)} is no number of bytes`);
    return [{ path: entry.path, sizeBytes: sizeBytes.output, digest: readDigest(entry, repo) }];
  });
  return { files, entries: entries.length };
}

function readDigest(entry: v.InferOutput<typeof EntrySchema>, repo: string): Digest {
  const hex = entry.lfs ? entry.lfs.oid : entry.oid;
  const isDigest = entry.lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
  if (!isDigest.test(hex)) throw malformed(repo, `the digest of ${shown(entry.path)} is none`);
  return { algorithm: entry.lfs ? "sha256" : "git-sha1", hex };
}

/** The `rel="next"` of a Link header. Another origin is refused: the token and the trust end there. */
function nextPage(link: string | null, { url, repo }: { url: string; repo: string }): string | null {
  const target = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(link ?? "")?.[1];
  if (target === undefined) return null;
  const next = URL.parse(target, url);
  if (next?.origin !== new URL(url).origin)
    throw malformed(repo, `its list goes on at ${redactUrl(target)}, another server`);
  return next.href;
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  { data, what }: { data: unknown; what: string },
) {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  throw malformed(what, `${v.getDotPath(result.issues[0]) ?? "the answer"} is not as expected`);
}

function malformed(what: string, reason: string): LuciError {
  return new LuciError("E_MALFORMED", `The hub's answer about ${what} cannot be used: ${reason}`);
}
