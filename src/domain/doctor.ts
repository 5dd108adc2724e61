// What examining a machine comes to. Plain data.

import type { ErrorCode } from "./errors.ts";

/** One thing that was examined: of this machine, its disk, its network or luci's own files. */
export interface DoctorCheck {
  /** A word that does not change: `folder`, `locks`, `proxy`, … */
  readonly name: string;
  readonly state: "ok" | "warning" | "problem";
  /** What was found, in one line. */
  readonly finding: string;
  /** What to do; null where all is well. */
  readonly advice: string | null;
  /** What luci would end with where it meets this; null unless it is a problem. */
  readonly code: ErrorCode | null;
}

export interface DoctorResult {
  readonly command: "doctor";
  /** In the order of what stands on what: settings, disk, machine, network. The first problem decides the exit code. */
  readonly checks: readonly DoctorCheck[];
  readonly elapsedMs: number;
}
