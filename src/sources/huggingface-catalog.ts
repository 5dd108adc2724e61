// Fills what the catalog leaves open from the hub, and notices when the hub no longer serves what is pinned.

import { LuciError } from "../domain/errors.ts";
import type { CatalogModel } from "./catalog-schema.ts";
import type { HubApi, HubFile } from "./huggingface-api.ts";
import type { PinnedFile } from "./huggingface-plan.ts";

type CatalogFile = CatalogModel["source"]["files"][number];

/**
 * The commit and files of a catalog model. Digests the catalog pins stay its own; open ones are the hub's.
 * @throws LuciError E_CHANGED, E_NOT_FOUND, and what the hub's API throws
 */
export async function resolveCatalogFiles(
  model: CatalogModel,
  { api, signal }: { api: HubApi; signal: AbortSignal },
): Promise<{ revision: string; files: PinnedFile[] }> {
  const { repo, revision, files } = model.source;
  const isComplete = files.every((file) => file.size !== null && file.sha256 !== null);
  if (revision !== null && isComplete) return { revision, files: files.map(fromCatalog) };
  const commit = await api.commitOf(repo, { revision, signal });
  const listing = new Map((await api.files(repo, { commit, signal })).map((file) => [file.path, file]));
  return {
    revision: commit,
    files: files.map((file) => complete(file, { listed: listing.get(file.path), repo })),
  };
}

function fromCatalog({ path, size, sha256 }: CatalogFile): PinnedFile {
  const digest = sha256 === null ? null : ({ algorithm: "sha256", hex: sha256 } as const);
  return { path, sizeBytes: size, digest, authority: "catalog" };
}

function complete(
  file: CatalogFile,
  { listed, repo }: { listed: HubFile | undefined; repo: string },
): PinnedFile {
  const { path, size, sha256 } = file;
  if (listed === undefined) {
    throw new LuciError("E_NOT_FOUND", `${repo} no longer has ${path}`, {
      hint: `See what is there: \`luci install hf:${repo} --dry-run\``,
    });
  }
  const isOther = listed.digest.algorithm === "sha256" && sha256 !== null && listed.digest.hex !== sha256;
  if (isOther || (size !== null && listed.sizeBytes !== size)) {
    throw new LuciError("E_CHANGED", `${repo} now serves another ${path} than the one the catalog knows`, {
      hint: `To take the new one: \`luci install hf:${repo}:${path}\``,
    });
  }
  if (sha256 === null) return { path, sizeBytes: listed.sizeBytes, digest: listed.digest, authority: "hub" };
  return { ...fromCatalog(file), sizeBytes: listed.sizeBytes };
}
