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
  /** Keys whose partials are being written through this store. */
  readonly claimed: Set<string>;
  /** Keys whose data this store put under this process's tag, and has not put away: another store's are not its to take. */
  readonly tagged: Set<string>;
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
    tagged: new Set(),
    places: new Map(),
  };
}

/** For another run in this process: the same claims and workers, while folders are looked at anew. */
export function shareStore(store: Store): Store {
  return { ...store, places: new Map() };
}
