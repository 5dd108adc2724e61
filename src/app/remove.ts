// Remove: takes installed models away, with the files no other model uses.

import type { RemoveResult } from "../domain/results.ts";
import { changeRecords } from "../store/records-lock.ts";
import { type RemovalPlan, executeRemoval, planRemoval } from "../store/removal.ts";
import type { Context } from "./context.ts";
import { recordsOf, requireInstalled } from "./models.ts";

/** Removes models by name. @throws E_NOT_FOUND, before anything is deleted; E_DAMAGED while a record is unreadable */
export async function remove(
  context: Context,
  { names, dryRun }: { names: readonly string[]; dryRun: boolean },
): Promise<RemoveResult> {
  const plan = await planOf(context, names);
  if (dryRun) return resultOf(plan, { executed: false, freedBytes: 0 });
  return changeRecords(context.store, { signal: context.signal }, async () => {
    // Others may have installed and removed while we waited.
    const current = await planOf(context, names);
    context.signal.throwIfAborted();
    return resultOf(current, { executed: true, freedBytes: await executeRemoval(context.store, current) });
  });
}

async function planOf(context: Context, names: readonly string[]): Promise<RemovalPlan> {
  const records = await recordsOf(context);
  const doomed = [];
  for (const name of names) doomed.push(await requireInstalled(context, records, name));
  return planRemoval(context.store, records, [...new Set(doomed)]);
}

function resultOf(plan: RemovalPlan, done: Pick<RemoveResult, "executed" | "freedBytes">): RemoveResult {
  return {
    command: "remove",
    models: plan.manifests.map((manifest) => manifest.name),
    files: plan.files,
    shared: plan.shared,
    ...done,
  };
}
