// Making an unfinished file durable: first its data, then the journal that claims it. Never the other way round.

import { LuciError, toLuciError } from "../domain/errors.ts";
import type { Range } from "../domain/range.ts";
import type { OpenFile } from "../platform/files.ts";
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
  const journal = makeJournal({ ...parts, facts: await claim.file.facts() });
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

/** The last bytes that were written, as many as make room for a journal; null when there are none. */
export function lastBytes(written: readonly Range[]): Range | null {
  const last = written.at(-1);
  return last ? { ...last, startBytes: Math.max(last.startBytes, last.endBytes - ROOM_BYTES) } : null;
}

/** Makes a claimed file empty, and nothing may claim otherwise: the journal goes first, durably. */
export async function emptyClaim(store: Store, claim: Claim, key: string): Promise<void> {
  if (await store.files.remove(journalPath(store.layout, key)))
    await store.files.syncFolder(store.layout.partialsFolder);
  await claim.file.truncate(0);
}

/**
 * The same file, whose failed sync stays failed: the system drops pages it could not write, so that a
 * second sync would succeed without them.
 */
export function keepSyncFailures(file: OpenFile): OpenFile {
  let failure: LuciError | null = null;
  const held = async (sync: () => Promise<void>): Promise<void> => {
    if (failure) throw failure;
    await sync().catch((error: unknown) => {
      failure = toLuciError(error);
      throw failure;
    });
  };
  return { ...file, datasync: () => held(() => file.datasync()), sync: () => held(() => file.sync()) };
}
