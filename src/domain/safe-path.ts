// Names that came from the network, checked before any of them touches a disk.
// The rules of POSIX and of Windows hold on every platform, so that a models folder can move anywhere.

import { LuciError } from "./errors.ts";

const LONGEST_SEGMENT_BYTES = 255;
const LONGEST_PATH_BYTES = 1_024;
/** Controls, format characters (bidi, zero width), lone surrogates and line separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const FORBIDDEN = /[\\:*?"<>|]/;
/** Device names of Windows, with or without an extension. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)/i;
/** Our own folder, and the short name Windows may give it. */
const OURS = /^(?:\.luci|luci~\d+)$/i;

const encoder = new TextEncoder();

/** Said where a name leads nowhere else, and is merely no name for every disk. */
const NAME_HINT = "Not every disk can hold that name: choose another file, or ask its publisher to rename it";
const ABSOLUTE = "it is absolute";
const LEAVES = "it leaves its folder";
const RECORDS = "it is the folder luci keeps its records in";
const ESCAPES: ReadonlySet<string> = new Set([ABSOLUTE, LEAVES, RECORDS]);

/**
 * Returns a remote relative path unchanged when it is safe to create below the models folder.
 * @throws LuciError E_UNSAFE_PATH naming the rule it breaks
 */
export function checkRemotePath(path: string): string {
  const fault = pathFault(path);
  if (fault === null) return path;
  const message = `Unsafe file name ${quote(path)}: ${fault}`;
  throw new LuciError("E_UNSAFE_PATH", message, ESCAPES.has(fault) ? {} : { hint: NAME_HINT });
}

/**
 * Makes sure that no two paths are one file on a disk that folds case or composes accents, and that
 * none is a folder of another.
 * @throws LuciError E_UNSAFE_PATH naming both
 */
export function checkNoCollisions(paths: readonly string[]): void {
  const byKey = new Map<string, string>();
  for (const path of paths) {
    const key = foldPath(path);
    const other = byKey.get(key);
    if (other !== undefined) throw collision(other, path, "would be the same file on some disks");
    byKey.set(key, path);
  }
  for (const [key, path] of byKey) {
    for (let end = key.indexOf("/"); end !== -1; end = key.indexOf("/", end + 1)) {
      const other = byKey.get(key.slice(0, end));
      if (other !== undefined)
        throw collision(other, path, "cannot both exist: one is a folder of the other");
    }
  }
}

/** The form under which two paths are the same file on a disk that folds case and composes accents. */
export function foldPath(path: string): string {
  return path.toUpperCase().toLowerCase().normalize("NFC");
}

function pathFault(path: string): string | null {
  if (path === "") return "it is empty";
  if (UNPRINTABLE.test(path)) return "it holds control or invisible characters";
  if (path.startsWith("/")) return ABSOLUTE;
  if (FORBIDDEN.test(path)) return 'it holds one of \\ : * ? " < > |';
  if (path.normalize("NFC") !== path) return "its accents are not in composed form (NFC)";
  if (encoder.encode(path).length > LONGEST_PATH_BYTES)
    return `it is longer than ${LONGEST_PATH_BYTES} bytes`;
  const segments = path.split("/");
  if (OURS.test(segments[0] ?? "")) return RECORDS;
  return segments.map(segmentFault).find((fault) => fault !== null) ?? null;
}

function segmentFault(segment: string): string | null {
  if (segment === "") return "a part of it is empty";
  if (segment === "." || segment === "..") return LEAVES;
  if (/[ .]$/.test(segment)) return "a part of it ends in a dot or a space";
  if (RESERVED.test(segment)) return "Windows reserves that name";
  const isLong = encoder.encode(segment).length > LONGEST_SEGMENT_BYTES;
  return isLong ? `a part of it is longer than ${LONGEST_SEGMENT_BYTES} bytes` : null;
}

function collision(one: string, other: string, why: string): LuciError {
  return new LuciError("E_UNSAFE_PATH", `${quote(one)} and ${quote(other)} ${why}`, { hint: NAME_HINT });
}

function quote(path: string): string {
  return JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path);
}
