// The queue's table: downloads as they are remembered. No decisions; what is written here survives a power cut.

import type { Job } from "../domain/job.ts";
import type { PartialsPolicy } from "../domain/settings.ts";
import type { Database, Row } from "../platform/database.ts";

/** Ended downloads that are still told of. */
const MOST_ENDED = 100;

/** How somebody wants a download. */
export interface DownloadWish {
  /** Canonical: one model, without secrets. */
  readonly ref: string;
  readonly priority: number;
  readonly limitBytesPerSec: number | null;
  /** What a cancel does with unfinished files; null as the settings say. */
  readonly partials: PartialsPolicy | null;
  readonly sha256: string | null;
  readonly allowUnsafe: boolean;
  readonly isPaused: boolean;
}

/** A download as it is remembered. What has not ended begins again when luci does. */
export interface DownloadRow extends DownloadWish {
  readonly id: string;
  /** Somebody gave it up, and what was to become of its unfinished files; null as long as nobody did. */
  readonly cancel: PartialsPolicy | null;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly endedAt: string | null;
  /** What was last known of it. */
  readonly job: Job;
}

/** What of a download changes after it was added. */
export type DownloadChange = Partial<
  Pick<DownloadRow, "priority" | "limitBytesPerSec" | "isPaused" | "cancel" | "endedAt" | "job">
>;

const COLUMNS = {
  priority: "priority",
  limitBytesPerSec: "limit_bytes_per_sec",
  isPaused: "is_paused",
  cancel: "cancel",
  endedAt: "ended_at",
  job: "job",
} as const satisfies Record<keyof DownloadChange, string>;

export interface DownloadRows {
  /** In the order they were added. */
  readAll(): DownloadRow[];
  add(rows: readonly DownloadRow[]): void;
  change(id: string, change: DownloadChange): void;
}

/** The table in an open database. */
export function downloadRows(database: Database): DownloadRows {
  return {
    readAll: () => database.all("SELECT * FROM downloads ORDER BY number").map(fromRow),
    add: (rows) =>
      database.transaction(() => {
        for (const row of rows) insert(database, row);
        forgetOld(database);
      }),
    change: (id, change) => {
      const keys = Object.keys(change) as (keyof DownloadChange)[];
      const assignments = keys.map((key) => `${COLUMNS[key]} = ?`).join(", ");
      const values = keys.map((key) => toValue(change[key]));
      database.run(`UPDATE downloads SET ${assignments} WHERE id = ?`, [...values, id]);
    },
  };
}

function insert(database: Database, row: DownloadRow): void {
  database.run(
    `INSERT INTO downloads (id, ref, priority, limit_bytes_per_sec, partials, sha256, allow_unsafe, is_paused, created_at, job)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      row.id,
      row.ref,
      row.priority,
      row.limitBytesPerSec,
      row.partials,
      row.sha256,
      Number(row.allowUnsafe),
      Number(row.isPaused),
      row.createdAt,
      JSON.stringify(row.job),
    ],
  );
}

function forgetOld(database: Database): void {
  database.run(
    `DELETE FROM downloads WHERE ended_at IS NOT NULL AND number NOT IN
     (SELECT number FROM downloads WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, number DESC LIMIT ?)`,
    [MOST_ENDED],
  );
}

function toValue(value: DownloadChange[keyof DownloadChange]): string | number | null {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "object" && value !== null ? JSON.stringify(value) : (value ?? null);
}

function fromRow(row: Row): DownloadRow {
  return {
    id: String(row["id"]),
    ref: String(row["ref"]),
    priority: Number(row["priority"]),
    limitBytesPerSec: row["limit_bytes_per_sec"] as number | null,
    partials: row["partials"] as PartialsPolicy | null,
    sha256: row["sha256"] as string | null,
    allowUnsafe: row["allow_unsafe"] === 1,
    isPaused: row["is_paused"] === 1,
    cancel: row["cancel"] as PartialsPolicy | null,
    createdAt: String(row["created_at"]),
    endedAt: row["ended_at"] as string | null,
    // Written by this program only.
    job: JSON.parse(String(row["job"])) as Job,
  };
}
