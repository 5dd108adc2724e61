// Where the running processes of a user can be met: one socket each, in a folder of their LUCI_HOME.

import { join } from "node:path";
import type { Files } from "../platform/files.ts";
import { isTagAlive, ownTag } from "../platform/machine.ts";

const ENDING = ".sock";

/** This process's own socket. Its name says whose it is, so that anybody can see whether that one still runs. */
export function ownSocketPath(homeFolder: string): string {
  return join(runFolder(homeFolder), `${ownTag()}${ENDING}`);
}

/** The folder of sockets and of the daemon's lock. */
export function runFolder(homeFolder: string): string {
  return join(homeFolder, "run");
}

/** The sockets of processes that run; those that dead ones left are removed on the way. */
export async function liveSockets(homeFolder: string, files: Files): Promise<string[]> {
  const folder = runFolder(homeFolder);
  const live: string[] = [];
  for (const name of await files.list(folder)) {
    if (!name.endsWith(ENDING)) continue;
    const path = join(folder, name);
    const facts = await files.facts(path);
    if (!facts) continue;
    const tag = name.slice(0, -ENDING.length);
    if (isTagAlive(tag, { lastSignMs: facts.modifiedMs, nowMs: Date.now() })) live.push(path);
    // What cannot be removed is seen again by the next one.
    else await files.remove(path).catch(() => false);
  }
  return live;
}
