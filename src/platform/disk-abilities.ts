// What a file system can do beyond reading and writing, found out by doing it in a folder that is thrown away.

import { constants } from "node:fs";
import { copyFile, link, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Whether a file can have two names. The folder is left to be removed by the caller. */
export async function canHardLink(folder: string): Promise<boolean> {
  const [one, other] = [join(folder, "link-one"), join(folder, "link-other")];
  try {
    await writeFile(one, "luci");
    await link(one, other);
    return (await stat(other)).nlink >= 2;
  } catch {
    return false;
  }
}

/** Whether a copy can share its blocks with the original. The folder is left to be removed by the caller. */
export async function canReflink(folder: string): Promise<boolean> {
  const [one, other] = [join(folder, "clone-one"), join(folder, "clone-other")];
  try {
    await writeFile(one, new Uint8Array(8192));
    await copyFile(one, other, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  }
}
