// errno → LuciError: what the disk said, in words, with the path and what to do.

import { type ErrorCode, LuciError } from "../domain/errors.ts";

/** Of what else needs a handle, a connection for one, they say the same. */
export const HANDLE_REASONS: Readonly<Record<string, string>> = {
  EMFILE: "too many open files (see ulimit -n)",
  ENFILE: "the system has too many open files",
};
export const HANDLE_HINT = "Allow more open files (`ulimit -n 1024`), then run the same command again";
const REASONS: Record<string, readonly [ErrorCode, string]> = {
  ENOSPC: ["E_NO_SPACE", "the disk is full"],
  EDQUOT: ["E_NO_SPACE", "your disk quota is used up"],
  EFBIG: ["E_IO", "the file is larger than this file system or process may have (FAT32 ends at 4 GiB)"],
  EACCES: ["E_PERMISSION", "permission denied"],
  EPERM: ["E_PERMISSION", "the system does not permit it"],
  EROFS: ["E_PERMISSION", "the file system is read-only"],
  EIO: ["E_IO", "the disk reported an input/output error"],
  ENOTDIR: ["E_IO", "a part of this path is a file, not a folder"],
  EISDIR: ["E_IO", "a folder stands where a file is expected"],
  ENAMETOOLONG: ["E_IO", "the name is too long for this file system"],
  ELOOP: ["E_UNSAFE_PATH", "a symbolic link stands where a file of our own is expected"],
  ENOENT: ["E_IO", "no such file or folder"],
  EEXIST: ["E_IO", "a file of that name is there already"],
  EXDEV: ["E_IO", "it lies on another file system"],
  EBUSY: ["E_IO", "it is in use"],
  ETXTBSY: ["E_IO", "it is in use"],
};
const HINTS: Record<string, string> = {
  ELOOP: "Remove the link, or point --dir at the real folder",
  EMFILE: HANDLE_HINT,
  EFBIG: "Choose another file system with --dir, or lift the limit (see ulimit -f)",
};

/** What is said of a disk that took bytes, said so, and does not have them. */
export function keptLess(path: string): LuciError {
  return new LuciError("E_IO", `${path}: the disk kept less than was written to it`);
}

/** The errno name of a system error, if it has one. */
export function errnoOf(error: unknown): string | null {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : null;
}

/** A LuciError for whatever the disk threw; programming errors pass unchanged. */
export function diskError(error: unknown, path: string): unknown {
  const code = errnoOf(error);
  if (error instanceof LuciError || code === null) return error;
  const [luciCode, reason] = REASONS[code] ?? ["E_IO", HANDLE_REASONS[code] ?? `the disk answered ${code}`];
  const hint = HINTS[code];
  return new LuciError(luciCode, `${path}: ${reason}`, { cause: error, ...(hint ? { hint } : {}) });
}
