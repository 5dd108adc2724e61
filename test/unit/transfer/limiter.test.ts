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

test("a new rate counts for those that wait already", async () => {
  const limiter = createLimiter(1);
  const waiting = limiter.take(10_000, never);
  limiter.setRate(100_000);
  expect(await timed(() => waiting)).toBeLessThan(1_500);
  const again = limiter.take(1e9, never);
  limiter.setRate(null);
  expect(await timed(() => again)).toBeLessThan(500);
});

test("a lower rate counts for what is left to wait", async () => {
  const limiter = createLimiter(100_000);
  const tookMs = await timed(() => {
    const waiting = limiter.take(30_000, never);
    limiter.setRate(50_000);
    return waiting;
  });
  // 30 kB at 50 kB/s are 600 ms, less what the idle limiter gave away.
  expect(tookMs).toBeGreaterThan(350);
});

test("what was waited for at the old rate counts", async () => {
  const limiter = createLimiter(100_000);
  const waiting = limiter.take(40_000, never);
  await Bun.sleep(200);
  limiter.setRate(10_000);
  // About 10 kB are left, at 10 kB/s; all of it would be four seconds.
  expect(await timed(() => waiting)).toBeLessThan(2_500);
});

test("who gives up gives its time back", async () => {
  const limiter = createLimiter(1_000);
  const interrupt = new AbortController();
  const [first, second] = [limiter.take(1e9, interrupt.signal), limiter.take(100, never)];
  interrupt.abort(new Error("stop"));
  await first.catch(() => undefined);
  expect(await timed(() => second)).toBeLessThan(1_500);
});

test("a limiter under another one keeps to both, at the same time", async () => {
  const above = createLimiter(100_000);
  const limiter = createLimiter(50_000, above);
  const tookMs = await timed(() => limiter.take(30_000, never));
  expect(tookMs).toBeGreaterThan(380);
  // One after the other it would be 900 ms and more.
  expect(tookMs).toBeLessThan(750);
  limiter.setRate(null);
  expect(await timed(() => limiter.take(40_000, never))).toBeGreaterThan(250);
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
