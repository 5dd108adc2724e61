import { expect, test } from "bun:test";
import { createLimiter } from "../../../src/transfer/limiter.ts";

const never = new AbortController().signal;

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}

test("no limit takes no time", async () => {
  const limiter = createLimiter(null);
  expect(await timed(() => limiter.take(1e12, never))).toBeLessThan(500);
});

test("takers share one rate, however many they are", async () => {
  const limiter = createLimiter(100_000);
  // 40 kB at 100 kB/s are 400 ms, less the 100 ms an idle limiter gives away.
  const tookMs = await timed(() => Promise.all([1, 2, 3, 4].map(() => limiter.take(10_000, never))));
  expect(tookMs).toBeGreaterThan(280);
  expect(tookMs).toBeLessThan(1_500);
});

test("an idle time is made up for by a tenth of a second, not more", async () => {
  const limiter = createLimiter(100_000);
  await limiter.take(1, never);
  await Bun.sleep(250);
  const tookMs = await timed(() => limiter.take(20_000, never));
  expect(tookMs).toBeGreaterThan(80);
  expect(tookMs).toBeLessThan(1_500);
});

test("waiting ends with an interrupt", async () => {
  const limiter = createLimiter(10);
  const interrupt = new AbortController();
  const waiting = limiter.take(1_000, interrupt.signal);
  const reason = new Error("stop");
  interrupt.abort(reason);
  expect(await waiting.catch((error: unknown) => error)).toBe(reason);
});
