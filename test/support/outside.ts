// Watches everything beside a models folder: whatever luci is fed, nothing outside its store may change.

import { expect } from "bun:test";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isHomeFile } from "./home-files.ts";

/**
 * Remembers what lies in `folder` aside from the models folder (which may be below it) and luci's own records; the answered function
 * expects that nothing came, went or changed since.
 */
export async function watchOutside(folder: string, models: string): Promise<() => Promise<void>> {
  const before = await lookAround(folder, models);
  return async () => expect(await lookAround(folder, models)).toEqual(before);
}

/** path → kind, size, links and times, exact; the content of a file cannot change without them. */
async function lookAround(folder: string, models: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (path === models || isHomeFile(entry.name)) continue;
    const { mode, size, nlink, mtimeNs, ctimeNs } = await lstat(path, { bigint: true });
    const holdsModels = models.startsWith(`${path}/`);
    seen[path] = holdsModels ? "holds the models" : `${mode} ${size} ${nlink} ${mtimeNs} ${ctimeNs}`;
    if (entry.isDirectory()) Object.assign(seen, await lookAround(path, models));
  }
  return seen;
}
