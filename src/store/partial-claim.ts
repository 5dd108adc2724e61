// Taking an unfinished file into possession: by rename, so that two processes can never both write it,
// even where flock lies. What a dead process left is taken over; what a living one owns is not touched.

import { join } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { isTagAlive, ownIdentity, ownerTag } from "../platform/machine.ts";
import { type OpenFile, describeKind } from "../platform/files.ts";
import { type ClaimedFile, keepSyncFailures } from "./checkpoint.ts";
import { parsePartialName, partialFileName } from "./layout.ts";
import type { Store } from "./store.ts";

/** A data file that is ours: nobody else may write it. */
export interface Claim {
  readonly path: string;
  readonly file: ClaimedFile;
  /** Whether it was made just now, empty. */
  readonly fresh: boolean;
}

/** Takes the key's data file, or makes an empty one. @throws E_LOCKED while somebody, here or elsewhere, owns it */
export async function claimPartial(store: Store, key: string): Promise<Claim> {
  if (store.claimed.has(key))
    throw new LuciError("E_LOCKED", "the same file is being written for another model");
  store.claimed.add(key);
  try {
    return await claim(store, key);
  } catch (error) {
    store.claimed.delete(key);
    throw error;
  }
}

async function claim(store: Store, key: string): Promise<Claim> {
  const folder = store.layout.partialsFolder;
  await store.files.makeFolder(folder);
  const own = join(folder, partialFileName({ key, tag: ownerTag(ownIdentity()) }));
  const names = await candidates(store, key);
  for (const [index, name] of names.entries()) {
    if (!(await store.files.rename(join(folder, name), own))) continue;
    const file = keepSyncFailures(await store.files.open(own, "update"));
    if (await isOnlyName(file)) {
      // The one journal speaks of one of them: what else dead processes left of this file is in nobody's way.
      const others = names.slice(index + 1).map((other) => join(folder, other));
      await removeAll(store, others).catch((error: unknown) => closeFor(file, error));
      return { path: own, file, fresh: false };
    }
    // A publish that died between link and unlink: these bytes are an installed file now, leave them alone.
    await file.close();
    await store.files.remove(own);
  }
  const file = keepSyncFailures(await store.files.open(own, "create"));
  await assertAlone(store, { key, own, file });
  return { path: own, file, fresh: true };
}

async function removeAll({ files }: Store, paths: readonly string[]): Promise<void> {
  for (const path of paths) await files.remove(path);
}

async function closeFor(file: OpenFile, error: unknown): Promise<never> {
  await file.close().catch(() => undefined);
  throw error;
}

/** Two that begin at the same moment find nothing to rename and each make their own: whoever sees the other yields. */
async function assertAlone(store: Store, made: { key: string; own: string; file: OpenFile }): Promise<void> {
  try {
    await candidates(store, made.key);
  } catch (error) {
    await made.file.close();
    await store.files.remove(made.own);
    throw error;
  }
}

async function isOnlyName(file: OpenFile): Promise<boolean> {
  const facts = await file.facts().catch((error: unknown) => closeFor(file, error));
  return facts.links === 1;
}

async function candidates(store: Store, key: string): Promise<string[]> {
  const names: string[] = [];
  for (const name of await store.files.list(store.layout.partialsFolder)) {
    const parsed = parsePartialName(name);
    if (parsed?.key !== key) continue;
    await assertPlainFile(store, join(store.layout.partialsFolder, name));
    if (parsed.tag !== null && (await isOwned(store, { name, tag: parsed.tag }))) {
      throw new LuciError(
        "E_LOCKED",
        `another process (pid ${parsed.tag.split(".")[0]}) is writing this file`,
      );
    }
    names.push(name);
  }
  // What was put at rest in order comes first.
  return names.toSorted((a, b) => a.length - b.length);
}

/** @throws E_UNSAFE_PATH for what luci cannot have put there */
async function assertPlainFile(store: Store, path: string): Promise<void> {
  const facts = await store.files.facts(path);
  if (facts === null || facts.kind === "file") return;
  throw new LuciError(
    "E_UNSAFE_PATH",
    `${path}: ${describeKind(facts.kind)} stands where luci keeps an unfinished file`,
    {
      hint: "Move it away",
    },
  );
}

async function isOwned(store: Store, owned: { name: string; tag: string }): Promise<boolean> {
  const facts = await store.files.facts(join(store.layout.partialsFolder, owned.name));
  if (!facts || owned.tag === ownerTag(ownIdentity())) return false;
  return isTagAlive(owned.tag, { lastSignMs: facts.modifiedMs, nowMs: Date.now() });
}

/** Puts a claimed data file back under its plain name, for whoever continues. */
export async function unclaimPartial(store: Store, claim: { path: string; key: string }): Promise<void> {
  const rest = join(store.layout.partialsFolder, partialFileName({ key: claim.key, tag: null }));
  await store.files.rename(claim.path, rest);
}
