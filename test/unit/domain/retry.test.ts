import { describe, expect, test } from "bun:test";
import { type ErrorCode, LuciError } from "../../../src/domain/errors.ts";
import { decide } from "../../../src/domain/retry.ts";

const state = { failures: 1, retries: 3, random: 0 };
const network = new LuciError("E_NETWORK", "gone");

describe("the wait", () => {
  test.each([
    [1, 500, 1_000],
    [2, 1_000, 2_000],
    [3, 2_000, 4_000],
    [7, 30_000, 60_000],
    [50, 30_000, 60_000],
  ])("after failure %d is between %d and %d ms", (failures, leastMs, mostMs) => {
    const options = { failures, retries: 100 };
    expect(decide(network, { ...options, random: 0 })).toEqual({ waitMs: leastMs });
    const most = decide(network, { ...options, random: 0.999_999 });
    expect(most).toEqual({ waitMs: mostMs });
  });

  test.each([
    ["longer than ours", 9_000, { waitMs: 9_000 }],
    ["shorter than ours", 100, { waitMs: 500 }],
    ["of exactly 15 minutes", 900_000, { waitMs: 900_000 }],
    ["of more than 15 minutes", 900_001, "stop"],
  ] as const)("obeys a Retry-After %s", (_, retryAfterMs, expected) => {
    expect(decide(new LuciError("E_RATE_LIMITED", "slow down", { retryAfterMs }), state)).toEqual(expected);
  });
});

describe("giving up", () => {
  test("comes after the last retry, not before it", () => {
    expect(decide(network, { ...state, failures: 3 })).not.toBe("stop");
    expect(decide(network, { ...state, failures: 4 })).toBe("stop");
    expect(decide(network, { ...state, failures: 1, retries: 0 })).toBe("stop");
  });

  const codes: [ErrorCode, boolean][] = [
    ["E_NETWORK", true],
    ["E_STALLED", true],
    ["E_RATE_LIMITED", true],
    ["E_SERVER", true],
    ["E_TLS", false],
    ["E_PROXY", false],
    ["E_AUTH", false],
    ["E_NOT_FOUND", false],
    ["E_DIGEST", false],
    ["E_NO_SPACE", false],
    ["E_INTERRUPTED", false],
  ];
  test.each(codes)("%s is worth another try: %p", (code, again) => {
    expect(decide(new LuciError(code, "x"), state) !== "stop").toBe(again);
  });

  test("one error may differ from its table row", () => {
    expect(decide(new LuciError("E_SERVER", "x", { retryable: false }), state)).toBe("stop");
    expect(decide(new LuciError("E_CHANGED", "x", { retryable: true }), state)).not.toBe("stop");
  });

  test("what is no LuciError is a bug, and bugs are not tried again", () => {
    expect(decide(new TypeError("undefined is not a function"), state)).toBe("stop");
    expect(decide("a string", state)).toBe("stop");
  });
});
