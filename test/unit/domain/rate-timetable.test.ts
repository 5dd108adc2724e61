import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import { readTimetable, slotAt } from "../../../src/domain/rate-timetable.ts";

/** A local moment of the week that begins on Sunday, 4 January 2026. */
function at(day: string, time: string): Date {
  const date = 4 + ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].indexOf(day);
  const [hour = 0, minute = 0] = time.split(":").map(Number);
  return new Date(2026, 0, date, hour, minute);
}

function rates(table: Record<string, number | null>, ...moments: readonly [string, string][]) {
  const timetable = readTimetable(new Map(Object.entries(table)));
  return moments.map(([day, time]) => slotAt(timetable, at(day, time))?.bytesPerSec);
}

function refusal(...names: readonly string[]): LuciError {
  try {
    readTimetable(new Map(names.map((name) => [name, 1])));
  } catch (error) {
    if (error instanceof LuciError) return error;
    throw error;
  }
  throw new Error("the timetable was accepted");
}

describe("a timetable", () => {
  test("holds from the first minute of a range to the last before its end, on every day", () => {
    const table = { "09:00-18:00": 2 };
    expect(
      rates(table, ["mon", "08:59"], ["mon", "09:00"], ["wed", "17:59"], ["sun", "18:00"], ["sat", "12:00"]),
    ).toEqual([undefined, 2, 2, undefined, 2]);
  });

  test("goes over midnight, and over the end of the week", () => {
    const table = { "09:00-18:00": 2, "18:00-09:00": null };
    expect(rates(table, ["mon", "17:59"], ["mon", "18:00"], ["tue", "00:00"], ["tue", "09:00"])).toEqual([
      2,
      null,
      null,
      2,
    ]);
    expect(rates(table, ["sat", "23:59"], ["sun", "00:00"], ["sun", "08:59"])).toEqual([null, null, null]);
  });

  test("takes days: a range over midnight belongs to the one it begins on", () => {
    const table = { "mon-fri 22:00-06:00": 5, "sat 10:00-24:00": 7 };
    expect(
      rates(
        table,
        ["mon", "05:59"],
        ["mon", "22:00"],
        ["sat", "05:59"],
        ["sat", "06:00"],
        ["sat", "23:59"],
        ["sun", "00:00"],
      ),
    ).toEqual([undefined, 5, 5, undefined, 7, undefined]);
    expect(rates({ "sat-mon 00:00-24:00": 1 }, ["sat", "00:00"], ["mon", "23:59"], ["tue", "00:00"])).toEqual(
      [1, 1, undefined],
    );
    expect(rates({ "SAT 23:00 - 01:00": 3 }, ["sun", "00:59"], ["sun", "01:00"])).toEqual([3, undefined]);
  });

  test("may be without any range", () => {
    expect(rates({}, ["mon", "12:00"])).toEqual([undefined]);
  });

  test.each([
    [["09:00-18:00", "17:59-20:00"]],
    [["22:00-06:00", "05:00-07:00"]],
    [["sat 20:00-04:00", "sun 03:59-05:00"]],
    [["mon-fri 09:00-18:00", "wed 12:00-13:00"]],
    [["00:00-24:00", "12:00-13:00"]],
  ])("refuses ranges that overlap and names both: %j", (names) => {
    const { code, message } = refusal(...names);
    expect(code).toBe("E_CONFIG");
    for (const name of names) expect(message).toContain(`"${name}"`);
  });

  test.each([
    "9-18",
    "09:00",
    "09:00-09:00",
    "24:00-06:00",
    "25:00-26:00",
    "09:60-10:00",
    "foo 09:00-10:00",
    "",
    "mon-fri",
  ])("refuses %j, names it and says what is allowed", (name) => {
    const { code, message, hint } = refusal(name);
    expect([code, message.includes(`"${name}"`)]).toEqual(["E_CONFIG", true]);
    expect(hint).toContain("mon-fri 09:00-18:00");
  });

  test("is right on the days that the clock is put on and back", () => {
    const before = process.env["TZ"];
    process.env["TZ"] = "Europe/Berlin";
    try {
      const timetable = readTimetable(
        new Map([
          ["02:00-03:00", 1],
          ["03:00-04:00", 2],
        ]),
      );
      const rateAt = (iso: string) => slotAt(timetable, new Date(iso))?.bytesPerSec;
      // 29 March 2026: after 01:59 comes 03:00. 25 October: the hour from 02:00 comes twice.
      expect([rateAt("2026-03-29T00:59:59Z"), rateAt("2026-03-29T01:00:00Z")]).toEqual([undefined, 2]);
      expect(
        ["2026-10-25T00:00:00Z", "2026-10-25T00:59:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"].map(
          rateAt,
        ),
      ).toEqual([1, 1, 1, 2]);
    } finally {
      if (before === undefined) delete process.env["TZ"];
      else process.env["TZ"] = before;
    }
  });
});
