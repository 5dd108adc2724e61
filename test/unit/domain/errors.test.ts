import { describe, expect, test } from "bun:test";
import {
  ERROR_TABLE,
  type ErrorCode,
  LuciError,
  reportError,
  toLuciError,
} from "../../../src/domain/errors.ts";

/** The table of exit codes; scripts rely on these numbers. */
const EXITS: Record<number, ErrorCode[]> = {
  1: ["E_INTERNAL"],
  2: ["E_USAGE", "E_REF_SYNTAX", "E_CONFIG"],
  3: ["E_SOME_FAILED"],
  4: ["E_DAMAGED", "E_DIGEST", "E_SIZE", "E_CHANGED", "E_UNVERIFIED"],
  5: ["E_NETWORK", "E_STALLED", "E_RATE_LIMITED", "E_SERVER", "E_TLS", "E_PROXY", "E_TIMEOUT"],
  6: ["E_AUTH", "E_GATED"],
  7: ["E_NOT_FOUND", "E_GONE"],
  8: ["E_NO_SPACE", "E_IO", "E_PERMISSION"],
  9: ["E_LOCKED"],
  10: ["E_UNSAFE_PATH", "E_UNSAFE_FILE", "E_UNSAFE_URL", "E_MALFORMED"],
  130: ["E_CANCELLED", "E_INTERRUPTED"],
};

describe("the table", () => {
  test("gives every code the documented exit code, and knows no other code", () => {
    const documented = Object.entries(EXITS).flatMap(([exit, codes]) =>
      codes.map((code) => [code, Number(exit)] as const),
    );
    const coded = Object.entries(ERROR_TABLE).map(([code, { exit }]): [string, number] => [code, exit]);
    expect(new Map(coded)).toEqual(new Map<string, number>(documented));
  });

  test("says for every code what to do next, in one line", () => {
    for (const [code, { hint }] of Object.entries(ERROR_TABLE)) {
      expect(hint.length, code).toBeGreaterThan(10);
      expect(hint, code).not.toContain("\n");
    }
  });
});

describe("an error", () => {
  test("takes exit, hint and retryable from its row", () => {
    const error = new LuciError("E_STALLED", "nothing came");
    expect(error).toMatchObject({ exit: 5, retryable: true, message: "nothing came", name: "LuciError" });
    expect(error.hint).toBe(ERROR_TABLE.E_STALLED.hint);
    expect(error.retryAfterMs).toBeUndefined();
    expect("cause" in error).toBe(false);
  });

  test("may carry its own", () => {
    const cause = new Error("EIO");
    const own = { exit: 143, hint: "wait", retryable: true, retryAfterMs: 7, cause };
    expect(new LuciError("E_INTERRUPTED", "stopped", own)).toMatchObject(own);
  });
});

describe("whatever was thrown", () => {
  test("stays what it is when it is a LuciError", () => {
    const error = new LuciError("E_IO", "x");
    expect(toLuciError(error)).toBe(error);
  });

  test.each([
    ["an error", new RangeError("too far"), "too far"],
    ["a text", "just text", "just text"],
    ["nothing", undefined, "undefined"],
  ])("%s becomes a bug with the cause kept", (_, thrown, message) => {
    const error = toLuciError(thrown);
    expect(error).toMatchObject({ code: "E_INTERNAL", exit: 1, message });
    if (thrown !== undefined) expect(error.cause).toBe(thrown);
  });

  test("is reported as plain data, without stack and cause", () => {
    const report = reportError(new LuciError("E_GATED", "m", { cause: new Error("secret") }));
    expect(report).toEqual({ code: "E_GATED", message: "m", hint: ERROR_TABLE.E_GATED.hint, exit: 6 });
    expect(JSON.stringify(report)).not.toContain("secret");
  });
});
