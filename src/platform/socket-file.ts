// Where a local socket lives on the disk: in a folder that is the user's alone, gone with its process.

import { chmodSync, unlinkSync, utimesSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes the socket's folder, for this user only. @throws the disk's error */
export async function makeSocketFolder(socketPath: string): Promise<void> {
  const folder = dirname(socketPath);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
}

/** Makes a socket that was just opened the user's alone. Modes mean nothing on Windows. */
export function protectSocket(socketPath: string): void {
  if (process.platform !== "win32") chmodSync(socketPath, 0o600);
}

const REFRESH_MS = 5 * 60_000;

/**
 * Keeps the socket's time fresh, which is all that other hosts and containers know of its process, and sees to it that
 * it does not outlive that; returns how to remove it now.
 */
export function keepUntilEnd(socketPath: string): () => void {
  const refresh = setInterval(() => touch(socketPath), REFRESH_MS);
  refresh.unref();
  const remove = (): void => {
    clearInterval(refresh);
    process.off("exit", remove);
    try {
      unlinkSync(socketPath);
    } catch {
      // It is gone already, or whoever looks next finds nobody behind it.
    }
  };
  process.on("exit", remove);
  return remove;
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Whoever removed it did not know better; nobody finds it any more.
  }
}
