// The limiter on a clock that the test moves: what takes how long, to the millisecond.

import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { createLimiter } from "../../../src/transfer/limiter.ts";

const never = new AbortController().signal;
/** Given away by an idle limiter. */
const BURST_MS = 100;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** How long on that clock until it is over; Infinity when a minute is not enough. */
async function timed(pending: Promise<unknown>): Promise<number> {
  let isOver = false;
  void pending.then(() => (isOver = true));
  for (let ms = 0; ms <= 60_000; ms += 1) {
    await settle();
    if (isOver) return ms;
    jest.advanceTimersByTime(1);
  }
  return Infinity;
}

/** As long as that; timers end on whole milliseconds. */
function expectMs(actualMs: number, wantedMs: number): void {
  expect(actualMs).toBeWithin(wantedMs - 2, wantedMs + 3);
}

test("no limit takes no time", async () => {
  const limiter = createLimiter(null);
  expect(await timed(limiter.take(1e12, never))).toBe(0);
});

test("takers share one rate, however many they are", async () => {
  const limiter = createLimiter(100_000);
  const all = Promise.all([1, 2, 3, 4].map(() => limiter.take(10_000, never)));
  expectMs(await timed(all), 400 - BURST_MS);
});

test("an idle time is made up for by a tenth of a second, not more", async () => {
  const limiter = createLimiter(100_000);
  await limiter.take(1, never);
  jest.advanceTimersByTime(250);
  expectMs(await timed(limiter.take(20_000, never)), 200 - BURST_MS);
});

test("waiting ends with an interrupt", async () => {
  const limiter = createLimiter(10);
  const interrupt = new AbortController();
  const waiting = limiter.take(1_000, interrupt.signal);
  const reason = new Error("stop");
  interrupt.abort(reason);
  expect(await waiting.catch((error: unknown) => error)).toBe(reason);
});

test("a new rate counts for those that wait already", async () => {
  const limiter = createLimiter(1);
  const waiting = limiter.take(10_000, never);
  limiter.setRate(100_000);
  expectMs(await timed(waiting), 100);
  const again = limiter.take(1e9, never);
  limiter.setRate(null);
  expect(await timed(again)).toBe(0);
});

test("a lower rate counts for what is left to wait", async () => {
  const limiter = createLimiter(100_000);
  const waiting = limiter.take(30_000, never);
  limiter.setRate(50_000);
  // What the idle limiter gave away, it gave at the rate of that time: 20 kB are left.
  expectMs(await timed(waiting), 400);
});

test("what was waited for at the old rate counts", async () => {
  const limiter = createLimiter(100_000);
  const waiting = limiter.take(40_000, never);
  jest.advanceTimersByTime(200);
  limiter.setRate(10_000);
  // 10 kB are left, at 10 kB/s; all of it would be four seconds.
  expectMs(await timed(waiting), 1_000);
});

test("who gives up gives its time back", async () => {
  const limiter = createLimiter(1_000);
  const interrupt = new AbortController();
  const [first, second] = [limiter.take(1e9, interrupt.signal), limiter.take(200, never)];
  interrupt.abort(new Error("stop"));
  await first.catch(() => undefined);
  expect(await timed(second)).toBeLessThanOrEqual(202);
});

test("a limiter under another one keeps to both, at the same time", async () => {
  const above = createLimiter(100_000);
  const limiter = createLimiter(50_000, above);
  // One after the other it would be 700 ms and more.
  expectMs(await timed(limiter.take(30_000, never)), 600 - BURST_MS);
  limiter.setRate(null);
  expectMs(await timed(limiter.take(40_000, never)), 400 - BURST_MS);
});

test("a request is as small as the smaller of both rates wants it", () => {
  const above = createLimiter(null);
  const limiter = createLimiter(null, above);
  expect(limiter.requestBytes).toBeNull();
  limiter.setRate(4_000_000);
  expect(limiter.requestBytes).toBe(1_000_000);
  above.setRate(400_000);
  expect(limiter.requestBytes).toBe(100_000);
  limiter.setRate(null);
  expect(limiter.requestBytes).toBe(100_000);
});

test("only a lower rate makes requests too large, at either limiter", () => {
  const above = createLimiter(null);
  const limiter = createLimiter(null, above);
  let told = 0;
  const stop = limiter.onLowered(() => {
    told += 1;
  });
  above.setRate(1_000_000);
  limiter.setRate(500_000);
  expect(told).toBe(2);
  above.setRate(2_000_000);
  limiter.setRate(null);
  expect(told).toBe(2);
  stop();
  above.setRate(1_000);
  expect(told).toBe(2);
});
