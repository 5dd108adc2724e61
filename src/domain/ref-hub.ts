// The Hugging Face forms of a ref: `hf:` texts and page addresses of a hub. Pure.

import { LuciError } from "./errors.ts";
import { checkRemotePath } from "./safe-path.ts";
import { redactUrl } from "./safe-url.ts";

/** A file, a quantisation (`Q4_K_M`) or all of a Hugging Face repository. */
export interface HuggingfaceRef {
  readonly kind: "huggingface";
  /** `org/name`, or `name` for the hub's oldest repositories. */
  readonly repo: string;
  /** Branch, tag or commit as typed; null for the default branch. */
  readonly revision: string | null;
  /** Quantisation or path; null for the whole repository. */
  readonly select: string | null;
}

const REPO_PART = /^[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$/;
const REVISION = /^[\w](?:[\w./+-]{0,198}[\w+-])?$/;
const PAGES = ["tree", "blob", "resolve", "raw"];
const OTHER_KINDS = [
  "datasets",
  "spaces",
  "docs",
  "papers",
  "collections",
  "models",
  "api",
  "settings",
  "join",
  "login",
];

/**
 * Reads what follows `hf:`: `repo[@revision][:quant-or-path]`.
 * @throws LuciError E_REF_SYNTAX, E_UNSAFE_PATH
 */
export function parseHubText(text: string): HuggingfaceRef {
  const parts = /^(?:\/\/)?([^@:]*)(?:@([^:]*))?(?::(.*))?$/s.exec(text);
  if (parts === null) throw new LuciError("E_REF_SYNTAX", `Not a Hugging Face repository: ${quote(text)}`);
  const [, repo = "", revision = null, select = null] = parts;
  return hubRef({ repo: repo.replace(/(?<=\/[^/]+)\/$/, ""), revision, select });
}

/**
 * Reads the address of a repository's page, of a folder view's root or of a file on a hub.
 * @throws LuciError E_REF_SYNTAX, E_UNSAFE_PATH
 */
export function parseHubPage(url: URL, hubEndpoint?: string): HuggingfaceRef {
  const base = hubEndpoint === undefined ? null : URL.parse(hubEndpoint);
  const prefix = base?.origin === url.origin ? base.pathname.replace(/\/+$/, "") : "";
  const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : url.pathname;
  const segments = path
    .split("/")
    .filter((segment) => segment !== "")
    .map((segment) => decode(segment, url));
  if (segments.length === 0 || OTHER_KINDS.includes(segments[0] ?? "")) {
    throw new LuciError("E_REF_SYNTAX", `Not the page of a model: ${redactUrl(url.href)}`);
  }
  const isLegacy = PAGES.includes(segments[1] ?? "") || segments.length === 1;
  const repo = segments.slice(0, isLegacy ? 1 : 2).join("/");
  const [page, ...rest] = segments.slice(isLegacy ? 1 : 2);
  if (page === undefined)
    return hubRef({ repo, revision: null, select: url.searchParams.get("show_file_info") });
  // `refs/pr/3` and `refs/convert/parquet` are revisions of three parts.
  const revisionParts = rest[0] === "refs" ? 3 : 1;
  const revision = rest.slice(0, revisionParts).join("/");
  const select = rest.slice(revisionParts).join("/");
  if (!PAGES.includes(page) || revision === "" || (page !== "tree" && select === "")) {
    throw new LuciError("E_REF_SYNTAX", `Not the page of a model or of a file: ${redactUrl(url.href)}`);
  }
  if (page === "tree" && select !== "") {
    throw new LuciError("E_REF_SYNTAX", `A folder cannot be installed by itself: ${redactUrl(url.href)}`, {
      hint: `Name a file (\`hf:${repo}:${select}/…\`), a quantisation, or the whole repository (\`hf:${repo}\`)`,
    });
  }
  return hubRef({
    repo,
    revision: revision === "main" ? null : revision,
    select: select === "" ? null : select,
  });
}

function hubRef(ref: Omit<HuggingfaceRef, "kind">): HuggingfaceRef {
  const { repo, revision, select } = ref;
  if (repo.split("/").some((part) => part === "." || part === "..")) {
    throw new LuciError("E_UNSAFE_PATH", `Unsafe repository name ${quote(repo)}: it leaves its folder`, {
      hint: "A repository is named org/repo, with letters, digits, `-`, `_` and `.`",
    });
  }
  if (!isRepoName(repo)) throw notARepo(repo);
  if (revision !== null && (!REVISION.test(revision) || /\.\.|\/\//.test(revision))) {
    throw new LuciError("E_REF_SYNTAX", `Not a revision: ${quote(revision)}`);
  }
  if (select === "")
    throw new LuciError("E_REF_SYNTAX", `Nothing follows the colon in ${quote(`hf:${repo}:`)}`);
  if (select !== null) checkRemotePath(select);
  return { kind: "huggingface", repo, revision, select };
}

/** Whether a text is a repository's name: `org/name` or `name`, by the hub's own rules. */
export function isRepoName(text: string): boolean {
  const parts = text.split("/");
  const isShaped = parts.length <= 2 && parts.every((part) => REPO_PART.test(part));
  return isShaped && !/--|\.\.|\.git$/.test(text);
}

function notARepo(repo: string): LuciError {
  const [org, name, ...path] = repo.split("/");
  const hint = path.length > 0 ? { hint: `For one file write \`hf:${org}/${name}:${path.join("/")}\`` } : {};
  return new LuciError("E_REF_SYNTAX", `Not a Hugging Face repository: ${quote(repo)}`, hint);
}

function decode(segment: string, url: URL): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new LuciError("E_REF_SYNTAX", `Not a readable address: ${redactUrl(url.href)}`);
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
