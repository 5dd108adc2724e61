// Making an unfinished file durable: first its data, then the journal that claims it. Never the other way round.

import { LuciError, toLuciError } from "../domain/errors.ts";
import { type Range, subtractRange } from "../domain/range.ts";
import { keptLess } from "../platform/disk-error.ts";
import type { FileFacts, OpenFile } from "../platform/files.ts";
import { type JournalParts, formatJournal, makeJournal } from "./journal.ts";
import { journalPath } from "./layout.ts";
import type { Claim } from "./partial-claim.ts";
import type { Store } from "./store.ts";

/** What a full disk gets back for the journal's sake. */
const ROOM_BYTES = 1024 * 1024;

/**
 * Writes one checkpoint of a claimed file.
 * @throws E_LOCKED when another process took the file over; E_IO, E_NO_SPACE as the disk says
 */
export async function writeCheckpoint(
  store: Store,
  claim: Claim,
  parts: Omit<JournalParts, "facts">,
): Promise<void> {
  await claim.file.datasync();
  claim.hasJournal = true;
  await assertOwned(store, claim, parts.label);
  const facts = await claim.file.facts();
  if (facts.sizeBytes < (parts.durable.at(-1)?.endBytes ?? 0)) throw keptLess(claim.path);
  const journal = makeJournal({ ...parts, facts });
  await store.files.replaceText(journalPath(store.layout, parts.key), formatJournal(journal));
}

/** Another process that took us for dead owns the data now; ours must not write a journal for it. */
async function assertOwned(store: Store, claim: Claim, label: string): Promise<void> {
  if (await store.files.facts(claim.path)) return;
  throw new LuciError("E_LOCKED", `${label}: another process took this download over`);
}

/** Removes the journal of a file that needs none any more. Small files mostly never had one. */
export async function removeJournal(
  store: Store,
  { claim, key }: { claim: Claim; key: string },
): Promise<void> {
  if (claim.hasJournal) await store.files.remove(journalPath(store.layout, key));
}

/** Makes a claimed file empty, and nothing may claim otherwise: the journal goes first, durably. */
export async function emptyClaim(store: Store, claim: Claim, key: string): Promise<void> {
  if (await store.files.remove(journalPath(store.layout, key)))
    await store.files.syncFolder(store.layout.partialsFolder);
  await claim.file.truncate(0);
}

/** Gives back the last bytes of a file, but none that its journal claims, and answers what is left of it. */
export async function cutEnd(
  file: OpenFile,
  { written, kept }: { written: readonly Range[]; kept: readonly Range[] },
): Promise<Range[]> {
  const { startBytes, endBytes } = written.at(-1) ?? { startBytes: 0, endBytes: 0 };
  const cutBytes = Math.max(startBytes, endBytes - ROOM_BYTES, kept.at(-1)?.endBytes ?? 0);
  await file.truncate(cutBytes);
  return subtractRange([...written], { startBytes: cutBytes, endBytes });
}

/**
 * Makes a whole file durable, and answers its facts. What lies behind its last byte was never hashed, and is no
 * part of it.
 * @throws E_IO when the disk holds less than was written; what the disk says
 */
export async function syncWhole(file: OpenFile, wholeBytes: number | null): Promise<FileFacts> {
  await file.sync();
  // Asked after it: a network disk may set the time only when the bytes arrive.
  const facts = await file.facts();
  if (wholeBytes === null || facts.sizeBytes === wholeBytes) return facts;
  if (facts.sizeBytes < wholeBytes) throw keptLess(file.path);
  await file.truncate(wholeBytes);
  await file.sync();
  return file.facts();
}

/** A file that remembers that a sync failed. */
export interface ClaimedFile extends OpenFile {
  hasLostSync(): boolean;
}

/**
 * The same file, whose failed sync stays failed: the system drops pages it could not write, so that a
 * second sync would succeed without them.
 */
export function keepSyncFailures(file: OpenFile): ClaimedFile {
  let failure: LuciError | null = null;
  const held = async (sync: () => Promise<void>): Promise<void> => {
    if (failure) throw failure;
    await sync().catch((error: unknown) => {
      failure = toLuciError(error);
      throw failure;
    });
  };
  return {
    ...file,
    datasync: () => held(() => file.datasync()),
    sync: () => held(() => file.sync()),
    hasLostSync: () => failure !== null,
  };
}
