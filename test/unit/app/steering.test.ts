import { describe, expect, test } from "bun:test";
import { type JobStart, Steering } from "../../../src/app/steering.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { LuciError } from "../../../src/domain/errors.ts";

/** A steering and what it said. */
function stand() {
  const events: LuciEventBody[] = [];
  const emit = (event: LuciEventBody): void => void events.push(event);
  const steering = new Steering({ limitBytesPerSec: null, connections: null, pid: 7, emit });
  const open = (start: JobStart = {}) =>
    steering.open({ ...start, model: "m", ref: "r", files: 1, totalBytes: 9, presentBytes: 0, emit });
  return { steering, open, events, types: () => events.map(({ type }) => type) };
}

describe("a job", () => {
  test("has an id of its own, or the one it is given, and is found by it until it is closed", () => {
    const { steering, open } = stand();
    const [first, second, named] = [open(), open(), open({ id: "abc" })];
    expect([first.id, second.id, named.id]).toEqual(["7-1", "7-2", "abc"]);
    expect(steering.handle("abc")).toBe(named);
    steering.close(named);
    expect(steering.handle("abc")).toBeNull();
  });

  test("is paused and resumed once, however often it is said", () => {
    const { open, types } = stand();
    const job = open();
    job.resume();
    job.pause();
    job.pause();
    expect([job.gate.isOpen, job.lane.isHeld]).toEqual([false, true]);
    job.resume();
    job.resume();
    expect([job.gate.isOpen, job.lane.isHeld]).toEqual([true, false]);
    expect(types()).toEqual(["model.queued", "model.paused", "model.resumed"]);
  });

  test("may begin paused, with a priority and a limit", () => {
    const { open, events, types } = stand();
    const job = open({ isPaused: true, priority: 10, limitBytesPerSec: 4_000 });
    expect([job.gate.isOpen, job.lane.priority, job.limiter.bytesPerSec]).toEqual([false, 10, 4_000]);
    expect(types()).toEqual(["model.queued", "model.paused"]);
    expect(events[0]).toMatchObject({ priority: 10, limitBytesPerSec: 4_000 });
  });

  test("tells what is changed of it, and nothing when nothing is", () => {
    const { open, events } = stand();
    const job = open();
    job.setPriority(0);
    job.setLimit(null);
    expect(events).toHaveLength(1);
    job.setPriority(-5);
    job.setLimit(100);
    expect(events.slice(1)).toEqual([
      { type: "model.steered", model: "m", priority: -5, limitBytesPerSec: null },
      { type: "model.steered", model: "m", priority: -5, limitBytesPerSec: 100 },
    ]);
  });

  test("that is cancelled keeps the first policy that was named, and cannot be paused any more", () => {
    const { open, types } = stand();
    const job = open();
    job.cancel();
    job.cancel("delete");
    job.cancel("resume");
    job.pause();
    expect([job.isCancelled, job.partials, job.gate.isOpen]).toEqual([true, "delete", true]);
    expect(types()).toEqual(["model.queued"]);
  });

  test("that was given up for another reason is not cancelled", () => {
    const job = stand().open();
    job.giveUp(new LuciError("E_SOME_FAILED", "another file failed"));
    job.cancel();
    expect(job.isCancelled).toBe(false);
  });

  test("keeps to the run's gate and limit, too", () => {
    const { steering, open, types } = stand();
    const job = open();
    steering.gate.shut("everything");
    expect(job.gate.isOpen).toBe(false);
    steering.gate.reopen("everything");
    steering.setLimit(400_000);
    expect(job.limiter.requestBytes).toBe(100_000);
    expect(types()).toEqual(["model.queued", "run.limited"]);
  });
});
