// Looking things up: what is installed, what the catalog knows, where a model lies.

import { LuciError } from "../domain/errors.ts";
import type { CatalogEntry, InfoResult, ListResult, PathResult } from "../domain/results.ts";
import { findLeftovers } from "../store/leftovers.ts";
import { mainPath } from "../store/manifest.ts";
import type { Context } from "./context.ts";
import { describeInstalled, findInstalled, isOfCatalog, recordsOf, requireInstalled } from "./models.ts";

/** What is installed and, if asked for, the whole catalog. */
export async function list(context: Context, { available }: { available: boolean }): Promise<ListResult> {
  const { manifests } = await recordsOf(context);
  return {
    command: "list",
    installed: await Promise.all(manifests.map((manifest) => describeInstalled(context.store, manifest))),
    available: available ? (await context.catalog()).entries() : null,
  };
}

/** Everything known of one model, installed or in the catalog. @throws E_NOT_FOUND */
export async function info(context: Context, { name }: { name: string }): Promise<InfoResult> {
  const catalog = await context.catalog();
  const records = await recordsOf(context);
  const installed = await findInstalled(context, records, name);
  const catalogName = catalog.find(name)?.name;
  const isMeant = (entry: CatalogEntry): boolean =>
    installed ? isOfCatalog(installed, entry.name) : entry.name === catalogName;
  const entry = catalog.entries().find(isMeant) ?? null;
  if (!entry && !installed) {
    const [nearest] = catalog.suggest(name);
    const hint = nearest ? `Did you mean \`${nearest}\`?` : "`luci list --available` shows the catalog";
    throw new LuciError("E_NOT_FOUND", `${name} is neither installed nor in the catalog`, { hint });
  }
  const label = `${installed?.name ?? entry?.name} · `;
  const partials = (await findLeftovers(context.store)).filter(
    (item) => item.kind === "partial" && item.of?.startsWith(label),
  );
  return {
    command: "info",
    name: installed?.name ?? entry?.name ?? name,
    catalog: entry,
    installed: installed ? await describeInstalled(context.store, installed) : null,
    partialBytes: partials.reduce((sum, item) => sum + item.keptBytes, 0),
  };
}

/** Where an installed model lies: what to hand to an inference engine. @throws E_NOT_FOUND, E_DAMAGED when it is gone */
export async function path(context: Context, { name }: { name: string }): Promise<PathResult> {
  const manifest = await requireInstalled(context, await recordsOf(context), name);
  const found = mainPath(context.store, manifest);
  if (await context.files.facts(found)) return { command: "path", model: manifest.name, path: found };
  throw new LuciError("E_DAMAGED", `${manifest.name} is installed but gone from the disk: ${found}`, {
    hint: `\`luci install ${manifest.name}\` fetches what is missing`,
  });
}
