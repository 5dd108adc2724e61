// The models luci knows by name: the built-in catalog under the user's own, whose names win.
// No network, no disk: texts come in, data goes out.

import leven from "leven";
import * as v from "valibot";
import { LuciError } from "../domain/errors.ts";
import { parseJson } from "../domain/json-shape.ts";
import type { CatalogEntry } from "../domain/results.ts";
import { shorten } from "../domain/text.ts";
import type { CatalogFileData, CatalogModel } from "./catalog-schema.ts";
import { CatalogSchema } from "./catalog-schema.ts";
import builtIn from "./catalog.json" with { type: "json" };

const MOST_SUGGESTIONS = 3;

/** A catalog file of the user's, read by the caller. */
export interface CatalogText {
  /** For messages. */
  readonly path: string;
  readonly text: string;
}

export interface Catalog {
  /** The model of a name or alias, in any case; null when there is none. */
  find(name: string): CatalogModel | null;
  /** Names without aliases, in the catalog's order, the user's own first. */
  names(): string[];
  group(group: "core" | "all"): CatalogModel[];
  /** The models of a tier; empty when there is no such tier. */
  tier(tier: number): CatalogModel[];
  entries(): CatalogEntry[];
  /** Up to three known names close to a mistyped one, the closest first. */
  suggest(name: string): string[];
}

/**
 * Reads the built-in catalog and lays the user's files over it. A name or alias of a stronger file
 * hides the same name or alias of a weaker one; a weaker model that has lost its name is gone.
 * @param options.files the user's files, the strongest first
 * @throws LuciError E_CONFIG naming the file and the place that does not fit
 */
export function loadCatalog({ files }: { files: readonly CatalogText[] }): Catalog {
  const layers = [...files.map(readLayer), v.parse(CatalogSchema, builtIn)];
  const byName = new Map<string, CatalogModel>();
  const models = layers.flatMap((layer) => layMore(layer, byName));
  const core = coreModels(layers, byName);
  const find = (name: string): CatalogModel | null => byName.get(name.toLowerCase()) ?? null;
  return {
    find,
    names: () => models.map((model) => model.name),
    group: (group) => (group === "core" ? core : models),
    tier: (tier) => models.filter((model) => model.tier === tier),
    entries: () => models.map((model) => toEntry(model, core.includes(model))),
    suggest: (name) => suggest(name.toLowerCase(), byName),
  };
}

function readLayer({ path, text }: CatalogText): CatalogFileData {
  let data: unknown;
  try {
    data = parseJson(text);
  } catch (cause) {
    throw new LuciError("E_CONFIG", `The catalog ${path} is not JSON`, { cause });
  }
  const result = v.safeParse(CatalogSchema, data);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new LuciError(
    "E_CONFIG",
    `The catalog ${path} is not right at ${v.getDotPath(issue) ?? "its top"}: ${shorten(issue.message)}`,
  );
}

/** Adds the models of a weaker layer under names that are still free; returns those that got in. */
function layMore(layer: CatalogFileData, byName: Map<string, CatalogModel>): CatalogModel[] {
  return layer.models.flatMap((model) => {
    if (byName.has(model.name)) return [];
    const aliases = model.aliases.filter((alias) => !byName.has(alias));
    const added = { ...model, aliases };
    for (const name of [model.name, ...aliases]) byName.set(name, added);
    return [added];
  });
}

/** The core models of the strongest file that names some. */
function coreModels(
  layers: readonly CatalogFileData[],
  byName: ReadonlyMap<string, CatalogModel>,
): CatalogModel[] {
  const names = layers.find((layer) => layer.groups.core !== undefined)?.groups.core ?? [];
  const core = names.map((name) => {
    const model = byName.get(name);
    if (model === undefined)
      throw new LuciError(
        "E_CONFIG",
        `A catalog counts ${name} among the core models but nothing defines it`,
      );
    return model;
  });
  return [...new Set(core)];
}

function toEntry(model: CatalogModel, core: boolean): CatalogEntry {
  const { name, aliases, tier, params, quant, license, kind, description, source } = model;
  const sizeBytes = source.files.reduce<number | null>(
    (sum, file) => (sum === null || file.size === null ? null : sum + file.size),
    0,
  );
  const { repo, revision } = source;
  return { name, aliases, tier, params, quant, license, kind, description, repo, revision, sizeBytes, core };
}

function suggest(name: string, byName: ReadonlyMap<string, CatalogModel>): string[] {
  const farthest = Math.max(1, Math.floor(name.length / 3));
  const distanceTo = (known: string): number =>
    known.startsWith(name) ? 0.5 : leven(known, name, { maxDistance: farthest + 1 });
  const near = [...byName]
    .map(([known, model]) => ({ known, model, distance: distanceTo(known) }))
    .filter(({ distance }) => distance <= farthest)
    .toSorted((one, other) => one.distance - other.distance);
  // One name per model: its aliases say nothing new.
  const closest = near.filter(
    ({ model }, index) => near.findIndex((other) => other.model === model) === index,
  );
  return closest.slice(0, MOST_SUGGESTIONS).map(({ known }) => known);
}
