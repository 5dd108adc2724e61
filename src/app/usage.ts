// Usage: what the models folder holds, biggest first.

import type { UsageResult } from "../domain/results.ts";
import { findStrangers } from "../store/audit.ts";
import { findLeftovers } from "../store/leftovers.ts";
import type { Context } from "./context.ts";
import { recordsOf } from "./models.ts";

/** Sums up models, unfinished downloads and other files. A file that two models share counts once in the total. */
export async function usage(context: Context): Promise<UsageResult> {
  const { manifests } = await recordsOf(context);
  const models = manifests.map((manifest) => ({
    model: manifest.name,
    sizeBytes: manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    files: manifest.files.length,
  }));
  const leftovers = (await findLeftovers(context.store)).filter(
    (item) => item.kind === "partial" || item.kind === "orphan",
  );
  const partials = leftovers.map(({ path, of, sizeBytes }) => ({ path, of, sizeBytes }));
  const others = await findStrangers(context.store, manifests);
  const owned = new Map(
    manifests.flatMap((manifest) => manifest.files.map((file) => [file.path, file.sizeBytes] as const)),
  );
  const sizes = [
    ...owned.values(),
    ...partials.map((item) => item.sizeBytes),
    ...others.map((item) => item.sizeBytes),
  ];
  const bySize = (one: { sizeBytes: number }, other: { sizeBytes: number }): number =>
    other.sizeBytes - one.sizeBytes;
  return {
    command: "usage",
    modelsFolder: context.settings.modelsFolder,
    models: models.toSorted(bySize),
    partials: partials.toSorted(bySize),
    others: others.map(({ path, sizeBytes }) => ({ path, sizeBytes })).toSorted(bySize),
    totalBytes: sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0),
    freeBytes: await context.files.freeBytes(context.settings.modelsFolder),
  };
}
