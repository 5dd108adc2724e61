// What the files of this room share: the disk, the paths and the hash workers of one models folder.

import type { Files } from "../platform/files.ts";
import { type HashPool, createHashPool } from "../platform/hash-pool.ts";
import type { HasherChoice } from "../domain/settings.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { Lately, SharedListing } from "./lately.ts";

export interface Store {
  readonly files: Files;
  readonly layout: Layout;
  readonly hashes: HashPool;
  readonly hasher: HasherChoice;
  /** Keys whose partials are being written through this store. */
  readonly claimed: Set<string>;
  /** Keys whose data this store put under this process's tag, and has not put away: another store's are not its to take. */
  readonly tagged: Set<string>;
  /** Folders for models that no link led to just now. */
  readonly ways: Lately;
  /** Folders for models that were looked at and made just now. */
  readonly places: Lately;
  /** What lies among the unfinished files. */
  readonly partials: SharedListing;
}

/** Opens a models folder without touching it: nothing is made before something is written. */
export function openStore(options: { files: Files; modelsFolder: string; hasher: HasherChoice }): Store {
  const layout = layoutOf(options.modelsFolder);
  return {
    files: options.files,
    layout,
    hashes: createHashPool(),
    hasher: options.hasher,
    claimed: new Set(),
    tagged: new Set(),
    ways: new Lately(),
    places: new Lately(),
    partials: new SharedListing(options.files, layout.partialsFolder),
  };
}

/** Acts while nobody else here may write a key's data; answers null, without acting, where somebody does. */
export async function holdKey<T>({ claimed }: Store, key: string, act: () => Promise<T>): Promise<T | null> {
  if (claimed.has(key)) return null;
  claimed.add(key);
  try {
    return await act();
  } finally {
    claimed.delete(key);
  }
}

/** For another run in this process: the same claims and workers, while folders are looked at anew. */
export function shareStore(store: Store): Store {
  return { ...store, ways: new Lately(), places: new Lately() };
}
