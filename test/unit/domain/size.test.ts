import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import {
  formatBytes,
  formatDuration,
  formatRate,
  formatRemaining,
  parseDuration,
  parseRate,
  parseSize,
} from "../../../src/domain/size.ts";

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof LuciError ? error.code : String(error);
  }
  return "nothing thrown";
}

describe("parseRate", () => {
  test.each([
    ["20M", 20_000_000],
    ["20M/s", 20_000_000],
    [" 1.5MiB/S ", 1_572_864],
    ["4096", 4_096],
    ["off", null],
    ["None", null],
    ["0", null],
  ])("%p is %p", (text, rate) => {
    expect(parseRate(text)).toBe(rate);
  });

  test.each(["", "fast", "-1", "0.1", "20M/h", "/s", "M"])("%p is refused", (text) => {
    expect(codeOf(() => parseRate(text))).toBe("E_USAGE");
  });
});

describe("parseSize", () => {
  const sizes: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["4096", 4096],
    ["512B", 512],
    ["20M", 20_000_000],
    ["20m", 20_000_000],
    ["64k", 64_000],
    ["500kB", 500_000],
    ["1.5GB", 1_500_000_000],
    ["2T", 2_000_000_000_000],
    ["64KiB", 65_536],
    ["1.5GiB", 1_610_612_736],
    ["1 MiB", 1_048_576],
    [" 3Mi ", 3_145_728],
    [".5k", 500],
    ["0.3333k", 333],
  ];
  for (const [text, bytes] of sizes)
    test(`${JSON.stringify(text)} is ${bytes}`, () => expect(parseSize(text)).toBe(bytes));

  for (const text of [
    "",
    "M",
    "-1",
    "+1M",
    "1e3",
    "20X",
    "20MBit",
    "1.2.3k",
    "1,5G",
    "NaN",
    "Infinity",
    "0x10",
    "9999999999T",
    "20 M B",
    "1iB",
    "5\n",
  ]) {
    const refused = text !== "5\n";
    test(`${JSON.stringify(text)} is ${refused ? "refused" : "trimmed"}`, () => {
      expect(codeOf(() => parseSize(text))).toBe(refused ? "E_USAGE" : "nothing thrown");
    });
  }
});

describe("parseDuration", () => {
  const durations: readonly (readonly [string, number])[] = [
    ["7d", 604_800_000],
    ["12h", 43_200_000],
    ["30m", 1_800_000],
    ["45s", 45_000],
    ["250ms", 250],
    ["1.5 hours", 5_400_000],
    ["2 weeks", 1_209_600_000],
    ["0s", 0],
  ];
  for (const [text, milliseconds] of durations)
    test(`${text} is ${milliseconds} ms`, () => expect(parseDuration(text)).toBe(milliseconds));

  for (const text of ["", "7", "-7d", "d", "7 dogs", "7d 3h", `${"1".repeat(200)}d`, "1e9d"]) {
    test(`${JSON.stringify(text.slice(0, 12))} is refused`, () =>
      expect(codeOf(() => parseDuration(text))).toBe("E_USAGE"));
  }
});

describe("what people read", () => {
  test("bytes have three digits", () => {
    expect([0, 999, 1_000, 48_123_456, 2_019_377_696, 999_999_999].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1 kB",
      "48.1 MB",
      "2.02 GB",
      "1 GB",
    ]);
  });

  test("a rate is bytes per second", () => expect(formatRate(48_123_456.78)).toBe("48.1 MB/s"));

  test("durations have two units", () => {
    expect([0, 420, 4_250, 37_900, 245_000, 3_725_000, 273_600_000].map(formatDuration)).toEqual([
      "0ms",
      "420ms",
      "4.2s",
      "37s",
      "4m 5s",
      "1h 2m",
      "3d 4h",
    ]);
  });

  test("what is left counts whole seconds and never shows zero", () => {
    expect([0, 1, 1_001, 59_999, 60_001].map(formatRemaining)).toEqual(["1s", "1s", "2s", "1m", "1m 1s"]);
  });
});
