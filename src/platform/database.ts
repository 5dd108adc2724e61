// A small SQL database in one file of the user's own: the only user of bun:sqlite. Knows no table: who owns some
// brings the steps that make them.

import { Database as Sqlite, type SQLQueryBindings } from "bun:sqlite";
import { chmodSync, closeSync, constants, mkdirSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { diskError } from "./disk-error.ts";

/** Another process may hold the database this long before a statement gives up. */
const BUSY_MS = 5_000;
const OWN_MODE = 0o600;
/** What SQLite says of a file that is not, or not any more, a database. */
const DAMAGE = new Set(["SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT"]);

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

export interface DatabaseOptions {
  readonly path: string;
  /** SQL that leads from one version of the schema to the next; the version is how many of them were made. Only ever added to. */
  readonly steps: readonly string[];
  readonly nowMs: number;
  /** Whether the last writes may be lost in a power cut, which costs less; never half of one. */
  readonly isCheap?: boolean;
  /** Told where a damaged database was put; a new one takes its place. */
  onDamaged(asidePath: string): void;
}

/** Statements are prepared once; a write that has returned survives a power cut, unless it was to be cheap. */
export interface Database {
  all(sql: string, values?: readonly Value[]): Row[];
  /** Answers how many rows were changed. */
  run(sql: string, values?: readonly Value[]): number;
  /** All of it or nothing. */
  transaction<T>(act: () => T): T;
  close(): void;
}

/**
 * Opens the database, makes it if there is none, and brings its schema up to date.
 * @throws LuciError E_CONFIG for one that a newer luci made, E_IO, E_NO_SPACE, E_PERMISSION, E_LOCKED
 */
export function openDatabase(options: DatabaseOptions): Database {
  const { path } = options;
  try {
    return wrap(open(options), path);
  } catch (thrown) {
    if (!isDamage(thrown)) throw databaseError(thrown, path);
  }
  const asidePath = setAside(options);
  options.onDamaged(asidePath);
  return told(path, () => wrap(open(options), path));
}

function open({ path, steps, isCheap = false }: DatabaseOptions): Sqlite {
  mkdirSync(dirname(path), { recursive: true });
  // SQLite gives its side files the mode of this one.
  closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), OWN_MODE));
  if (process.platform !== "win32") chmodSync(path, OWN_MODE);
  const sqlite = new Sqlite(path, { readwrite: true, create: false, strict: true });
  try {
    sqlite.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    sqlite.run("PRAGMA journal_mode = WAL");
    sqlite.run(`PRAGMA synchronous = ${isCheap ? "NORMAL" : "FULL"}`);
    const check = sqlite.query("PRAGMA quick_check(1)").get() as { quick_check: string };
    if (check.quick_check !== "ok")
      throw Object.assign(new Error(check.quick_check), { code: "SQLITE_CORRUPT" });
    upgrade(sqlite, { path, steps });
    return sqlite;
  } catch (thrown) {
    sqlite.close();
    throw thrown;
  }
}

function upgrade(sqlite: Sqlite, { path, steps }: Pick<DatabaseOptions, "path" | "steps">): void {
  const version = (): number =>
    (sqlite.query("PRAGMA user_version").get() as { user_version: number }).user_version;
  if (version() === steps.length) return;
  sqlite
    .transaction(() => {
      const from = version();
      if (from > steps.length)
        throw new LuciError(
          "E_CONFIG",
          `${path} was made by a newer luci (schema ${from}, this one knows ${steps.length})`,
          {
            hint: "Use that luci, or move the file away to begin with an empty one",
          },
        );
      for (const step of steps.slice(from)) sqlite.run(step);
      sqlite.run(`PRAGMA user_version = ${steps.length}`);
    })
    .immediate();
}

/** A damaged database may still hold something for whoever can read it: it is kept, under another name. */
function setAside({ path, nowMs }: DatabaseOptions): string {
  const stamp = new Date(nowMs).toISOString().replaceAll(/[:.]/g, "-");
  const asidePath = `${path}.damaged-${stamp}`;
  // The file itself last: what is left of its log must never be taken for that of the new one.
  for (const ending of ["-wal", "-shm", ""]) {
    try {
      renameSync(`${path}${ending}`, `${asidePath}${ending}`);
    } catch (error) {
      if (ending === "") throw diskError(error, path);
    }
  }
  return asidePath;
}

function wrap(sqlite: Sqlite, path: string): Database {
  const bind = (values: readonly Value[]): SQLQueryBindings[] => [...values];
  return {
    all: (sql, values = []) => told(path, () => sqlite.query(sql).all(...bind(values)) as Row[]),
    run: (sql, values = []) => told(path, () => sqlite.query(sql).run(...bind(values)).changes),
    transaction: (act) => told(path, () => sqlite.transaction(act).immediate()),
    close: () => sqlite.close(),
  };
}

function told<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (thrown) {
    throw databaseError(thrown, path);
  }
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

function isDamage(thrown: unknown): boolean {
  return DAMAGE.has(codeOf(thrown));
}

/** What SQLite or the disk said, in luci's own words; its result codes are at sqlite.org/rescode.html. */
function databaseError(thrown: unknown, path: string): unknown {
  const code = codeOf(thrown);
  if (thrown instanceof LuciError || code === "") return thrown;
  if (!code.startsWith("SQLITE_")) return diskError(thrown, path);
  const { message } = thrown as Error;
  const options = { cause: thrown };
  if (code.startsWith("SQLITE_FULL"))
    return new LuciError("E_NO_SPACE", `${path}: the disk is full`, options);
  if (code.startsWith("SQLITE_BUSY"))
    return new LuciError("E_LOCKED", `${path}: another luci is writing to it`, options);
  if (/^SQLITE_(?:READONLY|PERM|AUTH|CANTOPEN)/.test(code))
    return new LuciError("E_PERMISSION", `${path} cannot be written: ${message}`, {
      ...options,
      hint: "Check who owns it, or choose another LUCI_HOME",
    });
  if (/^SQLITE_(?:CORRUPT|NOTADB|IOERR)/.test(code))
    return new LuciError("E_IO", `${path} cannot be read: ${message}`, options);
  return thrown;
}
