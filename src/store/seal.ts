// The only way to a final name: hash of what is on disk, look at the content, fsync, rename, fsync of the folder.

import { dirname } from "node:path";
import { LuciError } from "../domain/errors.ts";
import type { Digest, PlanFile } from "../domain/plan.ts";
import type { Digests } from "./frontier-hash.ts";
import { inspectFile } from "./inspect.ts";
import { type ManifestFile, installedPath } from "./manifest.ts";
import type { StorePartial } from "./partial.ts";
import { type Placement, makePlace } from "./place.ts";
import type { Store } from "./store.ts";
import { hashWholeFile } from "./whole-hash.ts";

const MOST_TRIES = 3;

export interface SealOptions {
  readonly placement: Placement;
  /** A file that stands at the final name is replaced: it is damaged, or the user said so. */
  readonly replace: boolean;
  readonly allowUnsafe: boolean;
  /** Make the name durable now; else whoever publishes the model does, for many files at once. A journal wants it now. */
  readonly syncName: boolean;
  readonly signal: AbortSignal;
}

/**
 * Gives a whole partial its final name, durably.
 * @throws E_DIGEST when the bytes on disk are not the published ones; E_UNSAFE_FILE, E_MALFORMED for its
 * content; E_DAMAGED when an unknown file stands in its place
 */
export async function sealPartial(
  store: Store,
  partial: StorePartial,
  options: SealOptions,
): Promise<ManifestFile> {
  const { placement, signal } = options;
  const digests = await partial.digests(signal);
  assertDigest(placement.file, digests);
  const sizeBytes = partial.sizeBytes ?? 0;
  await inspectFile(partial.data, {
    name: placement.file.path,
    sizeBytes,
    allowUnsafe: options.allowUnsafe,
  });
  signal.throwIfAborted();
  // Another name changes nothing of these.
  const { modifiedNs } = await partial.sync();
  const finalPath = installedPath(store, placement);
  if (!(await moveInto(store, partial, { ...options, finalPath })))
    return adoptTwin(store, partial, { ...options, digests, sizeBytes });
  // While there is a journal, a power cut costs only what it does not claim: it may go once the name is for good.
  const needsName = options.syncName || partial.claim.hasJournal;
  // A `luci remove` beside us may have taken it away again, its folder too.
  if (needsName && (await store.files.facts(finalPath))) await store.files.syncFolder(dirname(finalPath));
  await partial.finishPublished();
  return {
    ...recordOf(placement, digests),
    sizeBytes,
    modifiedNs,
    pieces: partial.pieces.map((mark) => mark ?? ""),
  };
}

/**
 * Gives the data its final name; false when something stands there. A `luci remove` beside us may take away what
 * stood there, or the folder that we just made.
 */
async function moveInto(
  store: Store,
  partial: StorePartial,
  { placement, replace, finalPath }: SealOptions & { finalPath: string },
): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    await makePlace(store, placement.path);
    try {
      const moved = replace
        ? await store.files.rename(partial.path, finalPath)
        : await store.files.renameToFree(partial.path, finalPath);
      if (moved || tries === MOST_TRIES || (await store.files.facts(finalPath))) return moved;
    } catch (error) {
      if (tries === MOST_TRIES || (await store.files.facts(dirname(finalPath)))) throw error;
    }
    store.places.clear();
  }
}

/** Another process was faster: if its file is what ours is, that is what was wanted. @throws E_DAMAGED if it is not */
async function adoptTwin(
  store: Store,
  partial: StorePartial,
  { placement, signal, digests, sizeBytes }: SealOptions & { digests: Digests; sizeBytes: number },
): Promise<ManifestFile> {
  const path = installedPath(store, placement);
  const facts = await store.files.facts(path);
  if (facts?.kind !== "file" || facts.sizeBytes !== sizeBytes) throw strangerError(path);
  const found = await hashWholeFile(store, path, { sizeBytes, gitBlob: false, signal });
  if (found.sha256 !== digests.sha256) throw strangerError(path);
  await partial.discard();
  const { modifiedNs } = facts;
  return { ...recordOf(placement, digests), sizeBytes, modifiedNs, pieces: [...found.pieces] };
}

/** The part of a file's record that does not depend on how it came to be there. */
export function recordOf(
  placement: Placement,
  digests: Digests,
): Pick<ManifestFile, "path" | "sha256" | "gitSha1" | "authority" | "origin"> {
  const { file, path } = placement;
  const gitSha1 = file.digest?.algorithm === "git-sha1" ? digests.gitSha1 : null;
  return { path, sha256: digests.sha256, gitSha1, authority: file.authority, origin: file.origin };
}

/** Whether digests of a file on disk are the published one; true where none was published. */
export function matchesDigest(published: Digest | null, digests: Digests): boolean {
  if (published === null) return true;
  return published.hex === (published.algorithm === "sha256" ? digests.sha256 : digests.gitSha1);
}

function assertDigest(file: PlanFile, digests: Digests): void {
  const wanted = file.digest;
  if (wanted === null || matchesDigest(wanted, digests)) return;
  const got = wanted.algorithm === "sha256" ? digests.sha256 : digests.gitSha1;
  const given = file.authority === "user";
  throw new LuciError(
    "E_DIGEST",
    `${file.path}: the bytes received have ${wanted.algorithm} ${got?.slice(0, 12)}…, ${given ? "given was" : "published is"} ${wanted.hex.slice(0, 12)}…`,
    given ? { hint: "Check the digest you gave: the source sends these bytes every time" } : {},
  );
}

/** What to say when something luci knows nothing of stands where a model should go. */
export function strangerError(path: string): LuciError {
  return new LuciError("E_DAMAGED", `${path}: a file of that name is there already and is not this model`, {
    hint: "Move it away, or replace it with --force",
  });
}
