// Paths in settings, made absolute: from where the setting stands, or from the user's own folder.

import { isAbsolute, join, resolve } from "node:path";
import type { Layer } from "./config-schema.ts";

export interface PathRoots {
  readonly userFolder: string;
  readonly from: string;
}

/** A layer whose paths are absolute. */
export function withPaths(layer: Layer, roots: PathRoots): Layer {
  return {
    ...layer,
    ...(layer.models === undefined ? {} : { models: toPath(layer.models, roots) }),
    ...(layer["ca-file"] === undefined ? {} : { "ca-file": toPath(layer["ca-file"], roots) }),
    ...(layer.catalog === undefined ? {} : { catalog: toPath(layer.catalog, roots) }),
  };
}

/** A path as typed, made absolute; `~` is the user's folder. */
export function toPath(text: string, { userFolder, from }: PathRoots): string {
  if (text === "~") return userFolder;
  if (/^~[/\\]/.test(text)) return join(userFolder, text.slice(2));
  return isAbsolute(text) ? resolve(text) : resolve(from, text);
}
