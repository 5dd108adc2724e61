// The table of settings that were changed while a daemon ran: what was said, and when. No decisions.

import type { Database } from "../platform/database.ts";

const LIMIT = "limit-rate";

/** A speed limit that somebody set by hand. */
export interface SaidLimit {
  /** Null for no limit. */
  readonly bytesPerSec: number | null;
  readonly saidAtMs: number;
}

export interface SettingRows {
  /** Null where nobody said anything, or it was taken back. */
  readLimit(): SaidLimit | null;
  /** Null takes it back. @throws LuciError the disk's */
  writeLimit(limit: SaidLimit | null): void;
}

/** The table in an open database. */
export function settingRows(database: Database): SettingRows {
  return {
    readLimit: () => {
      const [row] = database.all("SELECT value, said_at FROM settings WHERE name = ?", [LIMIT]);
      if (!row) return null;
      const value = String(row["value"]);
      return {
        bytesPerSec: value === "off" ? null : Number(value),
        saidAtMs: Date.parse(String(row["said_at"])),
      };
    },
    writeLimit: (limit) => {
      if (limit === null) return void database.run("DELETE FROM settings WHERE name = ?", [LIMIT]);
      database.run("INSERT OR REPLACE INTO settings (name, value, said_at) VALUES (?, ?, ?)", [
        LIMIT,
        limit.bytesPerSec === null ? "off" : String(limit.bytesPerSec),
        new Date(limit.saidAtMs).toISOString(),
      ]);
    },
  };
}
