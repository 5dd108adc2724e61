// The same download asked for a second time: what the second word may change of it, and what contradicts it. Pure.

import type { Job } from "../domain/job.ts";
import type { DownloadRow, DownloadWish } from "./download-rows.ts";
import type { JobChange } from "./jobs.ts";
import { Problem } from "./problem.ts";

/** A wish, and what of it was said: the rest is as usual, and changes nothing of a download that is on its way. */
export type DownloadAsk = DownloadWish & { readonly said?: JobChange };

/** A download that was asked for: a new one, or the one that does it already. */
export interface Added {
  readonly job: Job;
  readonly isNew: boolean;
}

/** What asks come to: rows that are new, and for each ask whose download it is. */
export interface SortedAsks {
  readonly fresh: readonly DownloadRow[];
  readonly meant: readonly { readonly id: string; readonly isNew: boolean; readonly change: JobChange }[];
}

/** Tells what is new from what is on its way. @throws Problem 409 where an ask contradicts what is on its way */
export function sortAsks(
  asks: readonly DownloadAsk[],
  { open, make }: { open: readonly DownloadRow[]; make(wish: DownloadWish): DownloadRow },
): SortedAsks {
  const onTheirWay = new Map(open.map((row) => [row.ref, row]));
  const fresh: DownloadRow[] = [];
  const meant = asks.map(({ said = {}, ...wish }) => {
    const known = onTheirWay.get(wish.ref);
    if (known) {
      assertSameAsk(known, wish);
      return { id: known.id, isNew: false, change: newsOf(said, known) };
    }
    const row = make(wish);
    fresh.push(row);
    onTheirWay.set(row.ref, row);
    return { id: row.id, isNew: true, change: {} };
  });
  return { fresh, meant };
}

/** Takes care that nobody relies on a promise that the running download does not make. @throws Problem 409 */
function assertSameAsk({ id, ref, ...row }: DownloadRow, wish: DownloadWish): void {
  const isOtherDigest = wish.sha256 !== null && wish.sha256 !== row.sha256;
  const isOtherTrust = wish.allowUnsafe && !row.allowUnsafe;
  if (!isOtherDigest && !isOtherTrust) return;
  const what = isOtherDigest
    ? `${row.sha256 === null ? "without a digest" : "with another digest"} (\`sha256\`)`
    : "without unsafe files allowed (`allowUnsafe`)";
  throw new Problem({
    status: 409,
    code: "E_LOCKED",
    detail: `${ref} is on its way already as ${id}, ${what}`,
    hint: `Wait for ${id} or cancel it (\`luci cancel ${id}\`), then ask again`,
    field: isOtherDigest ? "sha256" : "allowUnsafe",
  });
}

/** What of a second word is news. */
function newsOf({ priority, limitBytesPerSec }: JobChange, row: DownloadRow): JobChange {
  const isNewLimit = limitBytesPerSec !== undefined && limitBytesPerSec !== row.limitBytesPerSec;
  return {
    ...(priority === undefined || priority === row.priority ? {} : { priority }),
    ...(isNewLimit ? { limitBytesPerSec } : {}),
  };
}
