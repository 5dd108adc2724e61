// What a ref resolves to: a pinned list of files. Plain data, made by a source, carried by everyone else.

/** A digest somebody published. `git-sha1` is git's blob hash, the hub's digest of small files. */
export interface Digest {
  readonly algorithm: "sha256" | "git-sha1";
  readonly hex: string;
}

/** Who vouches for a file's digest. `none`: nobody published one, the file is installed as unverified. */
export type Authority = "catalog" | "hub" | "user" | "none";

/** How a file came to be in place. */
export type FileHow = "fetched" | "reused" | "linked" | "repaired";

/** What a source needs to ask for a file again, without secrets: this is stored in manifests. */
export type Origin =
  | { readonly kind: "huggingface"; readonly repo: string; readonly revision: string; readonly path: string }
  | { readonly kind: "url"; readonly url: string };

/** One file of a plan. `path` is a checked relative POSIX path inside the source. */
export interface PlanFile {
  readonly path: string;
  readonly sizeBytes: number | null;
  readonly digest: Digest | null;
  readonly authority: Authority;
  readonly origin: Origin;
}

/** A ref, pinned. `revision` is a commit where the source has such a thing. */
export interface Plan {
  /** The model's name: what `list` shows and `path`, `remove`, `verify` take. */
  readonly name: string;
  readonly ref: string;
  readonly source: Origin["kind"];
  readonly revision: string | null;
  /** Folder a multi-file model goes into (`org--repo`); null for a single plain file. */
  readonly folder: string | null;
  readonly files: readonly PlanFile[];
  /** Sentences the user should read: what was left out and why. */
  readonly notices: readonly string[];
}

/** How to ask for a file now. Headers go to this URL's origin only. */
export interface Located {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the first answer for a file says of its version. Only strong ETags count. */
export interface Validator {
  readonly etag: string | null;
  readonly sizeBytes: number | null;
  /** The SHA-256 the source announces beside the bytes, where it does (X-Linked-Etag). */
  readonly sha256: string | null;
}

/** A file up to this size costs more waiting and bookkeeping than bytes. */
const SMALL_BYTES = 1024 * 1024;

/** Whether a file is one of the many small ones of a repository. */
export function isSmall({ sizeBytes }: Pick<PlanFile, "sizeBytes">): boolean {
  return sizeBytes !== null && sizeBytes <= SMALL_BYTES;
}

/** The stable identity of a file's content: its SHA-256 where one is published, else where it comes from. */
export function contentIdentity(file: PlanFile): string {
  if (file.digest?.algorithm === "sha256") return `sha256:${file.digest.hex}`;
  const { origin } = file;
  const place = origin.kind === "url" ? origin.url : `${origin.repo}@${origin.revision}/${origin.path}`;
  return `${origin.kind}:${place}`;
}
