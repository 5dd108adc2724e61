// Runs a program as a child process and collects what it says. Knows nothing of luci.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";

/** What a child process left behind. */
export interface ChildResult {
  /** The exit code; for a death by signal 128 plus its number, as shells count. */
  readonly exitCode: number;
  /** The signal it died of, null when it ended by itself. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

/** A child at work. */
export interface RunningChild {
  readonly pid: number;
  /** Sends a signal; nothing happens if the child has ended. */
  kill(signal: NodeJS.Signals): void;
  /** What it said so far. */
  output(): { readonly stdout: string; readonly stderr: string };
  /** Ends with the child. Never rejects once it was started. */
  readonly ended: Promise<ChildResult>;
}

export interface ChildOptions {
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Text for its standard input; closed at once without. */
  readonly stdin?: string;
  /** Killed with SIGKILL after this time. */
  readonly timeoutMs: number;
  /** Killed with SIGKILL when this aborts. */
  readonly signal?: AbortSignal;
}

const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/**
 * Starts a program.
 * @throws Error (through `ended`) when the program cannot be started at all
 */
export function startChild(argv: readonly string[], options: ChildOptions): RunningChild {
  const [program = "", ...args] = argv;
  const startMs = performance.now();
  const child = spawn(program, args, { env: { ...options.env }, cwd: options.cwd, stdio: "pipe" });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  // A child that does not read its input closes the pipe: that is its right.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  return {
    pid: child.pid ?? -1,
    kill: (signal) => void child.kill(signal),
    output: () => said,
    ended: end(child, options).then((end) => ({ ...end, ...said, elapsedMs: performance.now() - startMs })),
  };
}

function end(child: ChildProcess, options: ChildOptions): Promise<Pick<ChildResult, "exitCode" | "signal">> {
  const { promise, resolve, reject } = Promise.withResolvers<Pick<ChildResult, "exitCode" | "signal">>();
  const kill = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(kill, options.timeoutMs);
  const tidy = (): void => {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", kill);
  };
  if (options.signal?.aborted) kill();
  options.signal?.addEventListener("abort", kill, { once: true });
  child.once("error", (error) => {
    tidy();
    reject(error);
  });
  child.once("close", (code, signal) => {
    tidy();
    resolve({ exitCode: code ?? 128 + (signal === null ? 0 : (SIGNAL_NUMBERS[signal] ?? 0)), signal });
  });
  return promise;
}
