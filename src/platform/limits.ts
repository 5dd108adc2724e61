// What the system allows this process.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** How many files this process may have open at once; null where the system does not tell or sets no limit. */
export function openFileLimit(): number | null {
  if (process.platform === "win32") return null;
  const text = process.platform === "linux" ? readLinuxLimit() : askShell();
  const limit = Number(text);
  return text !== "" && Number.isSafeInteger(limit) ? limit : null;
}

function readLinuxLimit(): string {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return /^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? "";
  } catch {
    return "";
  }
}

function askShell(): string {
  return spawnSync("/bin/sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout?.trim() ?? "";
}
