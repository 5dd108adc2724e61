import { expect, test } from "bun:test";
import { chmod, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LuciError } from "../../../src/domain/errors.ts";
import { openDatabase } from "../../../src/platform/database.ts";
import { tempHome } from "../../support/temp-home.ts";

const STEPS = ["CREATE TABLE things (name TEXT PRIMARY KEY, size INTEGER) STRICT"];
const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

function open(path: string, steps: readonly string[] = STEPS) {
  const damaged: string[] = [];
  const database = openDatabase({ path, steps, nowMs: NOW_MS, onDamaged: (aside) => damaged.push(aside) });
  return { ...database, damaged, [Symbol.dispose]: () => database.close() };
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "none";
  } catch (error) {
    return error instanceof LuciError ? error.code : String(error);
  }
}

test("what was written is there again, for this user only", async () => {
  await using home = await tempHome();
  const path = join(home.path, "new", "luci.db");
  {
    using database = open(path);
    expect(database.run("INSERT INTO things VALUES (?, ?), ('b', NULL)", ["a", 1])).toBe(2);
    for (const name of await readdir(join(home.path, "new")))
      expect([name, (await stat(join(home.path, "new", name))).mode & 0o777]).toEqual([name, 0o600]);
  }
  await chmod(path, 0o644);
  using database = open(path);
  expect(database.all("SELECT * FROM things ORDER BY name")).toEqual([
    { name: "a", size: 1 },
    { name: "b", size: null },
  ]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(database.damaged).toEqual([]);
});

test("what is written survives a power cut: every commit is synced, in a log beside the file", async () => {
  await using home = await tempHome();
  using database = open(join(home.path, "luci.db"));
  expect(database.all("PRAGMA synchronous")).toEqual([{ synchronous: 2 }]);
  expect(database.all("PRAGMA journal_mode")).toEqual([{ journal_mode: "wal" }]);
});

test("a transaction is all or nothing", async () => {
  await using home = await tempHome();
  using database = open(join(home.path, "luci.db"));
  expect(() =>
    database.transaction(() => {
      database.run("INSERT INTO things VALUES ('a', 1)");
      database.run("INSERT INTO things VALUES ('a', 1)");
    }),
  ).toThrow();
  expect(database.all("SELECT * FROM things")).toEqual([]);
});

test("the schema grows step by step, and a newer one is refused untouched", async () => {
  await using home = await tempHome();
  const path = join(home.path, "luci.db");
  const grown = [...STEPS, "ALTER TABLE things ADD COLUMN colour TEXT"];
  {
    using old = open(path);
    old.run("INSERT INTO things VALUES ('a', 1)");
  }
  {
    using database = open(path, grown);
    expect(database.all("SELECT * FROM things")).toEqual([{ name: "a", size: 1, colour: null }]);
  }
  expect(codeOf(() => open(path))).toBe("E_CONFIG");
  using database = open(path, grown);
  expect(database.all("SELECT colour FROM things")).toEqual([{ colour: null }]);
});

test("a step that fails leaves the version before", async () => {
  await using home = await tempHome();
  const path = join(home.path, "luci.db");
  open(path).close();
  expect(() => open(path, [...STEPS, "CREATE TABLE more (x)", "nonsense"])).toThrow();
  using database = open(path);
  expect(database.all("SELECT name FROM sqlite_schema WHERE type = 'table'")).toEqual([{ name: "things" }]);
});

test.each([
  ["no database at all", async (path: string) => writeFile(path, "x".repeat(10_000))],
  ["torn", async (path: string) => truncate(path, 4_096)],
  [
    "with a page of something else",
    async (path: string) => {
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0x55, bytes.length - 8_192, bytes.length - 4_096));
    },
  ],
])("one that is damaged (%s) is set aside as it is, and a new one begins", async (_, damage) => {
  await using home = await tempHome();
  const path = join(home.path, "luci.db");
  {
    using database = open(path);
    for (let row = 0; row < 500; row += 1)
      database.run("INSERT INTO things VALUES (?, 1)", [`${row}`.repeat(20)]);
    database.all("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  await damage(path);
  const bytes = await readFile(path);
  using database = open(path);
  expect(database.damaged).toEqual([`${path}.damaged-2026-01-02T03-04-05-000Z`]);
  expect(await readFile(database.damaged[0]!)).toEqual(bytes);
  expect(database.all("SELECT * FROM things")).toEqual([]);
});

test("two processes may have it open, and one that writes is waited for", async () => {
  await using home = await tempHome();
  const path = join(home.path, "luci.db");
  using one = open(path);
  using other = open(path);
  one.run("INSERT INTO things VALUES ('a', 1)");
  other.run("INSERT INTO things VALUES ('b', 1)");
  expect(one.all("SELECT count(*) AS count FROM things")).toEqual([{ count: 2 }]);
});

test("what the disk says is told in luci's words", async () => {
  await using home = await tempHome();
  await writeFile(join(home.path, "file"), "");
  expect(codeOf(() => open(join(home.path, "file", "luci.db")))).toBe("E_IO");
});
