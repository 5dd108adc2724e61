// A speed limit by the hours of a week, in local time: read once, then asked what holds at a moment. No clock of its own.

import { LuciError } from "./errors.ts";

const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const RANGE =
  /^(?:(?<first>[a-z]{3})(?:-(?<last>[a-z]{3}))? +)?(?<from>\d{1,2}:\d{2}) ?- ?(?<to>\d{1,2}:\d{2})$/;
const CLOCK = /^(?<hour>\d{1,2}):(?<minute>[0-5]\d)$/;
const HINT = 'A range looks like "09:00-18:00", "22:30-06:00" or "mon-fri 09:00-18:00"';

/** One range of hours and the speed in it. */
export interface RateSlot {
  /** As it was written. */
  readonly name: string;
  /** Null for no limit. */
  readonly bytesPerSec: number | null;
}

interface Stretch {
  readonly slot: RateSlot;
  /** Minutes since Sunday 00:00, half open; never over the end of the week. */
  readonly startMinute: number;
  readonly endMinute: number;
}

/** Which speed holds when: ranges that do not overlap, in the order of the week. */
export interface RateTimetable {
  readonly stretches: readonly Stretch[];
}

/**
 * Reads ranges as a person writes them. A range over midnight belongs to the day it begins on; without days it is
 * every day's.
 * @throws LuciError E_CONFIG for what is no range, naming it, and for two that overlap, naming both
 */
export function readTimetable(ranges: ReadonlyMap<string, number | null>): RateTimetable {
  const stretches = [...ranges]
    .flatMap(([name, bytesPerSec]) => stretchesOf({ name, bytesPerSec }))
    .toSorted((one, other) => one.startMinute - other.startMinute);
  for (const [index, stretch] of stretches.entries()) {
    const before = stretches[index - 1];
    if (!before || before.endMinute <= stretch.startMinute) continue;
    throw new LuciError(
      "E_CONFIG",
      `"${before.slot.name}" and "${stretch.slot.name}" in [limit] overlap: which one holds?`,
      { hint: "Let one end where the other begins" },
    );
  }
  return { stretches };
}

/** What holds at a moment, by the local time of the date; null where no range does. */
export function slotAt({ stretches }: RateTimetable, date: Date): RateSlot | null {
  const minute = date.getDay() * DAY_MINUTES + date.getHours() * 60 + date.getMinutes();
  const found = stretches.find(({ startMinute, endMinute }) => startMinute <= minute && minute < endMinute);
  return found?.slot ?? null;
}

/** Whether the same range, or the same gap, holds from one moment to another: no boundary lies between them. */
export function isOneStretch(timetable: RateTimetable, from: Date, to: Date): boolean {
  const slot = slotAt(timetable, from);
  // After a week everything comes again.
  const minutes = Math.min(Math.ceil((to.getTime() - from.getTime()) / 60_000), WEEK_MINUTES);
  for (let minute = 1; minute < minutes; minute += 1)
    if (slotAt(timetable, new Date(from.getTime() + minute * 60_000)) !== slot) return false;
  return slotAt(timetable, to) === slot;
}

function stretchesOf(slot: RateSlot): Stretch[] {
  const groups = RANGE.exec(slot.name.trim().toLowerCase())?.groups;
  if (!groups) throw badRange(slot.name);
  const fromMinute = minuteOf(groups["from"], slot.name);
  const toMinute = minuteOf(groups["to"], slot.name);
  if (fromMinute === DAY_MINUTES || fromMinute === toMinute) throw badRange(slot.name);
  const lengthMinutes = toMinute > fromMinute ? toMinute - fromMinute : toMinute + DAY_MINUTES - fromMinute;
  if (lengthMinutes === 0) throw badRange(slot.name);
  return daysOf(groups["first"], groups["last"], slot.name).flatMap((day) => {
    const startMinute = day * DAY_MINUTES + fromMinute;
    const endMinute = startMinute + lengthMinutes;
    if (endMinute <= WEEK_MINUTES) return [{ slot, startMinute, endMinute }];
    // Saturday night goes on at the beginning of the week.
    return [
      { slot, startMinute, endMinute: WEEK_MINUTES },
      { slot, startMinute: 0, endMinute: endMinute - WEEK_MINUTES },
    ];
  });
}

/** Minutes since midnight; 24:00 is the end of a day. */
function minuteOf(text: string | undefined, name: string): number {
  const groups = CLOCK.exec(text ?? "")?.groups;
  const minute = Number(groups?.["hour"]) * 60 + Number(groups?.["minute"]);
  if (!(minute <= DAY_MINUTES)) throw badRange(name);
  return minute;
}

function daysOf(first: string | undefined, last: string | undefined, name: string): number[] {
  if (first === undefined) return DAYS.map((_, day) => day);
  const [from, to] = [DAYS.indexOf(first), DAYS.indexOf(last ?? first)];
  if (from < 0 || to < 0) throw badRange(name);
  const count = ((to - from + DAYS.length) % DAYS.length) + 1;
  return Array.from({ length: count }, (_, step) => (from + step) % DAYS.length);
}

function badRange(name: string): LuciError {
  return new LuciError("E_CONFIG", `"${name}" in [limit] is no range of hours`, { hint: HINT });
}
