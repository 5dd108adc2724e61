// Refs → targets: which models are meant, and how each becomes a plan.

import { LuciError } from "../domain/errors.ts";
import type { Plan } from "../domain/plan.ts";
import { type Ref, formatRef } from "../domain/ref.ts";
import type { Catalog } from "../sources/catalog.ts";
import type { CatalogModel } from "../sources/catalog-schema.ts";
import type { Sources } from "./sources.ts";

/** One model that was asked for. */
export interface Target {
  /** What to call it before its plan is known. */
  readonly label: string;
  /** The ref as manifests record it. */
  readonly ref: string;
  resolve(signal: AbortSignal): Promise<Plan>;
}

/** The models a list of refs stands for, each once, in order. An unknown name becomes a target that fails. */
export function expandRefs(refs: readonly Ref[], options: { catalog: Catalog; sources: Sources }): Target[] {
  const targets = refs.flatMap((ref) => expandRef(ref, options));
  return [...new Map(targets.map((target) => [target.ref, target])).values()];
}

function expandRef(ref: Ref, { catalog, sources }: { catalog: Catalog; sources: Sources }): Target[] {
  const fromCatalog = (model: CatalogModel): Target => ({
    label: model.name,
    ref: model.name,
    resolve: (signal) => sources.huggingface.resolveCatalogModel(model, { signal }),
  });
  switch (ref.kind) {
    case "name": {
      const model = catalog.find(ref.name);
      return [model ? fromCatalog(model) : unknownTarget(ref.name, catalog)];
    }
    case "group":
      return catalog.group(ref.group).map(fromCatalog);
    case "tier":
      return tierOf(ref.tier, catalog).map(fromCatalog);
    case "huggingface":
    case "url": {
      const text = formatRef(ref);
      return [{ label: text, ref: text, resolve: (signal) => sources[ref.kind].resolve(ref, { signal }) }];
    }
  }
}

function tierOf(tier: number, catalog: Catalog): CatalogModel[] {
  const models = catalog.tier(tier);
  if (models.length > 0) return models;
  throw new LuciError("E_NOT_FOUND", `The catalog has no tier ${tier}`, {
    hint: "Its tiers are 0 (smallest) to 4 (largest)",
  });
}

function unknownTarget(name: string, catalog: Catalog): Target {
  const suggestions = catalog.suggest(name);
  const hint =
    suggestions.length > 0
      ? `Did you mean ${suggestions.map((known) => `\`${known}\``).join(" or ")}?`
      : "`luci list --available` shows the catalog; other models are named hf:org/repo or by URL";
  const error = new LuciError("E_NOT_FOUND", `There is no model named ${name} in the catalog`, { hint });
  return { label: name, ref: name, resolve: () => Promise.reject(error) };
}
