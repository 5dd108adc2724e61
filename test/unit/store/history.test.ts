// The history's tables: what is written is read, the oldest is forgotten, and many may write at once.

import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { InstallRecord } from "../../../src/domain/history.ts";
import { historyPath, openHistory } from "../../../src/store/history.ts";
import { tempHome } from "../../support/temp-home.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const DAY_MS = 24 * 3_600_000;
const WRITERS = 5;
/** Few: whoever is unlucky waits for all the others, and a write is waited for five seconds. */
const ROUNDS = 4;

function record(parts: Partial<InstallRecord> = {}): InstallRecord {
  const measured = {
    at: new Date(NOW_MS).toISOString(),
    source: "huggingface.co",
    fetchedBytes: 1_000,
    elapsedMs: 2_000,
    meanBytesPerSec: 500,
    peakBytesPerSec: 900,
    retries: 1,
    outcome: "ready",
  } as const;
  return {
    model: "mistral",
    ref: "mistral",
    how: "installed",
    error: null,
    transfers: [{ file: "a.gguf", how: "fetched", ...measured }],
    ...measured,
    ...parts,
  };
}

function open(homeFolder: string, nowMs = NOW_MS) {
  const damaged: string[] = [];
  const history = openHistory({ homeFolder, nowMs, onDamaged: (path) => damaged.push(path) });
  return { history, damaged };
}

const ALL = { name: null, limit: 100, withTransfers: true };

describe("the history", () => {
  test("gives back what it was told, the latest first, by name or ref, with files where they are wanted", async () => {
    await using home = await tempHome();
    const { history } = open(home.path);
    history.add(record());
    history.add(record({ model: "other", ref: "hf:Org/Other", outcome: "failed", transfers: [] }));
    expect(history.read(ALL)).toEqual([
      {
        ...record({ model: "other", ref: "hf:Org/Other", outcome: "failed", transfers: [] }),
        transferCount: 0,
      },
      { ...record(), transferCount: 1 },
    ]);
    expect(history.read({ ...ALL, limit: 1 }).map(({ model }) => model)).toEqual(["other"]);
    for (const name of ["OTHER", "hf:org/other"])
      expect(history.read({ ...ALL, name }).map(({ model }) => model)).toEqual(["other"]);
    expect(history.read({ ...ALL, name: "mistral", withTransfers: false })[0]).toMatchObject({
      transferCount: 1,
      transfers: [],
    });
    history.close();
  });

  test("keeps a year, and no file of what it forgot", async () => {
    await using home = await tempHome();
    const { history } = open(home.path);
    history.add(record({ model: "old", at: new Date(NOW_MS - 366 * DAY_MS).toISOString() }));
    history.add(record({ model: "new", at: new Date(NOW_MS - 364 * DAY_MS).toISOString() }));
    history.close();
    const later = open(home.path, NOW_MS + DAY_MS / 2);
    later.history.add(record({ model: "now" }));
    expect(later.history.read(ALL).map(({ model }) => model)).toEqual(["now", "new"]);
    later.history.close();
    const { Database } = await import("bun:sqlite");
    const raw = new Database(historyPath(home.path));
    expect(raw.query("SELECT COUNT(*) AS n FROM transfers").get()).toEqual({ n: 2 });
    raw.close();
  });

  test("keeps 50,000 files at most, the latest", async () => {
    await using home = await tempHome();
    const { history } = open(home.path);
    const [transfer] = record().transfers;
    const many = (count: number, name: string) =>
      record({
        transfers: Array.from({ length: count }, (_, at) => ({ ...transfer!, file: `${name}-${at}` })),
      });
    history.add(many(49_000, "first"));
    history.add(many(2_000, "second"));
    expect(history.read({ ...ALL, withTransfers: false }).map(({ transferCount }) => transferCount)).toEqual([
      2_000, 48_000,
    ]);
    history.close();
  });

  test("sums up by local day and source, and calls an install what became ready", async () => {
    await using home = await tempHome();
    const { history } = open(home.path);
    const noon = (day: number): string => new Date(2026, 10, day, 12).toISOString();
    history.add(record({ at: noon(20) }));
    history.add(record({ at: noon(21) }));
    history.add(record({ at: noon(21), fetchedBytes: 5 }));
    history.add(record({ at: noon(21), fetchedBytes: 1, outcome: "failed" }));
    history.add(record({ at: noon(21), source: "example.org", fetchedBytes: 7 }));
    expect(history.days(new Date(2026, 10, 21).getTime())).toEqual([
      { day: "2026-11-21", source: "huggingface.co", fetchedBytes: 1_006, installs: 2 },
      { day: "2026-11-21", source: "example.org", fetchedBytes: 7, installs: 1 },
    ]);
    expect(history.clear()).toBe(5);
    expect([history.days(0), history.read(ALL)]).toEqual([[], []]);
    history.close();
  });

  test("takes what many processes write at once", async () => {
    await using home = await tempHome();
    open(home.path).history.close();
    const script = `
      import { openHistory } from ${JSON.stringify(join(import.meta.dir, "../../../src/store/history.ts"))};
      for (let at = 0; at < ${ROUNDS}; at += 1) {
        const history = openHistory({ homeFolder: ${JSON.stringify(home.path)}, nowMs: ${NOW_MS}, onDamaged: () => process.exit(9) });
        history.add(${JSON.stringify(record())});
        history.close();
      }`;
    const file = join(home.path, "writer.ts");
    await writeFile(file, script);
    const writers = Array.from({ length: WRITERS }, () =>
      Bun.spawn([process.execPath, file], { stderr: "pipe" }),
    );
    for (const writer of writers)
      expect([await writer.exited, await new Response(writer.stderr).text()]).toEqual([0, ""]);
    const { history } = open(home.path);
    expect(history.read({ ...ALL, limit: 1_000 })).toHaveLength(WRITERS * ROUNDS);
    history.close();
  });

  test("that is damaged is put aside, and begins anew", async () => {
    await using home = await tempHome();
    await writeFile(
      historyPath(home.path),
      "this is no database, and it is long enough to be read as one".repeat(99),
    );
    const { history, damaged } = open(home.path);
    history.add(record());
    expect([damaged.length, history.read(ALL).length]).toEqual([1, 1]);
    history.close();
  });
});
