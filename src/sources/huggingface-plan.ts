// From files of a repository to a plan: where each goes, checked as names that came from a network.

import type { Origin, Plan, PlanFile } from "../domain/plan.ts";
import { checkNoCollisions, checkRemotePath } from "../domain/safe-path.ts";
import { baseName } from "./file-kinds.ts";
import type { HubFile } from "./huggingface-api.ts";

/** A file of a plan before it has a place: `path` is the repository's. */
export type PinnedFile = Pick<PlanFile, "path" | "sizeBytes" | "digest" | "authority">;

interface PlanParts extends Pick<Plan, "name" | "ref" | "folder" | "notices"> {
  readonly repo: string;
  readonly revision: string;
}

/**
 * Gives every file its place and its origin.
 * @throws LuciError E_UNSAFE_PATH
 */
export function makePlan(files: readonly PinnedFile[], { repo, ...plan }: PlanParts): Plan {
  const { folder, revision } = plan;
  const placed = files.map((file): PlanFile => {
    const path = checkRemotePath(file.path);
    const origin: Origin = { kind: "huggingface", repo, revision, path };
    return { ...file, path: folder === null ? checkRemotePath(baseName(path)) : path, origin };
  });
  checkNoCollisions(placed.map((file) => file.path));
  return { ...plan, source: "huggingface", files: placed };
}

/** A listed file with the hub as its authority. */
export function fromHub(file: HubFile): PinnedFile {
  return { ...file, authority: "hub" };
}

/** `org--repo`: the hub allows no two dashes in a row in a name, so this cannot be another repository. */
export function folderName(repo: string): string {
  return checkRemotePath(repo.replace("/", "--"));
}
