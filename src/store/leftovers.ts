// What unfinished and crashed runs left behind: found here, deleted only by `deleteLeftover`, item by item.
// Data is taken first, by rename as a run would take it: small files are written without a lock.

import { join } from "node:path";
import { formatBytes } from "../domain/size.ts";
import type { FileFacts } from "../platform/files.ts";
import { isLockAlive, tryLock } from "../platform/lock.ts";
import { isTagAlive, ownTag } from "../platform/machine.ts";
import { type Journal, keptBytesIn, readJournal } from "./journal.ts";
import { journalPath, lockPath, parsePartialName, partialFileName } from "./layout.ts";
import type { Leftover } from "./leftover.ts";
import { changeRecords } from "./records-lock.ts";
import { findTombstones, finishRemoval } from "./removal.ts";
import { type Store, holdKey } from "./store.ts";

/** A text on its way to replace another, with its writer's tag. */
const TEMPORARY = /\.(\d+\.[0-9a-f]+)\.\d+\.tmp$/;

type Keyed = Leftover & { readonly key: string };

/** Everything in the private folder that no finished model needs. */
export async function findLeftovers(store: Store): Promise<Leftover[]> {
  const nowMs = Date.now();
  const partials = await findPartials(store, nowMs);
  const keys = new Set(partials.map((partial) => partial.key));
  return [
    ...partials,
    ...(await findLoneJournals(store, { keys, nowMs })),
    ...(await findTemporaries(store, nowMs)),
    ...(await findLocks(store, nowMs)),
    ...(await findTombstones(store, nowMs)),
  ];
}

async function factsIn(
  store: Store,
  folder: string,
  keep: (name: string) => boolean,
): Promise<{ name: string; path: string; facts: FileFacts }[]> {
  const found: { name: string; path: string; facts: FileFacts }[] = [];
  for (const name of await store.files.list(folder)) {
    if (!keep(name)) continue;
    const path = join(folder, name);
    const facts = await store.files.facts(path);
    if (facts) found.push({ name, path, facts });
  }
  return found;
}

/** What all leftovers have, for those of no key and no removal. */
function leftoverOf({ path, facts }: { path: string; facts: FileFacts }, nowMs: number) {
  return {
    path,
    sizeBytes: facts.allocatedBytes,
    ageMs: Math.max(0, nowMs - facts.modifiedMs),
    of: null,
    key: null,
    keptBytes: 0,
    isAlive: false,
    modifiedNs: null,
    isRemoval: false,
  };
}

async function findPartials(store: Store, nowMs: number): Promise<Leftover[]> {
  const names = await factsIn(store, store.layout.partialsFolder, (name) => parsePartialName(name) !== null);
  const items: Leftover[] = [];
  for (const { name, path, facts } of names) {
    const parsed = parsePartialName(name);
    if (!parsed) continue;
    const journal = await readJournal(store, parsed.key);
    const isAlive = parsed.tag !== null && isTagAlive(parsed.tag, { lastSignMs: facts.modifiedMs, nowMs });
    items.push({
      ...leftoverOf({ path, facts }, nowMs),
      kind: journal ? "partial" : "orphan",
      of: journal?.label ?? null,
      reason: isAlive
        ? "a running luci is writing it"
        : journal
          ? describeKept(journal)
          : "data without a journal",
      key: parsed.key,
      keptBytes: journal ? keptBytesIn(journal) : 0,
      isAlive,
      modifiedNs: facts.modifiedNs,
    });
  }
  return items;
}

/** In the words of the run that left it: its data may take more room than was kept. */
function describeKept(journal: Journal): string {
  const size = journal.sizeBytes === null ? "" : ` of ${formatBytes(journal.sizeBytes)}`;
  return `unfinished download, kept ${formatBytes(keptBytesIn(journal))}${size}`;
}

