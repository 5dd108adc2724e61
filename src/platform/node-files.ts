// The real disk behind `Files`.

import { type Stats, constants } from "node:fs";
import {
  copyFile,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  unlink,
} from "node:fs/promises";
import { dirname } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { errnoOf, keptLess } from "./disk-error.ts";
import type { Files } from "./files.ts";
import { ownTag } from "./machine.ts";
import { factsOf, guard, wrapHandle, writeFully } from "./open-file.ts";

const OPEN_FLAGS = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NO_WAITING = constants.O_NONBLOCK ?? 0;
const FILE_MODE = 0o644;
/** What file systems without folder handles or hard links answer. */
const UNSUPPORTED = new Set([
  "EISDIR",
  "EPERM",
  "EINVAL",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EACCES",
  "EMLINK",
]);
let temporaryCount = 0;

/** The real disk. */
export function nodeFiles(): Files {
  return {
    open: (path, mode) =>
      guard(path, async () => wrapHandle(path, await open(path, OPEN_FLAGS[mode] | NO_FOLLOW, FILE_MODE))),
    readText,
    replaceText,
    facts: (path) => guard(path, async () => factsOf(await orNull(lstat(path, { bigint: true })))),
    list: (folder) => guard(folder, async () => ((await orNull(readdir(folder))) ?? []).toSorted()),
    makeFolder,
    rename: (from, to) => guard(to, () => happened(rename(from, to))),
    renameToFree,
    remove: (path) => guard(path, () => happened(unlink(path))),
    removeEmptyFolder,
    removeTree: (path) => guard(path, () => rm(path, { recursive: true, force: true })),
    syncFolder,
    clone: (from, to) =>
      guard(to, () => copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)),
    freeBytes: async (path) => (await roomOf(path)).freeBytes,
    diskBytes: async (path) => (await roomOf(path)).diskBytes,
  };
}

async function orNull<T>(wanted: Promise<T>): Promise<T | null> {
  try {
    return await wanted;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
}

async function happened(act: Promise<void>): Promise<boolean> {
  return (await orNull(act.then(() => true))) ?? false;
}

async function readText(path: string, options: { maxBytes: number }): Promise<string | null> {
  return guard(path, async () => {
    // Whoever opens a pipe waits for its writer.
    const handle = await orNull(open(path, constants.O_RDONLY | NO_WAITING));
    if (!handle) return null;
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new LuciError("E_IO", `${path}: ${whatIs(stats)} where a file is expected`);
      if (stats.size > options.maxBytes)
        throw new LuciError("E_IO", `${path}: it is larger than such a file can be (${stats.size} bytes)`);
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  });
}

function whatIs(stats: Stats): string {
  return `a ${stats.isDirectory() ? "folder" : stats.isFIFO() ? "pipe" : "device"} stands`;
}

async function replaceText(path: string, text: string): Promise<void> {
  const temporary = `${path}.${ownTag()}.${(temporaryCount += 1)}.tmp`;
  await guard(path, async () => {
    const handle = await open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW,
      FILE_MODE,
    );
    try {
      const bytes = new TextEncoder().encode(text);
      await writeFully(handle, 0, [bytes]);
      await handle.sync();
      // Some disks say that they wrote what they did not, and what the name stood for is still good.
      if ((await handle.stat()).size !== bytes.length) throw keptLess(path);
      await handle.close();
      await rename(temporary, path);
    } catch (error) {
      await handle.close().catch(() => undefined);
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  });
  await syncFolder(dirname(path));
}

async function makeFolder(path: string): Promise<void> {
  const first = await guard(path, () => mkdir(path, { recursive: true }));
  if (!first) return;
  // Each new name lives in its parent: sync from the first new folder's parent down.
  for (let folder = path; folder.length >= first.length; folder = dirname(folder))
    await syncFolder(dirname(folder));
}

async function renameToFree(from: string, to: string): Promise<boolean> {
  return guard(to, async () => {
    try {
      await link(from, to);
    } catch (error) {
      const code = errnoOf(error) ?? "";
      if (code === "EEXIST") return false;
      if (!UNSUPPORTED.has(code)) throw error;
      // No hard links here (FAT, exFAT, some network shares): look, then rename.
      if (await orNull(lstat(to))) return false;
      await rename(from, to);
      return true;
    }
    await unlink(from);
    return true;
  });
}

async function removeEmptyFolder(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch {
    return false;
  }
}

async function syncFolder(path: string): Promise<void> {
  await guard(path, async () => {
    try {
      const handle = await open(path, constants.O_RDONLY);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (!UNSUPPORTED.has(errnoOf(error) ?? "")) throw error;
    }
  });
}

async function roomOf(path: string): Promise<{ freeBytes: number; diskBytes: number }> {
  return guard(path, async () => {
    let folder = path;
    while (!(await orNull(stat(folder))) && dirname(folder) !== folder) folder = dirname(folder);
    const { bavail, blocks, bsize } = await statfs(folder);
    return { freeBytes: bavail * bsize, diskBytes: blocks * bsize };
  });
}
