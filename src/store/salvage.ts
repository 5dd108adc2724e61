// Turns a damaged installed file into a partial whose bad pieces are missing ranges. The installed file
// stays as it is: the ordinary path fetches the pieces, checks the whole and replaces it.

import { join } from "node:path";
import { isSmall } from "../domain/plan.ts";
import { type Range, missingRanges, subtractRange } from "../domain/range.ts";
import { ownTag } from "../platform/machine.ts";
import { formatJournal, makeJournal, readJournal } from "./journal.ts";
import { journalPath, parsePartialName, partialFileName } from "./layout.ts";
import { type ManifestFile, installedPath } from "./manifest.ts";
import { unclaimPartial } from "./partial-claim.ts";
import { type Store, holdKey } from "./store.ts";

interface Damaged {
  readonly record: ManifestFile;
  readonly badPieces: readonly Range[];
  /** For people: "model · file". */
  readonly label: string;
}

/**
 * Makes the partial, unless an earlier repair left one or somebody writes it at the moment. Of a small file there is
 * none to make: it is fetched whole, and others write it without a lock. Call it under the file's lock.
 */
export async function salvageFile(store: Store, key: string, damaged: Damaged): Promise<void> {
  if (!isSmall(damaged.record)) await holdKey(store, key, () => makePartial(store, key, damaged));
}

async function makePartial(store: Store, key: string, damaged: Damaged): Promise<void> {
  const { files, layout } = store;
  // A repair that was killed leaves its data under its own name.
  const names = await files.list(layout.partialsFolder);
  if (names.some((name) => parsePartialName(name)?.key === key) && (await readJournal(store, key))) return;
  const { record } = damaged;
  await files.makeFolder(layout.partialsFolder);
  const copy = join(layout.partialsFolder, partialFileName({ key, tag: ownTag() }));
  await files.remove(copy);
  try {
    await files.clone(installedPath(store, record), copy);
    await claimSound(store, copy, { ...damaged, key });
  } catch (error) {
    // Where the disk is full, half a copy would keep the room that everybody waits for.
    await files.remove(copy).catch(() => false);
    throw error;
  }
  await unclaimPartial(store, { path: copy, key });
}

/** Writes the journal of a copy: what an audit found sound is durable. */
async function claimSound(
  { files, layout }: Store,
  copy: string,
  { key, record, badPieces, label }: Damaged & { key: string },
): Promise<void> {
  const file = await files.open(copy, "update");
  try {
    await file.datasync();
    const facts = await file.facts();
    const durable = badPieces.reduce<Range[]>(subtractRange, missingRanges([], record.sizeBytes));
    const journal = makeJournal({
      key,
      label,
      sizeBytes: record.sizeBytes,
      etag: null,
      durable,
      pieces: record.pieces,
      checkpoint: null,
      facts,
    });
    await files.replaceText(journalPath(layout, key), formatJournal(journal));
  } finally {
    await file.close();
  }
}
