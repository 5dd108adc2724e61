// What the files of this room share: the disk, the paths and the hash workers of one models folder.

import type { Files } from "../platform/files.ts";
import { type HashPool, createHashPool } from "../platform/hash-pool.ts";
import type { HasherChoice } from "../domain/settings.ts";
import { type Layout, layoutOf } from "./layout.ts";

export interface Store {
  readonly files: Files;
  readonly layout: Layout;
  readonly hashes: HashPool;
  readonly hasher: HasherChoice;
  /** Keys whose partials this very process is writing. */
  readonly claimed: Set<string>;
  /** Folders for models that were looked at and made just now, by path. */
  readonly places: Map<string, Place>;
}

/** A folder that was looked at and made, or is being made, since a moment of `performance.now()`. */
interface Place {
  readonly made: Promise<void>;
  readonly sinceMs: number;
}

/** Opens a models folder without touching it: nothing is made before something is written. */
export function openStore(options: { files: Files; modelsFolder: string; hasher: HasherChoice }): Store {
  return {
    files: options.files,
    layout: layoutOf(options.modelsFolder),
    hashes: createHashPool(),
    hasher: options.hasher,
    claimed: new Set(),
    places: new Map(),
  };
}
