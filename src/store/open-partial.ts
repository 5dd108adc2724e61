// Opening a file's partial: claim the data, then believe its journal as far as it proves itself.

import type { OpenFile } from "../platform/files.ts";
import { partialKey } from "./layout.ts";
import { claimPartial } from "./partial-claim.ts";
import { StorePartial } from "./partial.ts";
import type { PartialOptions } from "./partial-options.ts";
import type { Store } from "./store.ts";

/** Where FAT32 ends. Below it nothing is tried out: such a file system has no sparse files, it would write them. */
const SMALL_ENOUGH_BYTES = 2 ** 32 - 1;

/**
 * Opens a file's partial, taking over what an interrupted run left.
 * @throws E_LOCKED while another process owns it; E_IO where the file system takes no file of its size
 */
export async function openPartial(store: Store, options: PartialOptions): Promise<StorePartial> {
  const key = partialKey(options.file);
  const claim = await claimPartial(store, { key, ended: options.ended ?? null });
  try {
    if (claim.fresh) await assertFits(claim.file, options.file.sizeBytes ?? 0);
    const partial = new StorePartial(store, { ...options, key, claim });
    await partial.load();
    return partial;
  } catch (error) {
    await claim.file.close().catch(() => undefined);
    if (claim.fresh) await removeFresh(store, { key, path: claim.path }).catch(() => undefined);
    store.claimed.delete(key);
    throw error;
  }
}

async function removeFresh(store: Store, { key, path }: { key: string; path: string }): Promise<void> {
  await store.files.remove(path);
  store.tagged.delete(key);
}

/** Better before the first byte than after four billion. */
async function assertFits(file: OpenFile, sizeBytes: number): Promise<void> {
  if (sizeBytes <= SMALL_ENOUGH_BYTES) return;
  await file.truncate(sizeBytes);
  await file.truncate(0);
}
