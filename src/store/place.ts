// Where a plan's files go below the models folder, and making the folders on the way without following links.

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { LuciError } from "../domain/errors.ts";
import type { Plan, PlanFile } from "../domain/plan.ts";
import { foldPath } from "../domain/safe-path.ts";
import { PRIVATE_NAME } from "./layout.ts";
import { type Manifest, type ManifestFile, installedPath } from "./manifest.ts";
import { assertReachable } from "./own-folders.ts";
import type { Store } from "./store.ts";

/** A plan's file with its place: `path` is relative to the models folder, with forward slashes. */
export interface Placement {
  readonly file: PlanFile;
  readonly path: string;
}

export interface PlacedPlan {
  readonly folder: string | null;
  readonly placements: readonly Placement[];
}

/**
 * Gives every file of a plan its place. A place that another model holds with other content is not
 * taken: the plan moves aside, to names that carry its revision or digest.
 */
export function placePlan(plan: Plan, manifests: readonly Manifest[]): PlacedPlan {
  const others = manifests.filter((manifest) => manifest.name !== plan.name);
  const taken = new Map(
    others.flatMap((manifest) => manifest.files.map((file) => [foldPath(file.path), file] as const)),
  );
  const plain = place(plan, "");
  const clashes = plain.placements.some(({ file, path }) => {
    const holder = taken.get(foldPath(path));
    return holder !== undefined && !isSameContent(file, holder);
  });
  return clashes ? place(plan, `@${markOf(plan)}`) : plain;
}

/** The place beside its own that a single file may take; null for one in a folder, and for one that took it already. */
export function placeAside(plan: Plan, { file, path }: Placement): Placement | null {
  if (plan.folder !== null) return null;
  const aside = withMark(file.path, `@${markOf(plan)}`);
  return aside === path ? null : { file, path: aside };
}

function place(plan: Plan, mark: string): PlacedPlan {
  const folder = plan.folder === null ? null : `${plan.folder}${mark}`;
  const placements = plan.files.map((file) => {
    const path = folder === null ? withMark(file.path, mark) : `${folder}/${file.path}`;
    if (path.split("/")[0]?.toLowerCase() === PRIVATE_NAME) {
      throw new LuciError("E_UNSAFE_PATH", `the source names a file inside luci's own folder: ${file.path}`);
    }
    return { file, path };
  });
  return { folder, placements };
}

function withMark(path: string, mark: string): string {
  const dot = path.lastIndexOf(".");
  return dot > 0 ? `${path.slice(0, dot)}${mark}${path.slice(dot)}` : `${path}${mark}`;
}

function markOf(plan: Plan): string {
  return (plan.revision ?? plan.files[0]?.digest?.hex)?.slice(0, 8) ?? digestMark(plan.ref);
}

/** Eight digits that tell a text from others. */
export function digestMark(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** Whether an installed file is what a plan asks for, as far as their digests tell. */
export function isSameContent(file: PlanFile, installed: ManifestFile): boolean {
  if (file.digest?.algorithm === "sha256") return file.digest.hex === installed.sha256;
  if (file.digest?.algorithm === "git-sha1") return file.digest.hex === installed.gitSha1;
  return JSON.stringify(file.origin) === JSON.stringify(installed.origin);
}

/**
 * Makes the folders above a place, refusing links: a link could lead out of the models folder. For many files of
 * a folder at once it is done once.
 */
export async function makePlace(store: Store, path: string): Promise<void> {
  await store.places.once(folderOf(path), () => makeParents(store, path));
}

/** Makes sure that no link leads to a place; for many files of a folder at once it is done once. @throws E_UNSAFE_PATH */
export async function checkWay(store: Store, path: string): Promise<void> {
  await store.ways.once(folderOf(path), () => assertReachable(store, installedPath(store, { path })));
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

async function makeParents(store: Store, path: string): Promise<void> {
  const absolute = installedPath(store, { path });
  await assertReachable(store, absolute);
  await store.files.makeFolder(dirname(absolute));
}
