// The timetable as it is followed: with a clock that a test holds in its hands.

import { describe, expect, test } from "bun:test";
import { Steering } from "../../../src/app/steering.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { readTimetable } from "../../../src/domain/rate-timetable.ts";

/** 9 to 18 o'clock 2,000, at night nothing to hold back, and at noon as the settings say. */
const TABLE = { "09:00-12:00": 2_000, "13:00-18:00": 2_000, "18:00-09:00": null };

function stand({ hour = 8, table = TABLE }: { hour?: number; table?: typeof TABLE | null } = {}) {
  const events: LuciEventBody[] = [];
  const emit = (event: LuciEventBody): void => void events.push(event);
  let now = new Date(2026, 0, 5, hour);
  let ticks: (() => void)[] = [];
  const steering = new Steering({
    limitBytesPerSec: 500,
    limitTimetable: table && readTimetable(new Map(Object.entries(table))),
    connections: null,
    pid: 7,
    emit,
    clock: {
      now: () => now,
      every: (waitMs, tick) => {
        expect(waitMs).toBeLessThanOrEqual(1_000);
        ticks.push(tick);
        return () => (ticks = []);
      },
    },
  });
  const begin = () => steering.open({ model: "m", ref: "r", files: 1, totalBytes: 9, presentBytes: 0, emit });
  /** The clock shows this time, and ticks once. */
  const tickAt = (day: number, time: string): number | null => {
    const [at = 0, minute = 0] = time.split(":").map(Number);
    now = new Date(2026, 0, day, at, minute);
    for (const tick of ticks) tick();
    return steering.limiter.bytesPerSec;
  };
  const limited = () => events.filter(({ type }) => type === "run.limited");
  return { steering, begin, tickAt, limited, tickers: () => ticks.length };
}

describe("a running download", () => {
  test("changes its rate at each boundary, in the gap to that of the settings, and says so once", () => {
    const { steering, begin, tickAt, limited } = stand();
    expect(steering.limiter.bytesPerSec).toBeNull();
    begin();
    begin();
    expect(limited()).toEqual([]);
    expect(["08:59", "09:00", "11:59", "12:00", "13:00", "18:00"].map((time) => tickAt(5, time))).toEqual([
      null,
      2_000,
      2_000,
      500,
      2_000,
      null,
    ]);
    expect(limited()).toEqual(
      [2_000, 500, 2_000, null].map((limitBytesPerSec) => ({
        type: "run.limited",
        limitBytesPerSec,
        by: "timetable",
      })),
    );
  });

  test("follows the clock where it jumps, to either side", () => {
    const { begin, tickAt } = stand();
    begin();
    expect([tickAt(5, "14:00"), tickAt(4, "03:00"), tickAt(9, "10:00"), tickAt(9, "12:30")]).toEqual([
      2_000,
      null,
      2_000,
      500,
    ]);
  });

  test("is limited by hand until the next boundary, or until the timetable is to be followed again", () => {
    const { steering, begin, tickAt } = stand({ hour: 10 });
    begin();
    steering.setLimit(7);
    expect(steering.limit).toEqual({ bytesPerSec: 7, by: "hand" });
    expect([tickAt(5, "10:01"), tickAt(5, "11:59"), tickAt(5, "12:00")]).toEqual([7, 7, 500]);
    steering.setLimit(null);
    expect([steering.limit, tickAt(5, "12:01")]).toEqual([{ bytesPerSec: null, by: "hand" }, null]);
    steering.followTimetable();
    expect([steering.limit, steering.limiter.bytesPerSec]).toEqual([
      { bytesPerSec: 500, by: "timetable" },
      500,
    ]);
  });

  test("begins with what the hour says, and its clock ticks once however many jobs there are", () => {
    const { steering, begin, tickers } = stand({ hour: 14 });
    expect([steering.limiter.bytesPerSec, tickers()]).toEqual([2_000, 0]);
    begin();
    begin();
    expect(tickers()).toBe(1);
  });
});

test("without a timetable nothing ticks, and there is none to follow", () => {
  const { steering, begin, tickers } = stand({ table: null });
  begin();
  expect([tickers(), steering.limit]).toEqual([0, { bytesPerSec: 500, by: "settings" }]);
  expect(() => steering.followTimetable()).toThrow("There is no timetable");
});
