// Where the hub's token is found, in the order the hub's own clients look. A token is never shown.

import { join } from "node:path";
import { LuciError } from "../domain/errors.ts";

/** What finding a token needs of a disk. */
export interface TokenDisk {
  /** A small file's text, or null if there is none. */
  readText(path: string): Promise<string | null>;
  /** Whether other users of this machine may read the file. */
  isReadableByOthers(path: string): Promise<boolean>;
}

export interface TokenSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly disk: TokenDisk;
  /** The user's own folder, where `~` points. */
  readonly userFolder: string;
  notice(message: string): void;
}

/** Header values are visible ASCII: anything else is no token. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * The token from HF_TOKEN, else from the hub's token file (HF_TOKEN_PATH, `$HF_HOME/token`,
 * `$XDG_CACHE_HOME/huggingface/token`, `~/.cache/huggingface/token`), or null. Says so when other users
 * can read the file.
 * @throws LuciError E_CONFIG when what stands there cannot be a token
 */
export async function findHubToken(sources: TokenSources): Promise<string | null> {
  const { env, disk, notice } = sources;
  const given = env["HF_TOKEN"]?.trim();
  const path = tokenPath(sources);
  const token = given || (await readTokenFile(path, sources));
  if (token === null) return null;
  if (!TOKEN.test(token)) {
    const where = given ? "HF_TOKEN" : path;
    throw new LuciError("E_CONFIG", `${where} does not hold a token`, {
      hint: "A hub's token is one word like hf_…",
    });
  }
  if (!given && (await disk.isReadableByOthers(path)))
    notice(`Other users can read your token: chmod 600 ${path}`);
  return token;
}

function tokenPath({ env, userFolder }: TokenSources): string {
  const cache = env["XDG_CACHE_HOME"] || join(userFolder, ".cache");
  return env["HF_TOKEN_PATH"] || join(env["HF_HOME"] || join(cache, "huggingface"), "token");
}

/** A file that cannot be read must not stop a run that may not need it. */
async function readTokenFile(path: string, { disk, notice }: TokenSources): Promise<string | null> {
  try {
    return (await disk.readText(path))?.trim() || null;
  } catch (error) {
    if (!(error instanceof LuciError)) throw error;
    notice(`Going on without a token: ${error.message}`);
    return null;
  }
}
