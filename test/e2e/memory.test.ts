// Memory stays flat whatever a file's size, seen from outside: the peak of the resident set as the kernel counts it.

import { describe, expect, test } from "bun:test";
import { makeGguf } from "../../src/demo/gguf-writer.ts";
import { watchMemory } from "../support/peak-memory.ts";
import { openStage } from "../support/stage.ts";

const MIB = 1024 * 1024;
const MOST_BYTES = 200 * MIB;
const SIZE_BYTES = 4096 * MIB;
/** Of the generated content below, computed once: the hub would need ten seconds to find it out. */
const SHA256 = "27da827ba75399dc9f9a1c6c4d678f4466e2890e03a85257973cc4b22ea28856";

describe.skipIf(process.platform !== "linux")("a file of 4 GiB", () => {
  test("is installed and verified in less than 200 MiB", async () => {
    const { read, sizeBytes } = await makeGguf({ name: "vast", sizeBytes: SIZE_BYTES, seed: 44 });
    const files = [{ path: "vast.gguf", content: { read, sizeBytes, sha256: SHA256 } }];
    await using stage = await openStage({ repos: [{ name: "org/vast", files }] });
    for (const args of [["install", "hf:org/vast:vast.gguf"], ["verify"]]) {
      const run = await watchMemory(stage.start(args, { timeoutMs: 400_000 }));
      expect([args, run.exitCode, run.stderr]).toEqual([args, 0, run.stderr]);
      console.log(`${args[0]}: ${Math.round(run.peakBytes / MIB)} MiB at its peak`);
      expect(run.peakBytes).toBeGreaterThan(20 * MIB);
      expect(run.peakBytes).toBeLessThan(MOST_BYTES);
    }
  }, 900_000);
});
