// Runs the compiled luci as a user would, in an empty environment, against an embedded hub.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { startChild } from "../../src/demo/child.ts";
import type { RunningChild } from "../../src/demo/child.ts";
import type { Hub } from "../../src/demo/hub.ts";

/** Of a run that hangs. */
const TIMEOUT_MS = 120_000;

export interface RunOptions {
  /** LUCI_HOME. */
  readonly home: string;
  /** Becomes HF_ENDPOINT. */
  readonly hub?: Pick<Hub, "url">;
  /** Added to the few variables every run gets; these win. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly timeoutMs?: number;
  /** Put before the binary: `strace …`, `prlimit …`, `setpriv …`. */
  readonly wrapper?: readonly string[];
}

/** A signal to send once a moment has come (`hub.whenServed(…)`, or any other promise). */
export interface SignalAfter {
  readonly signal: NodeJS.Signals;
  readonly after: Promise<unknown>;
}

export interface LuciRun {
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  /** From the signal to the end; null when none was sent or luci had ended before. */
  readonly msAfterSignal: number | null;
}

/** The binary under test: LUCI_BINARY, else dist/luci. @throws Error when it is not there */
export function luciBinary(): string {
  const binary = resolve(process.env["LUCI_BINARY"] ?? "dist/luci");
  if (!existsSync(binary)) throw new Error(`${binary} is missing: build it first, or set LUCI_BINARY`);
  return binary;
}

/** Starts luci and lets the test watch, stop or kill it. */
export function startLuci(args: readonly string[], options: RunOptions): RunningChild {
  return startChild([...(options.wrapper ?? []), luciBinary(), ...args], {
    env: luciEnvironment(options),
    cwd: options.cwd ?? options.home,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });
}

/** Runs luci to its end, with a signal on the way if one is ordered. */
export async function runLuci(
  args: readonly string[],
  options: RunOptions & { readonly signalAfter?: SignalAfter },
): Promise<LuciRun> {
  const child = startLuci(args, options);
  const sentMs = options.signalAfter ? await sendSignal(child, options.signalAfter) : null;
  const result = await child.ended;
  const { elapsedMs, ...rest } = result;
  return { ...rest, ms: elapsedMs, msAfterSignal: sentMs === null ? null : performance.now() - sentMs };
}

/** The lines of `--json` output. @throws SyntaxError when one is not JSON */
export function parseEvents(stdout: string): Record<string, unknown>[] {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

function luciEnvironment(options: RunOptions): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: options.home,
    LUCI_HOME: options.home,
    ...(options.hub ? { HF_ENDPOINT: options.hub.url } : {}),
    ...options.env,
  };
}

async function sendSignal(child: RunningChild, order: SignalAfter): Promise<number | null> {
  const moment = await Promise.race([order.after.then(() => "now" as const), child.ended]);
  if (moment !== "now") return null;
  child.kill(order.signal);
  return performance.now();
}
