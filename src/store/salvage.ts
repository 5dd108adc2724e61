// Turns a damaged installed file into a partial whose bad pieces are missing ranges. The installed file
// stays as it is: the ordinary path fetches the pieces, checks the whole and replaces it.

import { join } from "node:path";
import { type Range, missingRanges, subtractRange } from "../domain/range.ts";
import { ownIdentity, ownerTag } from "../platform/machine.ts";
import { formatJournal, makeJournal, readJournal } from "./journal.ts";
import { journalPath, parsePartialName, partialFileName } from "./layout.ts";
import { type ManifestFile, installedPath } from "./manifest.ts";
import { unclaimPartial } from "./partial-claim.ts";
import type { Store } from "./store.ts";

/** Makes the partial, unless an earlier repair left one. Call it under the file's lock. */
export async function salvageFile(
  store: Store,
  key: string,
  damaged: { record: ManifestFile; badPieces: readonly Range[]; label: string },
): Promise<void> {
  const { files, layout } = store;
  // A repair that was killed leaves its data under its own name.
  const names = await files.list(layout.partialsFolder);
  if (names.some((name) => parsePartialName(name)?.key === key) && (await readJournal(store, key))) return;
  const { record } = damaged;
  await files.makeFolder(layout.partialsFolder);
  const copy = join(layout.partialsFolder, partialFileName({ key, tag: ownerTag(ownIdentity()) }));
  await files.remove(copy);
  await files.clone(installedPath(store, record), copy);
  const file = await files.open(copy, "update");
  try {
    await file.datasync();
    const facts = await file.facts();
    const durable = damaged.badPieces.reduce<Range[]>(subtractRange, missingRanges([], record.sizeBytes));
    const journal = makeJournal({
      key,
      label: damaged.label,
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
  await unclaimPartial(store, { path: copy, key });
}
