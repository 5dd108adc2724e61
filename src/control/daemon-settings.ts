// The settings of a daemon: what is said by hand outlives it, until it is taken back. The command line goes before
// that, config.toml and the environment behind it.

import type { Steering } from "../app/steering.ts";
import { type RateTimetable, isOneStretch } from "../domain/rate-timetable.ts";
import type { RunSettings, RunSettingsChange } from "./jobs.ts";
import { changeRunSettings, runSettings } from "./run-jobs.ts";
import type { SettingRows } from "./setting-rows.ts";

export interface DaemonSettingsOptions {
  readonly steering: Steering;
  readonly rows: SettingRows;
  /** By whose hours a limit ends that was said by hand; null where there is none. */
  readonly timetable: RateTimetable | null;
  /** Whether the command line says the limit. */
  readonly isLimitTyped: boolean;
  nowMs(): number;
}

export interface DaemonSettings {
  /** Lets what was said in a life before hold again; answers whether there was something. @throws LuciError the disk's */
  restore(): boolean;
  settings(): RunSettings;
  /** First on the disk, then in force. @throws LuciError the disk's, E_CONFIG where there is no timetable to follow */
  changeSettings(change: RunSettingsChange): RunSettings;
}

/** The settings of everything together. */
export function createDaemonSettings(options: DaemonSettingsOptions): DaemonSettings {
  const { steering, rows, timetable, isLimitTyped, nowMs } = options;
  return {
    restore: () => {
      const said = rows.readLimit();
      if (!said || isLimitTyped) return false;
      if (timetable && !isOneStretch(timetable, new Date(said.saidAtMs), new Date(nowMs()))) {
        rows.writeLimit(null);
        return false;
      }
      steering.setLimit(said.bytesPerSec);
      return true;
    },
    settings: () => runSettings(steering),
    changeSettings: (change) => {
      const { limitBytesPerSec: limit } = change;
      // Without one this is refused, and nothing is forgotten.
      if (limit === "timetable" && timetable === null) return changeRunSettings(steering, change);
      const isSaid = typeof limit !== "string";
      rows.writeLimit(isSaid ? { bytesPerSec: limit, saidAtMs: nowMs() } : null);
      return changeRunSettings(steering, change);
    },
  };
}
