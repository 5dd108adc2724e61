// Memory stays flat whatever a file's size, seen from outside: the peak of the resident set as the kernel counts it.

import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { RunningChild } from "../../src/demo/child.ts";
import { makeGguf } from "../../src/demo/gguf-writer.ts";
import { openStage } from "../support/stage.ts";

const MIB = 1024 * 1024;
const MOST_BYTES = 200 * MIB;
const SIZE_BYTES = 4096 * MIB;
/** Of the generated content below, computed once: the hub would need ten seconds to find it out. */
const SHA256 = "27da827ba75399dc9f9a1c6c4d678f4466e2890e03a85257973cc4b22ea28856";

/** The largest resident set of a process so far (VmHWM, proc_pid_status(5)); 0 once it has ended. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Watches a run to its end. */
async function watch(child: RunningChild): Promise<{ exitCode: number; stderr: string; peakBytes: number }> {
  let highest = 0;
  const ended = child.ended.then(() => "ended" as const);
  do highest = Math.max(highest, await peakBytes(child.pid));
  while ((await Promise.race([wait(10), ended])) !== "ended");
  const { exitCode, stderr } = await child.ended;
  return { exitCode, stderr, peakBytes: highest };
}

describe.skipIf(process.platform !== "linux")("a file of 4 GiB", () => {
  test("is installed and verified in less than 200 MiB", async () => {
    const { read, sizeBytes } = await makeGguf({ name: "vast", sizeBytes: SIZE_BYTES, seed: 44 });
    const files = [{ path: "vast.gguf", content: { read, sizeBytes, sha256: SHA256 } }];
    await using stage = await openStage({ repos: [{ name: "org/vast", files }] });
    for (const args of [["install", "hf:org/vast:vast.gguf"], ["verify"]]) {
      const run = await watch(stage.start(args, { timeoutMs: 120_000 }));
      expect([args, run.exitCode, run.stderr]).toEqual([args, 0, run.stderr]);
      console.log(`${args[0]}: ${Math.round(run.peakBytes / MIB)} MiB at its peak`);
      expect(run.peakBytes).toBeGreaterThan(20 * MIB);
      expect(run.peakBytes).toBeLessThan(MOST_BYTES);
    }
  }, 240_000);
});
