// Real file systems for tests: mounted, shrunk, filled and made read-only. Needs root; who has not got it, or lacks a
// program, skips out loud, and fails where CI is set, so that nothing goes untried unseen.

import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a test file stands on. */
export interface Demand {
  /** In words, for who reads that it was skipped. */
  readonly what: string;
  readonly programs: readonly string[];
  /** Tries what may be forbidden all the same (a mount in a container); throws if it is. */
  probe?(): Promise<void>;
}

/** Whether a demand is met here. @throws Error where it is not and CI is set */
export async function canHave({ what, programs, probe }: Demand): Promise<boolean> {
  const missing = programs.filter((program) => Bun.which(program) === null);
  const reasons = missing.map((program) => `${program} is missing`);
  if (process.platform !== "linux") reasons.push("this is not Linux");
  else if (process.getuid?.() !== 0) reasons.push("this is not root");
  if (reasons.length === 0) await probe?.().catch((error: unknown) => void reasons.push(String(error)));
  if (reasons.length === 0) return true;
  const message = `${what}: not tried here (${reasons.join(", ")})`;
  if (process.env["CI"]) throw new Error(message);
  console.warn(message);
  return false;
}

/** Runs a program to its end. @throws Error with what it said when it fails */
export async function execute(argv: readonly string[]): Promise<string> {
  const child = Bun.spawn([...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, problem] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${argv.join(" ")}: ${problem}`);
  return out;
}

/** A folder on a file system of its own; unmounted and gone at the end of its block. */
export interface Mounted extends AsyncDisposable {
  readonly path: string;
}

/** Mounts something on a new folder; `extra` are the arguments before it. */
export async function mountAt(extra: readonly string[]): Promise<Mounted> {
  const path = await mkdtemp(join(tmpdir(), "luci-mount-"));
  try {
    await execute(["mount", ...extra, path]);
  } catch (error) {
    await rm(path, { recursive: true });
    throw error;
  }
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await execute(["umount", path]);
      await rm(path, { recursive: true });
    },
  };
}

/** A file system in memory of this size. */
export function mountTmpfs(sizeBytes: number): Promise<Mounted> {
  return mountAt(["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs"]);
}

/** Makes a folder read-only in its place, until the end of the block. */
export async function freezeFolder(path: string): Promise<AsyncDisposable> {
  await mkdir(path, { recursive: true });
  await execute(["mount", "--bind", path, path]);
  await execute(["mount", "-o", "remount,ro,bind", path]);
  return {
    [Symbol.asyncDispose]: async () => {
      await execute(["umount", path]);
    },
  };
}

/** Fills a file system to the last byte. */
export async function fill(path: string): Promise<void> {
  const file = await open(path, "w");
  const block = new Uint8Array(256 * 1024).fill(7);
  try {
    for (;;) await file.write(block);
  } catch {
    // Full is what it was to become.
  } finally {
    await file.close();
  }
}
