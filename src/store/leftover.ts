// One thing an unfinished or crashed run left behind. Plain data.

import type { CleanupItem } from "../domain/results.ts";

/** An item of a cleanup plan, with what its deletion needs. */
export interface Leftover extends CleanupItem {
  /** The key whose lock and journal belong to it; null for what has none. */
  readonly key: string | null;
  /** What of it a next run begins with, as its journal says; the disk may hold more for it. */
  readonly keptBytes: number;
  readonly isAlive: boolean;
  /** When the planned data or journal of a key was last written; null for what has no key. */
  readonly modifiedNs: string | null;
  /** Left by a removal: an install may need it again. */
  readonly isRemoval: boolean;
}
