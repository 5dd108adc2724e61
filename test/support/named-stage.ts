// A stage whose models are told apart by their names alone: for each a repository, one file in it and one line of the
// catalog.

import type { HubOptions } from "../../src/demo/hub.ts";
import type { HubRepo } from "../../src/demo/hub-repo.ts";
import { ggufFile } from "./model-repos.ts";
import { openStage, type Stage, writeCatalog } from "./stage.ts";

/** For each name `org/<name>` with `<name>.gguf`, each of other bytes. */
export function namedRepos(names: readonly string[], sizeBytes: number): Promise<HubRepo[]> {
  const repoOf = async (name: string, at: number): Promise<HubRepo> => ({
    name: `org/${name}`,
    files: [await ggufFile(`${name}.gguf`, sizeBytes, at + 1)],
  });
  return Promise.all(names.map(repoOf));
}

export interface NamedStage {
  readonly stage: Stage;
  /** Names the catalog to luci. */
  readonly env: { readonly LUCI_CATALOG: string };
}

export interface NamedStageOptions extends Omit<HubOptions, "repos"> {
  /** Of each file, about. */
  readonly sizeBytes: number;
  /** None unless given. */
  readonly aliasesOf?: (name: string) => readonly string[];
}

/** Opens it. Whoever does ends it: `stage[Symbol.asyncDispose]()`. */
export async function openNamedStage(
  names: readonly string[],
  { sizeBytes, aliasesOf = () => [], ...hub }: NamedStageOptions,
): Promise<NamedStage> {
  const stage = await openStage({ repos: await namedRepos(names, sizeBytes), ...hub });
  const lineOf = (name: string) => ({
    name,
    repo: `org/${name}`,
    files: [`${name}.gguf`],
    aliases: aliasesOf(name),
  });
  return { stage, env: await writeCatalog(stage, names.map(lineOf)) };
}
