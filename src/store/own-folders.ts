// Links and other strange things in the way of luci's own folders and of models': seen before anything is
// read, written or deleted behind them. A models folder may have been prepared by somebody else.

import { dirname, join, relative, sep } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { type FileFacts, describeKind } from "../platform/files.ts";
import type { Store } from "./store.ts";

const HINT = "Move it away, or choose another models folder with --dir";

/** Something that is no folder where a folder should be. */
interface Obstacle {
  /** Absolute. */
  readonly path: string;
  readonly kind: FileFacts["kind"];
}

/** Makes sure that luci's own folders, as far as they exist, are folders and no links. @throws LuciError E_UNSAFE_PATH */
export async function checkOwnFolders(store: Store): Promise<void> {
  const { privateFolder, manifestsFolder, partialsFolder, locksFolder } = store.layout;
  const folders = [dirname(privateFolder), privateFolder, manifestsFolder, partialsFolder, locksFolder];
  for (const path of folders) {
    const facts = await store.files.facts(path).catch(() => null);
    if (facts !== null && facts.kind !== "folder")
      throw new LuciError(
        "E_UNSAFE_PATH",
        `${path}: ${describeKind(facts.kind)} stands where luci keeps its records`,
        {
          hint: HINT,
        },
      );
  }
}

/** The first thing between the models folder and a place in it that is no folder; null when the way is free. */
export async function findObstacle(store: Store, path: string): Promise<Obstacle | null> {
  const { modelsFolder } = store.layout;
  const parents = relative(modelsFolder, dirname(path)).split(sep);
  for (let depth = 1; depth <= parents.length && parents[0] !== ""; depth += 1) {
    const folder = join(modelsFolder, ...parents.slice(0, depth));
    const facts = await store.files.facts(folder);
    if (facts === null) return null;
    if (facts.kind !== "folder") return { path: folder, kind: facts.kind };
  }
  return null;
}

/** The same, for whoever cannot go on. @throws LuciError E_UNSAFE_PATH: a link could lead out of the models folder */
export async function assertReachable(store: Store, path: string): Promise<void> {
  const obstacle = await findObstacle(store, path);
  if (obstacle === null) return;
  throw new LuciError("E_UNSAFE_PATH", describeObstacle(obstacle), { hint: HINT });
}

/** An obstacle in words. */
export function describeObstacle({ path, kind }: Obstacle): string {
  return `${path}: ${describeKind(kind)} stands where a model's folder should be`;
}
