// Names of processes as they stand in file names: one that runs, one that has ended.

import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { ownIdentity, ownerTag } from "../../src/platform/machine.ts";

/** The tag of a process that has ended: its number is free, and not soon taken again. */
export async function deadTag(): Promise<string> {
  const child = Bun.spawn(["true"]);
  await child.exited;
  return ownerTag({ ...ownIdentity(), pid: child.pid });
}

/** The tag a running process would give itself, made from the outside. */
export function runningTag(pid: number = process.ppid): string {
  const text = Bun.spawnSync(["cat", `/proc/${pid}/stat`]).stdout.toString();
  const startToken = text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return ownerTag({ ...ownIdentity(), pid, startToken });
}

/**
 * Leaves unfinished files as the end of this process would: a run that could not let go of them ends with its
 * process, which a test's process does not.
 */
export async function endOwnership(partialsFolder: string): Promise<void> {
  const own = ownerTag(ownIdentity());
  const names = (await readdir(partialsFolder).catch(() => [])).filter((name) => name.includes(`.${own}.`));
  if (names.length === 0) return;
  const dead = await deadTag();
  for (const name of names)
    await rename(join(partialsFolder, name), join(partialsFolder, name.replace(`.${own}.`, `.${dead}.`)));
}
