// Usage: what the models folder holds, biggest first.

import type { UsageResult } from "../domain/results.ts";
import { findStrangers } from "../store/audit.ts";
import { findLeftovers } from "../store/leftovers.ts";
import { installedPath } from "../store/manifest.ts";
import type { Context } from "./context.ts";
import { recordsOf } from "./models.ts";

/** Sums up models, unfinished downloads and other files. What is not there counts nothing, and a file that two models share once in the total. */
export async function usage(context: Context): Promise<UsageResult> {
  const { manifests } = await recordsOf(context);
  const owned = new Map<string, number>();
  for (const { path } of manifests.flatMap(({ files }) => files)) {
    const facts = owned.has(path) ? null : await context.files.facts(installedPath(context.store, { path }));
    if (facts?.kind === "file") owned.set(path, facts.sizeBytes);
  }
  const models = manifests.map(({ name, files }) => ({
    model: name,
    sizeBytes: files.reduce((sum, { path }) => sum + (owned.get(path) ?? 0), 0),
    files: files.filter(({ path }) => owned.has(path)).length,
  }));
  const leftovers = (await findLeftovers(context.store)).filter(
    (item) => item.kind === "partial" || item.kind === "orphan",
  );
  const partials = leftovers.map(({ path, of, sizeBytes }) => ({ path, of, sizeBytes }));
  const others = await findStrangers(context.store, manifests);
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
