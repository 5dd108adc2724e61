// The largest resident set of a running process, as the kernel counts it.

import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { RunningChild } from "../../src/demo/child.ts";

/** VmHWM of proc_pid_status(5); 0 once the process has ended. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Watches a run to its end. */
export async function watchMemory(
  child: RunningChild,
): Promise<{ exitCode: number; stderr: string; peakBytes: number }> {
  let highest = 0;
  const ended = child.ended.then(() => "ended" as const);
  do highest = Math.max(highest, await peakBytes(child.pid));
  while ((await Promise.race([wait(10), ended])) !== "ended");
  const { exitCode, stderr } = await child.ended;
  return { exitCode, stderr, peakBytes: highest };
}
