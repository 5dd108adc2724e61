// Who this process is and whether another one still lives. Names owners of partials and locks.

import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { spawnSync } from "node:child_process";

/** Identifies a process beyond its reusable pid. `startToken` is empty where the platform does not tell. */
export interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Where the pid counts: containers of one host number their processes each for itself. Empty for the host's own. */
  readonly pidSpace: string;
  readonly bootId: string;
  readonly startToken: string;
}

/** Another host's or container's process is believed alive for this long after its last sign of life. */
export const LEASE_MS = 30 * 60_000;
const DIGEST_LENGTH = 6;
/** The namespace every Linux boots with (PROC_PID_INIT_INO in linux/proc_ns.h). */
const FIRST_PID_SPACE = "pid:[4026531836]";

let bootIdentity: string | null = null;

/** A text that changes with every boot of this machine. */
export function bootId(): string {
  bootIdentity ??= readBootId();
  return bootIdentity;
}

function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    if (process.platform !== "darwin") return `unknown-${process.platform}`;
    const { stdout } = spawnSync("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], { encoding: "utf8" });
    return stdout?.trim() || "unknown-darwin";
  }
}

function linkText(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function pidSpace(): string {
  const name = linkText("/proc/self/ns/pid");
  return name === FIRST_PID_SPACE ? "" : name;
}

/** Empty too where /proc shows the processes of another namespace: it would answer for somebody else. */
function startTokenOf(pid: number): string {
  if (linkText("/proc/self") !== String(process.pid)) return "";
  try {
    // Field 22 of /proc/<pid>/stat (proc(5)): start time in ticks; the name before it may hold spaces.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

let identity: Owner | null = null;

/** This process. */
export function ownIdentity(): Owner {
  identity ??= {
    pid: process.pid,
    host: hostname(),
    pidSpace: pidSpace(),
    bootId: bootId(),
    startToken: startTokenOf(process.pid),
  };
  return identity;
}

/** Whether a process of this number runs on this machine. */
function isProcessAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function shortDigest(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, DIGEST_LENGTH);
}

/** Who can look a process up: those on the same host that see the same pids. */
function neighbourhood(owner: Owner): string {
  return shortDigest(`${owner.host}${owner.pidSpace}`);
}

/**
 * The owner as a suffix for file names: `<pid>.<nonce>`, the nonce telling host from process, so that
 * anyone can see from the name alone whether the owner still runs.
 */
export function ownerTag(owner: Owner): string {
  return `${owner.pid}.${neighbourhood(owner)}${shortDigest(`${owner.bootId}/${owner.startToken}`)}`;
}

let ownTagText: string | null = null;

/** The tag of this process. */
export function ownTag(): string {
  return (ownTagText ??= ownerTag(ownIdentity()));
}

/** Whether the process that a tag names can be looked up from here. */
export function isNeighbour(tag: string): boolean {
  const [, nonce = ""] = tag.split(".");
  return nonce.slice(0, DIGEST_LENGTH) === neighbourhood(ownIdentity());
}

/**
 * Whether the process that a tag names is still running. A tag of another host or container counts as alive until
 * `lastSignMs` (the file's last change) is older than the lease.
 */
export function isTagAlive(tag: string, options: { lastSignMs: number; nowMs: number }): boolean {
  const pid = Number(tag.split(".")[0]);
  const own = ownIdentity();
  if (!isNeighbour(tag)) return options.nowMs - options.lastSignMs < LEASE_MS;
  if (!isProcessAlive(pid)) return false;
  return ownerTag({ ...own, pid, startToken: startTokenOf(pid) }) === tag;
}
