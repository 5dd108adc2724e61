// Polite waiting between processes. A lock tells who works on a file; correctness never depends on it:
// partials are owned by rename. flock where the system has it, else an exclusively created file.

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { diskError } from "./disk-error.ts";
import { keepsLocks } from "./disk-kind.ts";
import { openLibc } from "./libc.ts";
import { bootId, isNeighbour, isTagAlive, ownIdentity, ownTag } from "./machine.ts";

/** Who holds a lock, for people. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly sinceMs: number;
}

export interface Lock {
  /**
   * The tag of a process that held this lock and has ended for certain, wherever it ran: this very kernel gave it the
   * lock, and gave it up. Null where nobody is known.
   */
  readonly ended: string | null;
  /** Lets go and removes the lock file. */
  release(): void;
}

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
/** Whoever opens a pipe waits for its writer. */
const NO_WAITING = constants.O_NONBLOCK ?? 0;
/** What stands in a lock is a line, whoever wrote it. */
const MAX_RECORD_BYTES = 4096;
const LONGEST_HOST = 255;
/** The end of JavaScript's time. */
const LATEST_DATE_MS = 8.64e15;
const LOCK_EXCLUSIVE = 2;
const LOCK_NON_BLOCKING = 4;
const REFRESH_MS = 5 * 60_000;
/** A holder writes its name into the lock at once: one that did not for this long has none. */
const ABANDONED_MS = 10_000;
type Flock = (fd: number, operation: number) => number;
let flockFunction: Promise<Flock | null> | null = null;

async function loadFlock(): Promise<Flock | null> {
  const libc = await openLibc({ flock: { args: ["i32", "i32"], returns: "i32" } });
  return libc && ((fd, operation) => libc.flock(fd, operation));
}

/** Takes the lock now, or says who has it (null where that cannot be read). Needs its folder to exist. */
export async function tryLock(path: string): Promise<Lock | { readonly holder: LockHolder | null }> {
  flockFunction ??= loadFlock();
  const flock = await flockFunction;
  try {
    return flock ? lockByHandle(path, flock) : lockByCreation(path);
  } catch (error) {
    throw diskError(error, path);
  }
}

function lockByHandle(path: string, flock: Flock): Lock | { holder: LockHolder | null } {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | NO_FOLLOW | NO_WAITING, 0o644);
    if (!isOurKind(fd)) {
      closeSync(fd);
      throw new LuciError("E_UNSAFE_PATH", `${path}: this is no lock of luci's`, { hint: "Move it away" });
    }
    if (flock(fd, LOCK_EXCLUSIVE | LOCK_NON_BLOCKING) !== 0) {
      // Some network disks refuse flock altogether: a name that nobody living wrote for a while is free there too.
      // Elsewhere somebody has it who has not come to write his name yet.
      if (isAbandoned(path) && !knowsLocks(dirname(path), flock)) return held(path, fd, { isKernels: false });
      closeSync(fd);
      return { holder: readHolder(path) };
    }
    // The holder before us removes the name when it lets go: what we locked must still be the name.
    if (isSameFile(fd, path)) return held(path, fd, { isKernels: true });
    closeSync(fd);
  }
}

/** A lock is a file of one name: writing into a second name would write into somebody's file. */
function isOurKind(fd: number): boolean {
  const stats = fstatSync(fd);
  return stats.isFile() && stats.nlink <= 1;
}

function lockByCreation(path: string): Lock | { holder: LockHolder | null } {
  for (let tries = 0; ; tries += 1) {
    try {
      return held(path, openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o644), {
        isKernels: false,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (tries > 0 || isLockAlive(path)) return { holder: readHolder(path) };
      unlinkSync(path);
    }
  }
}

function isAbandoned(path: string): boolean {
  try {
    return !isLockAlive(path) && Date.now() - statSync(path).mtimeMs > ABANDONED_MS;
  } catch {
    return false;
  }
}

/** Whether flock works on a folder's disk, tried on a file that nobody else has. */
function knowsLocks(folder: string, flock: Flock): boolean {
  const path = join(folder, `try-${randomUUID()}.lock`);
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o644);
    try {
      return flock(fd, LOCK_EXCLUSIVE | LOCK_NON_BLOCKING) === 0;
    } finally {
      unlinkSync(path);
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

function isSameFile(fd: number, path: string): boolean {
  try {
    return fstatSync(fd).ino === statSync(path).ino;
  } catch {
    return false;
  }
}

/** `isKernels`: whether flock gave it, which no process survives holding. */
function held(path: string, fd: number, { isKernels }: { isKernels: boolean }): Lock {
  const place = isKernels ? placeOf(fd) : null;
  const ended = place === null ? null : endedHolder(path, place);
  try {
    const record = { ...ownIdentity(), tag: ownTag(), sinceMs: Date.now(), place };
    ftruncateSync(fd, 0);
    writeSync(fd, `${JSON.stringify(record)}\n`, 0);
  } catch (error) {
    // Whoever tries again must not meet a lock that this very process forgot.
    letGo(path, fd);
    throw error;
  }
  // A sign of life for other hosts, whose only evidence is the lock file's age.
  const refresh = setInterval(() => touch(path), REFRESH_MS);
  refresh.unref();
  return {
    ended,
    release: () => {
      clearInterval(refresh);
      letGo(path, fd);
    },
  };
}

/** The file as the kernel knows it: one that is mounted twice has two devices, and a flock of its own at each. */
function placeOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}

/**
 * Who had a lock before that is ours now, where no look tells: the same kernel gave both, at the same place, and loses
 * none there. Whoever can be looked up is, because a look never lies.
 */
function endedHolder(path: string, place: string): string | null {
  const { tag, bootId: boot, place: before } = readRecord(path) ?? {};
  const isSame = boot === bootId() && before === place;
  return isSame && typeof tag === "string" && !isNeighbour(tag) && keepsLocks(path) ? tag : null;
}

/** Frees the lock however the disk is: a name that stays behind is free all the same. */
function letGo(path: string, fd: number): void {
  try {
    if (isSameFile(fd, path)) unlinkSync(path);
  } catch {
    // `cleanup` removes it
  } finally {
    closeSync(fd);
  }
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // only politeness is lost
  }
}

function readRecord(path: string): Record<string, unknown> | null {
  try {
    const record: unknown = JSON.parse(readShortText(path));
    return typeof record === "object" && record !== null ? (record as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The text of a plain file that is no longer than a lock is. @throws what the disk throws */
function readShortText(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | NO_FOLLOW | NO_WAITING);
  try {
    const buffer = Buffer.alloc(MAX_RECORD_BYTES);
    return fstatSync(fd).isFile()
      ? buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, 0))
      : "";
  } finally {
    closeSync(fd);
  }
}

function readHolder(path: string): LockHolder | null {
  const { pid, host, sinceMs } = readRecord(path) ?? {};
  if (typeof pid !== "number" || typeof host !== "string" || typeof sinceMs !== "number") return null;
  const isDate = Number.isSafeInteger(sinceMs) && Math.abs(sinceMs) <= LATEST_DATE_MS;
  return Number.isSafeInteger(pid) && isDate ? { pid, host: host.slice(0, LONGEST_HOST), sinceMs } : null;
}

/** Whether the process that wrote a lock file still runs; an unreadable record counts as dead. */
export function isLockAlive(path: string): boolean {
  const tag = readRecord(path)?.["tag"];
  if (typeof tag !== "string") return false;
  try {
    return isTagAlive(tag, { lastSignMs: statSync(path).mtimeMs, nowMs: Date.now() });
  } catch {
    return false;
  }
}
