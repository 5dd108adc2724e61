// Remove: takes installed models away, with the files no other model uses.

import type { RemoveResult } from "../domain/results.ts";
import { executeRemoval, planRemoval } from "../store/removal.ts";
import type { Context } from "./context.ts";
import { recordsOf, requireInstalled } from "./models.ts";

/** Removes models by name. @throws E_NOT_FOUND, before anything is deleted; E_DAMAGED while a record is unreadable */
export async function remove(
  context: Context,
  { names, dryRun }: { names: readonly string[]; dryRun: boolean },
): Promise<RemoveResult> {
  const records = await recordsOf(context);
  const doomed = [];
  for (const name of names) doomed.push(await requireInstalled(context, records, name));
  const plan = planRemoval(context.store, records, [...new Set(doomed)]);
  context.signal.throwIfAborted();
  const freedBytes = dryRun ? 0 : await executeRemoval(context.store, plan);
  return {
    command: "remove",
    models: plan.manifests.map((manifest) => manifest.name),
    files: plan.files,
    shared: plan.shared,
    executed: !dryRun,
    freedBytes,
  };
}
