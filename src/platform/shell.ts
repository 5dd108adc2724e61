// Runs a user's own command with the shell, what it says on standard error. Nothing is put into the command's text:
// what it is told of, it finds in its environment.

import { type ChildProcess, spawn } from "node:child_process";
import { LuciError } from "../domain/errors.ts";

/** Secrets of luci's own: no command of anybody's is handed them. */
const SECRETS = /^(?:HF_TOKEN|HUGGING_?FACE_(?:HUB_)?TOKEN|LUCI_(?:\w+_)?TOKEN)$/i;
/** From the request to end to the end. */
const GRACE_MS = 500;

export interface ShellOptions {
  /** Added to the environment of this process, which is handed on without its secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** Ended after this time. */
  readonly limitMs: number;
  /** Ended when this aborts. */
  readonly signal: AbortSignal;
}

/** How a command ended. */
export interface ShellEnd {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly isTooLong: boolean;
}

/**
 * Runs a command to its end, together with what it starts and waits for: all of it is ended on an interrupt or when
 * it takes too long. What it leaves in the background is left alone.
 * @throws LuciError E_IO when there is no shell to run it
 */
export async function runShell(command: string, options: ShellOptions): Promise<ShellEnd> {
  const { limitMs, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<ShellEnd>();
  const child = start(command, options);
  let isTooLong = false;
  let killing: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => {
    endGroup(child, "SIGTERM");
    killing ??= setTimeout(() => endGroup(child, "SIGKILL"), GRACE_MS);
  };
  const limit = setTimeout(() => {
    isTooLong = true;
    stop();
  }, limitMs);
  child.once("error", (error) =>
    reject(new LuciError("E_IO", `The shell could not be started: ${error.message}`, { cause: error })),
  );
  child.once("exit", (exitCode, by) => resolve({ exitCode, signal: by, isTooLong }));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(limit);
    clearTimeout(killing);
    // The shell is gone; what it waited for may not be.
    if (killing) endGroup(child, "SIGKILL");
    signal.removeEventListener("abort", stop);
  }
}

function start(command: string, { env }: ShellOptions): ChildProcess {
  const own = Object.entries(process.env).filter(([name]) => !SECRETS.test(name));
  return spawn(command, {
    shell: true,
    // A group of its own: a terminal's Ctrl-C is ours to hand on, and all of it can be ended at once.
    detached: process.platform !== "win32",
    windowsHide: true,
    // Standard output is luci's own, for data.
    stdio: ["ignore", 2, 2],
    env: { ...Object.fromEntries(own), ...env },
  });
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === "win32") child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It has just ended.
  }
}
