// What the figures were measured on.

import { readFile, statfs } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";

/** Above this, others are at work and times say little. */
const BUSY_LOAD = 0.5;

export interface Machine {
  readonly facts: readonly string[];
  /** A warning when the machine is not idle; null when it is. */
  readonly busy: string | null;
}

/** Processor, memory, system and the filesystem that the work folder is on. */
export async function describeMachine(folder: string): Promise<Machine> {
  const [cpuInfo, system, mounts] = await Promise.all(
    ["/proc/cpuinfo", "/etc/os-release", "/proc/mounts"].map((path) =>
      readFile(path, "utf8").catch(() => ""),
    ),
  );
  const cores = cpus();
  const shaNi = /\bsha_ni\b/.test(cpuInfo ?? "") ? "with SHA-NI" : "without SHA-NI";
  const name = /^PRETTY_NAME="?([^"\n]+)/m.exec(system ?? "")?.[1] ?? process.platform;
  const [load = 0] = loadavg();
  return {
    facts: [
      `${cores[0]?.model.trim() ?? "unknown processor"}, ${cores.length} cores, ${shaNi}`,
      `${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`,
      `${name}, kernel ${release()}`,
      `work folder on ${filesystemOf(folder, mounts ?? "")}, through the page cache`,
    ],
    busy:
      load > BUSY_LOAD
        ? `load average ${load.toFixed(2)} at the start: others were at work, times are noisy`
        : null,
  };
}

/** Bytes that can still be written to a folder's filesystem. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** The type of the mount with the longest matching path. */
function filesystemOf(folder: string, mounts: string): string {
  const rows = mounts.split("\n").map((line) => line.split(" "));
  const inside = (place: string) => place === "/" || folder === place || folder.startsWith(`${place}/`);
  const [best] = rows
    .filter(([, place]) => place !== undefined && inside(place))
    .toSorted((one, other) => (other[1]?.length ?? 0) - (one[1]?.length ?? 0));
  return best?.[2] ?? "an unknown filesystem";
}
