// A download over the boundary of its timetable: the clock is in the test's hands, everything else is real.

import { expect, test } from "bun:test";
import { createContext } from "../../src/app/context.ts";
import { install } from "../../src/app/install.ts";
import { Steering } from "../../src/app/steering.ts";
import type { LuciEventBody } from "../../src/domain/events.ts";
import { readTimetable } from "../../src/domain/rate-timetable.ts";
import { every } from "../../src/platform/clock.ts";
import { installOptions, openRig, SMALL } from "../support/rig.ts";

test("a running download goes at another rate as soon as the hour says so", async () => {
  await using rig = await openRig(SMALL);
  const { settings } = rig.context();
  // At this rate it would take many minutes.
  const limitTimetable = readTimetable(new Map([["09:00-18:00", 10_000]]));
  let now = new Date(2026, 0, 5, 17, 59);
  let doneBytes = 0;
  const atBoundary: number[] = [];
  const emit = (event: LuciEventBody): void => {
    if (event.type === "file.progress") doneBytes = event.doneBytes;
    if (event.type === "file.progress" && doneBytes > 0) now = new Date(2026, 0, 5, 18);
    if (event.type === "run.limited") atBoundary.push(doneBytes);
  };
  const clock = { now: () => now, every };
  const steering = new Steering({ ...settings, limitTimetable, pid: 7, emit, clock });
  const { signal } = new AbortController();
  const context = createContext({ settings, emit, signal, version: "0.0.0", steering });
  try {
    const { installed } = await install(context, installOptions(["hf:org/m:Q4_0"]));
    expect(installed).toHaveLength(1);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
    expect(atBoundary).toHaveLength(1);
    expect(atBoundary[0]).toBeLessThan(SMALL / 2);
    expect(steering.limit).toEqual({ bytesPerSec: null, by: "timetable" });
  } finally {
    context.store.hashes.close();
  }
});
