// The settings of one command: its flags, the environment and the disk, handed to the loader.

import { homedir } from "node:os";
import { loadSettings } from "../app/config.ts";
import { findHubToken } from "../app/hub-token.ts";
import { LuciError } from "../domain/errors.ts";
import type { Emit } from "../domain/events.ts";
import type { Settings } from "../domain/settings.ts";
import { nodeFiles } from "../platform/node-files.ts";
import { isReadableByOthers } from "../platform/private-file.ts";
import type { Input } from "./command.ts";
import { SETTING_FLAGS } from "./flags.ts";

const MAX_BYTES = 1024 * 1024;

/**
 * The settings a command runs with.
 * @throws LuciError E_USAGE, E_CONFIG
 */
export function settingsOf(
  input: Input,
  { emit, network }: { emit: Emit; network: boolean },
): Promise<Settings> {
  const files = nodeFiles();
  const typed = SETTING_FLAGS.flatMap((flag) => {
    const value = input.text(flag);
    return value === null ? [] : [[flag, value] as const];
  });
  return loadSettings({
    flags: Object.fromEntries(typed),
    env: process.env,
    disk: {
      readText: (path) => files.readText(path, { maxBytes: MAX_BYTES }),
      list: (folder) => files.list(folder),
      exists: async (path) => (await files.facts(path)) !== null,
      isReadableByOthers,
    },
    userFolder: homedir(),
    workFolder: workFolder(),
    network,
    notice: (message) => emit({ type: "notice", level: "warn", message }),
  });
}

/**
 * The hub's token as a command that fetches would find it, and what is to be said of where it lies.
 * @throws LuciError E_CONFIG
 */
export async function findToken(): Promise<{ token: string | null; notices: string[] }> {
  const files = nodeFiles();
  const notices: string[] = [];
  const token = await findHubToken({
    env: process.env,
    disk: { readText: (path) => files.readText(path, { maxBytes: MAX_BYTES }), isReadableByOthers },
    userFolder: homedir(),
    notice: (message) => notices.push(message),
  });
  return { token, notices };
}

function workFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    const hint = "Change to another folder and run the command again";
    throw new LuciError("E_IO", "The current folder does not exist any more", { hint, cause: error });
  }
}
