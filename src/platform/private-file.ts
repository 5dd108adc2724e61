// Whether a file that holds a secret is the user's alone. Looks, never changes anything.

import { stat } from "node:fs/promises";

const READ_BY_GROUP_OR_OTHERS = 0o044;

/** Whether the file's mode lets other users read it. False where modes mean nothing (Windows) and for no file. */
export async function isReadableByOthers(path: string): Promise<boolean> {
  if (process.platform === "win32") return false;
  try {
    return ((await stat(path)).mode & READ_BY_GROUP_OR_OTHERS) !== 0;
  } catch {
    return false;
  }
}
