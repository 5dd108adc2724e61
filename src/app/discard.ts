// Deleting what an earlier run left of a file, under its lock.

import { reportError } from "../domain/errors.ts";
import { partialKey } from "../store/layout.ts";
import { deleteLeftover, findLeftovers } from "../store/leftovers.ts";
import type { Kept } from "./carry-run.ts";
import type { Context } from "./context.ts";
import type { FileNeed } from "./need.ts";

/** Deletes the partials at rest of these files, and says how that went. */
export async function discardPartials(context: Context, files: readonly FileNeed[]): Promise<Kept[]> {
  const names = new Map(files.map(({ placement: { file } }) => [partialKey(file), file.path]));
  const kept: Kept[] = [];
  for (const item of await findLeftovers(context.store)) {
    const name = names.get(item.key ?? "");
    if (name === undefined || item.isAlive) continue;
    try {
      if (await deleteLeftover(context.store, item))
        kept.push({ keptBytes: 0, deleted: name, undeleted: null });
    } catch (error) {
      kept.push({
        keptBytes: 0,
        deleted: null,
        undeleted: { path: item.path, reason: reportError(error).message },
      });
    }
  }
  return kept;
}
