// Which models somebody waits for, and whether one is ready: installed, and its files in place.

import { parseRefs } from "../domain/ref.ts";
import type { WaitResult } from "../domain/ready.ts";
import { installedPath, mainPath, readRecords } from "../store/manifest.ts";
import type { Context } from "./context.ts";
import { findInstalled } from "./models.ts";
import { openSources } from "./sources.ts";
import { expandRefs } from "./targets.ts";

/** A model by the names it may come to have. */
export interface AwaitedModel {
  readonly label: string;
  readonly ref: string;
}

/** The name of an installed repository, as every other command says it. */
const REPOSITORY_NAME = /^[^/:\s]+\/[^/\s]+$/;

/** The models that words stand for. @throws LuciError E_REF_SYNTAX, E_UNSAFE_URL, E_CONFIG */
export async function awaitedModels(context: Context, words: readonly string[]): Promise<AwaitedModel[]> {
  const asked = words.map((word) => (REPOSITORY_NAME.test(word) ? `hf:${word}` : word));
  const refs = parseRefs(asked, { hubEndpoint: context.settings.hubEndpoint });
  const sources = openSources(context, { allowUnsafe: false, sha256: null, refs });
  const models = await Promise.all(
    refs.map(async (ref): Promise<AwaitedModel[]> => {
      const targets = await expandRefs([ref], { catalog: context.catalog, sources });
      if (ref.kind !== "name") return targets;
      // What is installed under that very name is meant first.
      const { manifests } = await readRecords(context.store);
      const named = manifests.find(({ name }) => name.toLowerCase() === ref.name.toLowerCase());
      return named ? [{ label: named.name, ref: named.ref }] : targets;
    }),
  );
  return [...new Map(models.flat().map((model) => [model.ref, model])).values()];
}

/** The model once it is ready; null before. Nothing is read: what has a record was verified. */
export async function findReady(
  context: Context,
  { label, ref }: AwaitedModel,
): Promise<WaitResult["ready"][number] | null> {
  const { store, files } = context;
  // A record that cannot be read is told of by whoever needs it; here it may come a hundred times.
  const records = await readRecords(store);
  const isSame = (other: string): boolean => other.toLowerCase() === ref.toLowerCase();
  const manifest =
    records.manifests.find((one) => isSame(one.ref)) ?? (await findInstalled(context, records, label));
  if (!manifest) return null;
  for (const file of manifest.files) {
    const facts = await files.facts(installedPath(store, file));
    if (facts?.kind !== "file" || facts.sizeBytes !== file.sizeBytes) return null;
  }
  return { model: manifest.name, ref: manifest.ref, path: mainPath(store, manifest) };
}
