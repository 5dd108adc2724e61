// The history of downloads: tables in a small database beside config.toml. It is told what to remember and forgets
// the oldest; it is no part of any model, and may be lost.

import { join } from "node:path";
import type { HistoryDay, InstallRecord, PastInstall, TransferRecord } from "../domain/history.ts";
import { type Database, openDatabase, type Row } from "../platform/database.ts";

const DATABASE_NAME = "history.db";
/** What is kept: as far back, and as many. */
const KEEP_MS = 365 * 24 * 3_600_000;
const MOST_INSTALLS = 10_000;
const MOST_TRANSFERS = 50_000;

const MEASURED = `
    at_ms INTEGER NOT NULL,
    source TEXT NOT NULL,
    fetched_bytes INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL,
    mean_bytes_per_sec INTEGER NOT NULL,
    peak_bytes_per_sec INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    outcome TEXT NOT NULL`;
/** A step that was released is never changed: a new one is added below. */
const STEPS: readonly string[] = [
  `CREATE TABLE installs (number INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, ref TEXT NOT NULL, how TEXT NOT NULL, ${MEASURED}) STRICT;
   CREATE INDEX installs_at ON installs (at_ms);
   CREATE TABLE transfers (number INTEGER PRIMARY KEY AUTOINCREMENT, install INTEGER NOT NULL, file TEXT NOT NULL, how TEXT, ${MEASURED}) STRICT;
   CREATE INDEX transfers_install ON transfers (install);`,
  `ALTER TABLE installs ADD COLUMN error TEXT;`,
];
const MEASURED_COLUMNS =
  "at_ms, source, fetched_bytes, elapsed_ms, mean_bytes_per_sec, peak_bytes_per_sec, retries, outcome";

export interface HistoryQuery {
  /** A model's name or ref; null for all. */
  readonly name: string | null;
  /** The latest so many. */
  readonly limit: number;
  /** Whether each file is told of. */
  readonly withTransfers: boolean;
}

export interface HistoryStore {
  /** Remembers installs and their files, all or nothing, and forgets what is too old or too much. */
  add(...installs: readonly InstallRecord[]): void;
  /** The latest first. */
  read(query: HistoryQuery): PastInstall[];
  /** By local day and source since a moment, the latest day first. */
  days(sinceMs: number): HistoryDay[];
  /** Forgets everything; answers how many installs that were. */
  clear(): number;
  close(): void;
}

export interface HistoryOptions {
  readonly homeFolder: string;
  readonly nowMs: number;
  onDamaged(asidePath: string): void;
}

/** Where the history of a home is. */
export function historyPath(homeFolder: string): string {
  return join(homeFolder, DATABASE_NAME);
}

/** Opens the history of a home, and makes it where there is none. @throws LuciError the disk's, E_CONFIG, E_LOCKED */
export function openHistory({ homeFolder, nowMs, onDamaged }: HistoryOptions): HistoryStore {
  const path = historyPath(homeFolder);
  const database = openDatabase({ path, steps: STEPS, nowMs, isCheap: true, onDamaged });
  return {
    add: (...installs) =>
      database.transaction(() => {
        for (const install of installs) addInstall(database, install);
        forgetOld(database, nowMs);
      }),
    read: (query) => readInstalls(database, query),
    days: (sinceMs) =>
      database
        .all(
          `SELECT date(at_ms / 1000, 'unixepoch', 'localtime') AS day, source, SUM(fetched_bytes) AS fetched_bytes,
           SUM(outcome = 'ready') AS installs FROM installs WHERE at_ms >= ? AND (fetched_bytes > 0 OR outcome = 'ready') GROUP BY day, source ORDER BY day DESC, fetched_bytes DESC`,
          [sinceMs],
        )
        .map((row) => ({
          day: String(row["day"]),
          source: String(row["source"]),
          fetchedBytes: Number(row["fetched_bytes"]),
          installs: Number(row["installs"]),
        })),
    clear: () =>
      database.transaction(() => {
        database.run("DELETE FROM transfers");
        return database.run("DELETE FROM installs");
      }),
    close: () => database.close(),
  };
}

function addInstall(database: Database, install: InstallRecord): void {
  const { model, ref, how, error, transfers } = install;
  const [row] = database.all(
    `INSERT INTO installs (model, ref, how, error, ${MEASURED_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number`,
    [model, ref, how, error, ...measuredValues(install)],
  );
  const number = Number(row?.["number"]);
  for (const transfer of transfers.slice(-MOST_TRANSFERS))
    database.run(
      `INSERT INTO transfers (install, file, how, ${MEASURED_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [number, transfer.file, transfer.how, ...measuredValues(transfer)],
    );
}

function forgetOld(database: Database, nowMs: number): void {
  database.run("DELETE FROM installs WHERE at_ms < ? OR number <= (SELECT MAX(number) FROM installs) - ?", [
    nowMs - KEEP_MS,
    MOST_INSTALLS,
  ]);
  database.run(
    "DELETE FROM transfers WHERE number <= (SELECT MAX(number) FROM transfers) - ? OR install < (SELECT MIN(number) FROM installs)",
    [MOST_TRANSFERS],
  );
}

function readInstalls(database: Database, { name, limit, withTransfers }: HistoryQuery): PastInstall[] {
  const rows = database.all(
    `SELECT *, (SELECT COUNT(*) FROM transfers WHERE install = installs.number) AS transfer_count FROM installs
     WHERE ?1 IS NULL OR lower(model) = lower(?1) OR lower(ref) = lower(?1) ORDER BY number DESC LIMIT ?2`,
    [name, limit],
  );
  return rows.map((row) => ({
    model: String(row["model"]),
    ref: String(row["ref"]),
    how: String(row["how"]) as InstallRecord["how"],
    error: row["error"] as InstallRecord["error"],
    ...measuredOf(row),
    transferCount: Number(row["transfer_count"]),
    transfers: withTransfers ? transfersOf(database, Number(row["number"])) : [],
  }));
}

function transfersOf(database: Database, install: number): TransferRecord[] {
  return database.all("SELECT * FROM transfers WHERE install = ? ORDER BY number", [install]).map((row) => ({
    file: String(row["file"]),
    how: row["how"] as TransferRecord["how"],
    ...measuredOf(row),
  }));
}

type Measured = Omit<TransferRecord, "file" | "how">;

function measuredValues(record: Measured): (string | number)[] {
  return [
    Date.parse(record.at),
    record.source,
    record.fetchedBytes,
    Math.round(record.elapsedMs),
    Math.round(record.meanBytesPerSec),
    Math.round(record.peakBytesPerSec),
    record.retries,
    record.outcome,
  ];
}

function measuredOf(row: Row): Measured {
  return {
    at: new Date(Number(row["at_ms"])).toISOString(),
    source: String(row["source"]),
    fetchedBytes: Number(row["fetched_bytes"]),
    elapsedMs: Number(row["elapsed_ms"]),
    meanBytesPerSec: Number(row["mean_bytes_per_sec"]),
    peakBytesPerSec: Number(row["peak_bytes_per_sec"]),
    retries: Number(row["retries"]),
    outcome: String(row["outcome"]) as Measured["outcome"],
  };
}
