// Is the machine itself fit: its clock, its limits, and the engines that compute digests?

import type { DoctorCheck } from "../domain/doctor.ts";
import { formatBytes } from "../domain/size.ts";
import { type StreamingSha256, checkEngine, createNativeSha256, createWasmSha256 } from "../platform/hash.ts";
import { openFileLimit } from "../platform/limits.ts";
import { examine, fine, problem, warning } from "./checks.ts";

/** Before it, there was no luci; long after it, certificates have run out. */
const EARLIEST_YEAR = 2026;
const LATEST_YEAR = 2050;
/** Sixteen connections, sixteen files, their journals and locks, and what the runtime needs. */
const FEWEST_FILES = 64;
const ENOUGH_FILES = 256;
const MIB = 1024 * 1024;

/** The machine, without disk and network. */
export async function examineMachine(): Promise<DoctorCheck[]> {
  return [
    examineClock(new Date()),
    examineOpenFiles(openFileLimit()),
    await examine("digests", () => examineEngines()),
  ];
}

/** A clock far off makes good certificates look bad, and bad ones good. */
export function examineClock(now: Date): DoctorCheck {
  const year = now.getUTCFullYear();
  const shown = `${now.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (year >= EARLIEST_YEAR && year <= LATEST_YEAR) return fine("clock", shown);
  return warning("clock", `The clock says ${shown}`, "Set it: certificates are judged by it");
}

/** Whether as many files may be open at once as luci opens at most. */
export function examineOpenFiles(limit: number | null): DoctorCheck {
  if (limit === null) return fine("open files", "no limit that matters");
  if (limit >= ENOUGH_FILES) return fine("open files", `${limit} at once`);
  const advice = "Raise it with `ulimit -n 1024`, or use fewer --jobs and --connections";
  const finding = `Only ${limit} files may be open at once`;
  return limit < FEWEST_FILES
    ? problem("open files", "E_IO", { finding, advice })
    : warning("open files", finding, advice);
}

async function examineEngines(): Promise<DoctorCheck> {
  const engines = [
    { name: "native", make: async () => createNativeSha256(), sizeBytes: 32 * MIB },
    { name: "wasm", make: () => createWasmSha256(null), sizeBytes: 4 * MIB },
  ];
  const speeds: string[] = [];
  for (const { name, make, sizeBytes } of engines) {
    try {
      checkEngine(await make(), name);
    } catch {
      return problem("digests", "E_INTERNAL", {
        finding: `The ${name} SHA-256 engine computes wrong digests on this machine`,
        advice: "Do not trust this build of luci here: get it again, then test the machine's memory",
      });
    }
    speeds.push(`${name} ${formatBytes(speedOf(await make(), sizeBytes))}/s`);
  }
  return fine("digests", `both SHA-256 engines agree; ${speeds.join(", ")}`);
}

/** Bytes per second over some megabytes: an impression, not a measurement. */
function speedOf(engine: StreamingSha256, sizeBytes: number): number {
  const chunk = new Uint8Array(MIB);
  const startMs = performance.now();
  for (let doneBytes = 0; doneBytes < sizeBytes; doneBytes += chunk.length) engine.update(chunk);
  engine.digestHex();
  return Math.round((sizeBytes / Math.max(0.001, performance.now() - startMs)) * 1000);
}
