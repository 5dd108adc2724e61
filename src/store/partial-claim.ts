// Taking an unfinished file into possession: by rename, so that two processes can never both write it,
// even where flock lies. What a dead process left is taken over; what a living one owns is not touched.

import { basename, join } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { isTagAlive, ownTag } from "../platform/machine.ts";
import { errnoOf } from "../platform/disk-error.ts";
import { type FileFacts, type OpenFile, describeKind } from "../platform/files.ts";
import { type ClaimedFile, keepSyncFailures } from "./checkpoint.ts";
import { journalPath, parsePartialName, partialFileName } from "./layout.ts";
import type { Store } from "./store.ts";

/** A data file that is ours: nobody else may write it. */
export interface Claim {
  readonly path: string;
  readonly file: ClaimedFile;
  /** Whether it was made just now, empty. */
  readonly fresh: boolean;
  /** Whether a journal lies there, of whatever worth. */
  hasJournal: boolean;
}

/** Whose data file is wanted. */
interface Wanted {
  readonly key: string;
  /** The tag of an owner that has ended, though it cannot be looked up from here; null for none. */
  readonly ended: string | null;
}

/** Takes the key's data file, or makes an empty one. @throws E_LOCKED while somebody, here or elsewhere, owns it */
export async function claimPartial(store: Store, wanted: Wanted): Promise<Claim> {
  const { key } = wanted;
  if (store.claimed.has(key))
    throw new LuciError("E_LOCKED", "the same file is being written for another model");
  store.claimed.add(key);
  try {
    return await claim(store, wanted);
  } catch (error) {
    store.claimed.delete(key);
    throw error;
  }
}

async function claim(store: Store, wanted: Wanted): Promise<Claim> {
  const { key } = wanted;
  // Mostly nothing is there; if something came since that was seen, it is found when ours is made.
  const names = store.tagged.has(key) ? null : await store.partials.recent();
  const isNew = names !== null && !names.some((name) => name.startsWith(key));
  return (isNew ? await claimNew(store, wanted) : null) ?? claimLeft(store, wanted);
}

/** Makes an empty data file; null where one turns up that a dead process left: then that is to be taken first. */
async function claimNew(store: Store, wanted: Wanted): Promise<Claim | null> {
  const { key } = wanted;
  const path = ownPath(store, key);
  const file = keepSyncFailures(await createOwn(store, path));
  store.tagged.add(key);
  const { isAlone, hasJournal } = await seeAlone(store, { ...wanted, path, file });
  return isAlone ? { path, file, fresh: true, hasJournal } : null;
}

function ownPath({ layout }: Store, key: string): string {
  return join(layout.partialsFolder, partialFileName({ key, tag: ownTag() }));
}

async function claimLeft(store: Store, wanted: Wanted): Promise<Claim> {
  const { key } = wanted;
  const folder = store.layout.partialsFolder;
  const own = ownPath(store, key);
  for (const name of (await findLeft(store, wanted)).names) {
    if (!(await store.files.rename(join(folder, name), own))) continue;
    store.tagged.add(key);
    const file = keepSyncFailures(await store.files.open(own, "update"));
    if (await isOnlyName(file)) return takeOver(store, { ...wanted, path: own, file });
    // A publish that died between link and unlink: these bytes are an installed file now, leave them alone.
    await file.close();
    await store.files.remove(own);
    store.tagged.delete(key);
  }
  // What was left and could not be taken, another process has: it is seen again, or has ended by now.
  return (await claimNew(store, wanted)) ?? claimLeft(store, wanted);
}

/**
 * Keeps what was taken, unless somebody has made his own meanwhile: who reads a folder while a name in it changes may
 * see neither the old name nor the new one.
 */
async function takeOver(
  store: Store,
  { key, ended, path, file }: Wanted & { path: string; file: ClaimedFile },
): Promise<Claim> {
  try {
    const { names, hasJournal } = await findLeft(store, { key, ended, own: basename(path) });
    // The one journal speaks of one of them: what else dead processes left of this file is in nobody's way.
    for (const name of names) await store.files.remove(join(store.layout.partialsFolder, name));
    return { path, file, fresh: false, hasJournal };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unclaimPartial(store, { path, key }).catch(() => undefined);
    store.tagged.delete(key);
    throw error;
  }
}

