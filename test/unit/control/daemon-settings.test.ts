import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Steering } from "../../../src/app/steering.ts";
import { createDaemonSettings } from "../../../src/control/daemon-settings.ts";
import { SCHEMA_STEPS } from "../../../src/control/schema.ts";
import { settingRows } from "../../../src/control/setting-rows.ts";
import { readTimetable } from "../../../src/domain/rate-timetable.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";
import { type TempHome, tempHome } from "../../support/temp-home.ts";

/** A Wednesday, within the hours. */
const NOON = new Date(2026, 0, 7, 12, 0);
const HOUR_MS = 3_600_000;
const HOURS = readTimetable(new Map([["mon-fri 09:00-18:00", 2_000_000]]));

let home: TempHome;
let database: Database;
let nowMs: number;

beforeEach(async () => {
  home = await tempHome();
  nowMs = NOON.getTime();
  database = open();
});
afterEach(async () => {
  database.close();
  await home[Symbol.asyncDispose]();
});

function open(steps = SCHEMA_STEPS): Database {
  return openDatabase({ path: join(home.path, "luci.db"), steps, nowMs, onDamaged: () => undefined });
}

interface Life {
  readonly limitBytesPerSec?: number | null;
  readonly timetable?: typeof HOURS | null;
  readonly isLimitTyped?: boolean;
}

/** A life of the daemon: nothing but the database goes on from one to the next. */
function live({ limitBytesPerSec = 7, timetable = null, isLimitTyped = false }: Life = {}) {
  const clock = { now: () => new Date(nowMs), every: () => () => undefined };
  const steering = new Steering({
    limitBytesPerSec,
    limitTimetable: timetable,
    connections: null,
    pid: 7,
    emit: () => undefined,
    clock,
  });
  const rows = settingRows(database);
  const settings = createDaemonSettings({ steering, rows, timetable, isLimitTyped, nowMs: () => nowMs });
  const isRestored = settings.restore();
  return {
    ...settings,
    isRestored,
    say: (limitBytesPerSec: number | null | "timetable" | "default") =>
      settings.changeSettings({ limitBytesPerSec }),
  };
}

describe("a limit that was said by hand", () => {
  test.each([1_000, null])("holds in the next life: %p", (limit) => {
    expect(live().say(limit)).toEqual({ limitBytesPerSec: limit });
    const next = live();
    expect([next.isRestored, next.settings()]).toEqual([true, { limitBytesPerSec: limit }]);
  });

  test("goes behind the command line, and is not forgotten for that", () => {
    live().say(1_000);
    const typed = live({ limitBytesPerSec: 9, isLimitTyped: true });
    expect([typed.isRestored, typed.settings()]).toEqual([false, { limitBytesPerSec: 9 }]);
    expect(live().settings()).toEqual({ limitBytesPerSec: 1_000 });
  });

  test("is taken back: what it began with holds, now and later", () => {
    const life = live();
    life.say(1_000);
    expect(life.say("default")).toEqual({ limitBytesPerSec: 7 });
    const next = live({ limitBytesPerSec: 8 });
    expect([next.isRestored, next.settings()]).toEqual([false, { limitBytesPerSec: 8 }]);
  });

  test("ends at the timetable's next boundary, also while nobody runs", () => {
    live({ timetable: HOURS }).say(1_000);
    nowMs += 5 * HOUR_MS;
    expect(live({ timetable: HOURS }).settings()).toEqual({ limitBytesPerSec: 1_000, limitBy: "hand" });
    // The same hours of the next day.
    nowMs += 19 * HOUR_MS;
    expect(live({ timetable: HOURS }).settings()).toEqual({
      limitBytesPerSec: 2_000_000,
      limitBy: "timetable",
    });
    expect(live().isRestored).toBe(false);
  });

  test("is taken back by following the timetable; without one that is refused, and it holds on", () => {
    live().say(1_000);
    expect(() => live().say("timetable")).toThrow(expect.objectContaining({ code: "E_CONFIG" }));
    expect(live().settings()).toEqual({ limitBytesPerSec: 1_000 });
    expect(live({ timetable: HOURS }).say("timetable").limitBy).toBe("timetable");
    expect(live().isRestored).toBe(false);
  });

  test("finds its place in a database of before", () => {
    database.close();
    const path = join(home.path, "old.db");
    openDatabase({ path, steps: SCHEMA_STEPS.slice(0, 1), nowMs, onDamaged: () => undefined }).close();
    database = openDatabase({ path, steps: SCHEMA_STEPS, nowMs, onDamaged: () => undefined });
    live().say(1_000);
    expect(live().isRestored).toBe(true);
  });

  test("that cannot be remembered is not in force", () => {
    const life = live();
    database.run("DROP TABLE settings");
    expect(() => life.say(1_000)).toThrow();
    expect(life.settings()).toEqual({ limitBytesPerSec: 7 });
  });
});
