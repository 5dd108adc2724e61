// The tables of luci.db, version by version. A step that was released is never changed: a new one is added below.

/** The database of a user, in their LUCI_HOME. */
export const DATABASE_NAME = "luci.db";

const DOWNLOADS = `
  CREATE TABLE downloads (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    ref TEXT NOT NULL,
    priority INTEGER NOT NULL,
    limit_bytes_per_sec INTEGER,
    partials TEXT,
    sha256 TEXT,
    allow_unsafe INTEGER NOT NULL,
    is_paused INTEGER NOT NULL,
    cancel TEXT,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    job TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX downloads_open ON downloads (ref) WHERE ended_at IS NULL;
`;

const SETTINGS = `
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL, said_at TEXT NOT NULL) STRICT;
`;

export const SCHEMA_STEPS: readonly string[] = [DOWNLOADS, SETTINGS];