/** Makes the folder only where it is missing: most files find it there. */
async function createOwn(store: Store, own: string): Promise<OpenFile> {
  try {
    return await store.files.open(own, "create");
  } catch (error) {
    const errno = error instanceof LuciError ? errnoOf(error.cause) : null;
    if (errno === "EEXIST") throw lockedError(ownTag());
    if (errno !== "ENOENT") throw error;
    await store.files.makeFolder(store.layout.partialsFolder);
    return await store.files.open(own, "create");
  }
}

async function closeFor(file: OpenFile, error: unknown): Promise<never> {
  await file.close().catch(() => undefined);
  throw error;
}

/**
 * Two that begin at the same moment find nothing to rename and each make their own: whoever sees the other yields.
 * Answers whether there is a journal now: the other may have come and gone in between. Ours is gone again unless
 * it is alone.
 */
async function seeAlone(
  store: Store,
  { key, ended, path, file }: Wanted & { path: string; file: OpenFile },
): Promise<{ isAlone: boolean; hasJournal: boolean }> {
  const yieldTo = async (): Promise<void> => {
    await file.close();
    await store.files.remove(path);
    store.tagged.delete(key);
  };
  try {
    const { names, hasJournal } = await findLeft(store, { key, ended, own: basename(path) });
    if (names.length > 0) await yieldTo();
    return { isAlone: names.length === 0, hasJournal };
  } catch (error) {
    await yieldTo();
    throw error;
  }
}

async function isOnlyName(file: OpenFile): Promise<boolean> {
  const facts = await file.facts().catch((error: unknown) => closeFor(file, error));
  return facts.links === 1;
}

/** Data files of a key that nobody owns, and whether it has a journal. @throws E_LOCKED while somebody else does */
async function findLeft(
  store: Store,
  { key, ended, own = null }: Wanted & { own?: string | null },
): Promise<{ names: string[]; hasJournal: boolean }> {
  const journalName = basename(journalPath(store.layout, key));
  const names: string[] = [];
  let hasJournal = false;
  for (const name of await store.partials.now()) {
    if (name === journalName) hasJournal = true;
    if (name === own || !name.startsWith(key)) continue;
    const parsed = parsePartialName(name);
    if (parsed?.key !== key) continue;
    const facts = await plainFacts(store, join(store.layout.partialsFolder, name));
    // Gone since it was listed, and whoever had it may make it again: a name that is not there is not for the taking.
    if (facts === null) continue;
    const { tag } = parsed;
    if (tag !== null && tag !== ended && isOwned(store, { key, tag, facts })) throw lockedError(tag);
    names.push(name);
  }
  // What was put at rest in order comes first.
  return { names: names.toSorted((a, b) => a.length - b.length), hasJournal };
}

/** @throws E_UNSAFE_PATH for what luci cannot have put there */
async function plainFacts(store: Store, path: string): Promise<FileFacts | null> {
  const facts = await store.files.facts(path);
  if (facts === null || facts.kind === "file") return facts;
  const message = `${path}: ${describeKind(facts.kind)} stands where luci keeps an unfinished file`;
  throw new LuciError("E_UNSAFE_PATH", message, { hint: "Move it away" });
}

function lockedError(tag: string): LuciError {
  const isOwn = tag === ownTag();
  const who = isOwn ? "another part of this process" : `another process (pid ${tag.split(".")[0]})`;
  return new LuciError("E_LOCKED", `${who} is writing this file`);
}

function isOwned(store: Store, { key, tag, facts }: { key: string; tag: string; facts: FileFacts }): boolean {
  // The key is claimed: what this store left under its tag nobody writes any more.
  if (tag === ownTag()) return !store.tagged.has(key);
  return isTagAlive(tag, { lastSignMs: facts.modifiedMs, nowMs: Date.now() });
}

/** Puts a claimed data file back under its plain name, for whoever continues. */
export async function unclaimPartial(store: Store, claim: { path: string; key: string }): Promise<void> {
  const rest = join(store.layout.partialsFolder, partialFileName({ key: claim.key, tag: null }));
  await store.files.rename(claim.path, rest);
}
