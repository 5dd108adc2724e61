// Opening a file's partial: claim the data, then believe its journal as far as it proves itself.

import { partialKey } from "./layout.ts";
import { claimPartial } from "./partial-claim.ts";
import { StorePartial } from "./partial.ts";
import type { PartialOptions } from "./partial-options.ts";
import type { Store } from "./store.ts";

/** Opens a file's partial, taking over what an interrupted run left. @throws E_LOCKED while another process owns it */
export async function openPartial(store: Store, options: PartialOptions): Promise<StorePartial> {
  const key = partialKey(options.file);
  const claim = await claimPartial(store, key);
  try {
    const partial = new StorePartial(store, { ...options, key, claim });
    await partial.load();
    return partial;
  } catch (error) {
    await claim.file.close().catch(() => undefined);
    store.claimed.delete(key);
    throw error;
  }
}
