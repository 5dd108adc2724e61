// Refs → targets: which models are meant, and how each becomes a plan.

import { LuciError } from "../domain/errors.ts";
import type { Plan } from "../domain/plan.ts";
import { type Ref, type UrlRef, formatRef } from "../domain/ref.ts";
import { withoutSecrets } from "../domain/safe-url.ts";
import type { Catalog } from "../sources/catalog.ts";
import type { CatalogModel } from "../sources/catalog-schema.ts";
import type { Manifest } from "../store/manifest.ts";
import type { Sources } from "./sources.ts";

/** One model that was asked for. */
export interface Target {
  /** What to call it before its plan is known. */
  readonly label: string;
  /** The ref as manifests record it. */
  readonly ref: string;
  /** Who is asked for it; null where nobody knows it. */
  readonly asks: "hub" | "url" | null;
  /** Whether an installed model of this ref is still what is asked for, as far as can be said without asking anybody. */
  isCurrent(installed: Manifest): boolean;
  resolve(signal: AbortSignal): Promise<Plan>;
}

interface Expansion {
  /** Read only where a ref needs it. */
  catalog(): Promise<Catalog>;
  readonly sources: Sources;
}

/** The models a list of refs stands for, each once, in order. An unknown name becomes a target that fails. */
export async function expandRefs(refs: readonly Ref[], options: Expansion): Promise<Target[]> {
  const targets = (await Promise.all(refs.map((ref) => expandRef(ref, options)))).flat();
  return [...new Map(targets.map((target) => [target.ref, target])).values()];
}

async function expandRef(ref: Ref, { catalog, sources }: Expansion): Promise<Target[]> {
  const fromCatalog = (model: CatalogModel): Target => ({
    label: model.name,
    ref: model.name,
    asks: "hub",
    isCurrent: (installed) => isCurrentModel(model, installed),
    resolve: (signal) => sources.huggingface.resolveCatalogModel(model, { signal }),
  });
  switch (ref.kind) {
    case "name": {
      const known = await catalog();
      const model = known.find(ref.name);
      return [model ? fromCatalog(model) : unknownTarget(ref.name, known)];
    }
    case "group":
      return (await catalog()).group(ref.group).map(fromCatalog);
    case "tier":
      return tierOf(ref.tier, await catalog()).map(fromCatalog);
    case "huggingface": {
      const text = formatRef(ref);
      const resolve = (signal: AbortSignal) => sources.huggingface.resolve(ref, { signal });
      return [{ label: text, ref: text, asks: "hub", isCurrent: () => true, resolve }];
    }
    case "url":
      return [urlTarget(ref, sources)];
  }
}

/** A catalog may have moved on to another version since. */
function isCurrentModel(model: CatalogModel, installed: Manifest): boolean {
  const digests = new Set(installed.files.map((file) => file.sha256));
  return model.source.files.every((file) => file.sha256 === null || digests.has(file.sha256));
}

/** An address is the same model with and without its digest; the digest says whether it is verified. */
function urlTarget(ref: UrlRef, sources: Sources): Target {
  const text = formatRef({ ...ref, sha256: null });
  return {
    label: text,
    ref: text,
    asks: "url",
    isCurrent: ({ files }) =>
      ref.sha256 === null || files.every((file) => file.sha256 === ref.sha256 && file.authority === "user"),
    resolve: async (signal) => ({ ...(await sources.url.resolve(ref, { signal })), ref: text }),
  };
}

/**
 * The same models, each by a ref of its own that names it as the catalog does: fit for a queue.
 * @throws LuciError E_NOT_FOUND for a name or tier that is not in the catalog, E_UNSAFE_URL for an address with a
 *   secret in it: what is queued is stored and shown
 */
export function singleRefs(refs: readonly Ref[], catalog: Catalog): string[] {
  const texts = refs.flatMap((ref): string[] => {
    switch (ref.kind) {
      case "name": {
        const model = catalog.find(ref.name);
        if (!model) throw unknownModel(ref.name, catalog);
        return [model.name];
      }
      case "group":
        return catalog.group(ref.group).map(({ name }) => name);
      case "tier":
        return tierOf(ref.tier, catalog).map(({ name }) => name);
      case "huggingface":
        return [formatRef(ref)];
      case "url":
        return [publicAddress(ref)];
    }
  });
  return [...new Set(texts)];
}

function publicAddress(ref: UrlRef): string {
  const text = formatRef(ref);
  if (withoutSecrets(ref.url) === ref.url) return text;
  throw new LuciError("E_UNSAFE_URL", "This address carries a password, token or signature", {
    hint: "A queue is stored and shown: install it with `luci install`, which keeps no secrets",
  });
}

function tierOf(tier: number, catalog: Catalog): CatalogModel[] {
  const models = catalog.tier(tier);
  if (models.length > 0) return models;
  throw new LuciError("E_NOT_FOUND", `The catalog has no tier ${tier}`, {
    hint: "Its tiers are 0 (smallest) to 4 (largest)",
  });
}

function unknownTarget(name: string, catalog: Catalog): Target {
  const error = unknownModel(name, catalog);
  return { label: name, ref: name, asks: null, isCurrent: () => true, resolve: () => Promise.reject(error) };
}

function unknownModel(name: string, catalog: Catalog): LuciError {
  const suggestions = catalog.suggest(name);
  const hint =
    suggestions.length > 0
      ? `Did you mean ${suggestions.map((known) => `\`${known}\``).join(" or ")}?`
      : "`luci list --available` shows the catalog; other models are named hf:org/repo or by URL";
  return new LuciError("E_NOT_FOUND", `There is no model named ${name} in the catalog`, { hint });
}
