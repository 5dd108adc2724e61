import { expect, test } from "bun:test";
import { type Retry, nextRetry } from "../../../src/control/download-retry.ts";
import { reportError, LuciError } from "../../../src/domain/errors.ts";

const error = reportError(new LuciError("E_NETWORK", "nobody answers"));
const usual = { error, retryAfterMs: null, hasMoved: false, nowMs: Date.UTC(2026, 0, 1) };

function waits(count: number, change: Partial<Parameters<typeof nextRetry>[1]> = {}): number[] {
  let retry: Retry | null = null;
  return Array.from({ length: count }, () => {
    retry = nextRetry(retry, { ...usual, ...change });
    return retry.waitMs / 1_000;
  });
}

test("it is tried less and less often, and never given up", () => {
  expect(waits(10)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  expect(waits(2_000).at(-1)).toBe(300);
});

test("where bytes arrive, it begins from the front", () => {
  expect(waits(4, { hasMoved: true })).toEqual([2, 2, 2, 2]);
});

test("a server's wish is heard, within reason; whoever counts requests is spared", () => {
  expect(waits(1, { retryAfterMs: 90_000 })).toEqual([90]);
  expect(waits(1, { retryAfterMs: 1e12 })).toEqual([3_600]);
  const limited = reportError(new LuciError("E_RATE_LIMITED", "too many"));
  expect(waits(7, { error: limited })).toEqual([60, 60, 60, 60, 60, 64, 128]);
});

test("it says when", () => {
  expect(nextRetry(null, usual).error).toMatchObject({
    code: "E_NETWORK",
    hint: expect.stringContaining("at 2026-01-01T00:00:02Z"),
  });
});