async function findLoneJournals(
  store: Store,
  known: { keys: Set<string | null>; nowMs: number },
): Promise<Leftover[]> {
  const names = await factsIn(store, store.layout.partialsFolder, (name) =>
    /^(sha256|source)-[0-9a-f]+\.json$/.test(name),
  );
  return names
    .map((found) => ({ ...found, key: found.name.slice(0, -".json".length) }))
    .filter(({ key }) => !known.keys.has(key))
    .map(({ path, facts, key }) => ({
      ...leftoverOf({ path, facts }, known.nowMs),
      kind: "orphan" as const,
      reason: "journal without data",
      key,
      modifiedNs: facts.modifiedNs,
    }));
}

async function findTemporaries(store: Store, nowMs: number): Promise<Leftover[]> {
  const { partialsFolder, manifestsFolder } = store.layout;
  const items: Leftover[] = [];
  for (const folder of [partialsFolder, manifestsFolder]) {
    for (const { name, path, facts } of await factsIn(store, folder, (name) => TEMPORARY.test(name))) {
      const tag = TEMPORARY.exec(name)?.[1] ?? "";
      const isAlive = isTagAlive(tag, { lastSignMs: facts.modifiedMs, nowMs });
      const reason = isAlive ? "a running luci is writing it" : "left by a run that was killed";
      items.push({ ...leftoverOf({ path, facts }, nowMs), kind: "temporary", reason, isAlive });
    }
  }
  return items;
}

async function findLocks(store: Store, nowMs: number): Promise<Leftover[]> {
  const locks = await factsIn(store, store.layout.locksFolder, (name) => name.endsWith(".lock"));
  return locks.map(({ path, facts }) => {
    const isAlive = isLockAlive(path);
    const reason = isAlive ? "held by a running luci" : "its process is gone";
    return { ...leftoverOf({ path, facts }, nowMs), kind: "lock", reason, isAlive };
  });
}

/** Deletes one leftover, unless a running luci has taken it meanwhile. Answers whether it is gone. */
export async function deleteLeftover(store: Store, item: Leftover): Promise<boolean> {
  if (item.kind === "lock") return deleteLock(item.path);
  if (item.isRemoval) return changeRecords(store, {}, () => finishRemoval(store, item.path));
  const { key } = item;
  if (key === null) return store.files.remove(item.path);
  return (await holdKey(store, key, () => deleteLocked(store, { ...item, key }))) ?? false;
}

async function deleteLocked(store: Store, item: Keyed): Promise<boolean> {
  await store.files.makeFolder(store.layout.locksFolder);
  const lock = await tryLock(lockPath(store.layout, item.key));
  if (!("release" in lock)) return false;
  try {
    return await deleteUnfinished(store, item);
  } finally {
    lock.release();
  }
}

/** Deletes data with its journal, or a lone journal: only what was planned, and nothing a run made of it since. */
async function deleteUnfinished(store: Store, item: Keyed): Promise<boolean> {
  const { files, layout } = store;
  const journal = journalPath(layout, item.key);
  // While data of this name stands there, every other run holds the file for taken.
  const ownName = partialFileName({ key: item.key, tag: ownTag() });
  const own = join(layout.partialsFolder, ownName);
  const isData = item.path !== journal;
  if (!isData) await (await files.open(own, "create")).close();
  else if (!(await files.rename(item.path, own))) return false;
  const names = await files.list(layout.partialsFolder);
  const hasOthers = names.some((name) => name !== ownName && parsePartialName(name)?.key === item.key);
  const facts = await files.facts(isData ? own : journal);
  const isSame = facts?.modifiedNs === item.modifiedNs && (isData || !hasOthers);
  if (isData && !isSame) {
    await files.rename(own, item.path);
    return false;
  }
  // The one journal may speak of other data of this file: it goes with the last.
  if (isSame && !hasOthers) await files.remove(journal);
  await files.remove(own);
  return isSame;
}

/** Taking a dead lock and letting go of it removes it, and cannot remove a living one. */
async function deleteLock(path: string): Promise<boolean> {
  const lock = await tryLock(path);
  if (!("release" in lock)) return false;
  lock.release();
  return true;
}
