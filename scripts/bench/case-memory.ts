// Case j: whether memory stays the same however large the file is.

import { join } from "node:path";
import { luciJob } from "./commands.ts";
import { MIB } from "./data.ts";
import type { BenchCase, Lab } from "./lab.ts";
import { LINK_FILE, linkDigest, startLink } from "./link.ts";
import { freeBytes } from "./machine.ts";
import type { Measured } from "./measure.ts";
import { checkOutput } from "./race.ts";
import type { Section } from "./report.ts";

const SPARE_BYTES = 2 ** 31;
const SLOWEST_MIB_PER_SEC = 20;

/** 1 GiB and 64 GiB from a server that makes its bytes. */
export const memory: BenchCase = { id: "j", sets: () => [], run: runMemory };

async function runMemory(lab: Lab): Promise<Section> {
  const sizesGib = [1, lab.options.hugeGib];
  const rows: string[][] = [];
  const remarks: string[] = [];
  const peaks: number[] = [];
  for (const gib of sizesGib) {
    const measured = await download(lab, gib * 2 ** 30);
    const ok = measured.problem === null;
    lab.say(`  ${gib} GiB: ${measured.problem ?? `${(measured.rssBytes / MIB).toFixed(0)} MiB`}`);
    if (!ok) remarks.push(`${gib} GiB: ${measured.problem}`);
    if (ok) peaks.push(measured.rssBytes / MIB);
    rows.push([
      `${gib} GiB`,
      ok ? (measured.rssBytes / MIB).toFixed(0) : "–",
      ok ? (measured.wallMs / 1000).toFixed(1) : "–",
      ok ? ((gib * 1024 * 1000) / measured.wallMs).toFixed(0) : "–",
      ok ? (measured.cpuMs / 1000).toFixed(1) : "–",
    ]);
  }
  const [small, large] = peaks;
  const whole = small !== undefined && large !== undefined;
  return {
    title: "Peak memory by the size of the file",
    intro: ["The server makes its bytes by offset and needs no disk; luci writes and verifies them all."],
    tables: [{ head: ["file", "peak RSS MiB", "wall s", "MiB/s", "CPU s"], rows, remarks }],
    goals: [
      {
        what: "peak RSS of luci",
        limit: 128,
        bound: "at most",
        reached: whole ? Math.max(small, large) : null,
        unit: " MiB",
        digits: 1,
      },
      {
        what: `peak RSS at ${lab.options.hugeGib} GiB / at 1 GiB`,
        limit: 1.1,
        bound: "at most",
        reached: whole ? large / small : null,
      },
    ],
  };
}

async function download(lab: Lab, sizeBytes: number): Promise<Measured> {
  const { bench, options, nginx, workFolder } = lab;
  if ((await freeBytes(workFolder)) < sizeBytes + SPARE_BYTES)
    throw new Error(`no room for ${sizeBytes / 2 ** 30} GiB in ${workFolder}: try a smaller --huge`);
  const sha256 = await linkDigest(sizeBytes);
  const link = await startLink({ sizeBytes, rateBytesPerSec: null });
  const folder = await bench.folder();
  try {
    const words = ["install", `${link.url}#sha256=${sha256}`, "--quiet"];
    const job = luciJob({ luci: options.luci, hubUrl: nginx.hubUrl }, { folder, words });
    const timeoutMs = 60_000 + (sizeBytes / MIB / SLOWEST_MIB_PER_SEC) * 1000;
    const measured = await bench.measure(job, { timeoutMs });
    if (measured.problem !== null) return measured;
    const find = (home: string, path: string) => join(home, "models", path);
    const expected = [{ path: LINK_FILE, sizeBytes, sha256 }];
    return { ...measured, problem: await checkOutput({ find }, { folder, expected }) };
  } finally {
    await link.stop();
    await bench.drop(folder);
  }
}
