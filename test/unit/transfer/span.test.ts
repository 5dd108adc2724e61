import { describe, expect, test } from "bun:test";
import { type Range, addRange, subtractRange, totalSize } from "../../../src/domain/range.ts";
import { missingParts, nextSpan } from "../../../src/transfer/span.ts";
import { prng } from "../../support/prng.ts";

const MIB = 1024 * 1024;
const mib = (start: number, end: number): Range => ({ startBytes: start * MIB, endBytes: end * MIB });

describe("the next request", () => {
  test.each([
    ["of nothing is none", [], [], 4, null],
    ["asks for a small file at once", [mib(0, 3)], [], 4, mib(0, 3)],
    ["is at least 8 MiB", [mib(0, 40)], [], 16, mib(0, 8)],
    ["is at most 64 MiB", [mib(0, 4_000)], [], 4, mib(0, 64)],
    ["leaves every connection two shares", [mib(0, 256)], [], 4, mib(0, 32)],
    ["of one connection takes half", [mib(0, 100)], [], 1, mib(0, 48)],
    ["ends on a multiple of 8 MiB", [mib(3, 100)], [], 16, mib(3, 8)],
    ["never is empty next to one", [mib(7, 100)], [], 16, mib(7, 8)],
    ["begins at one", [mib(8, 100)], [], 16, mib(8, 16)],
    ["ends with its gap", [mib(0, 5), mib(20, 90)], [], 1, mib(0, 5)],
    ["leaves busy bytes alone", [mib(0, 40)], [mib(0, 8), mib(8, 16)], 16, mib(16, 24)],
    ["stops where somebody is busy", [mib(0, 40)], [mib(5, 40)], 1, mib(0, 5)],
    ["is none when all is busy", [mib(0, 8), mib(10, 12)], [mib(0, 16)], 4, null],
  ] as [string, Range[], Range[], number, Range | null][])("%s", (_, missing, busy, connections, expected) => {
    expect(nextSpan(missing, { busy, connections })).toEqual(expected);
  });

  test("after request covers everything once, whatever is missing", () => {
    const random = prng(99);
    for (let round = 0; round < 60; round += 1) {
      let missing: Range[] = [];
      for (let piece = 0; piece < 4; piece += 1) {
        const startBytes = random.integer(0, 500 * MIB);
        missing = addRange(missing, { startBytes, endBytes: startBytes + random.integer(1, 90 * MIB) });
      }
      const connections = random.integer(1, 17);
      const busy: Range[] = [];
      const wholeBytes = totalSize(missing);
      let rest = missing;
      for (let span = nextSpan(missing, { busy, connections }); span; span = nextSpan(missing, { busy, connections })) {
        expect(totalSize([span]), `seed ${random.seed}`).toBeGreaterThan(0);
        expect(totalSize([span])).toBeLessThanOrEqual(72 * MIB);
        const before = totalSize(rest);
        rest = subtractRange(rest, span);
        expect(before - totalSize(rest)).toBe(totalSize([span]));
        busy.push(span);
      }
      expect(totalSize(rest)).toBe(0);
      expect(totalSize(busy)).toBe(wholeBytes);
    }
  });

  test("may begin before the size is known", () => {
    const endless = [{ startBytes: 0, endBytes: Number.MAX_SAFE_INTEGER }];
    expect(nextSpan(endless, { busy: [], connections: 8 })).toEqual(mib(0, 64));
  });
});

describe("the parts of a chunk that are still missing", () => {
  const bytes = Uint8Array.from({ length: 10 }, (_, at) => 100 + at);
  const parts = (...missing: [number, number][]) =>
    missingParts(
      missing.map(([startBytes, endBytes]) => ({ startBytes, endBytes })),
      { startBytes: 100, bytes },
    ).map((part) => [part.startBytes, ...part.bytes]);

  test.each([
    ["nothing is missing", [], []],
    ["all is", [[0, 200]], [[100, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109]]],
    ["its head is", [[90, 102]], [[100, 100, 101]]],
    ["its tail is", [[108, 300]], [[108, 108, 109]]],
    ["two parts are", [[101, 102], [105, 107]], [[101, 101], [105, 105, 106]]],
    ["what is missing lies elsewhere", [[0, 100], [110, 120]], []],
  ] as [string, [number, number][], number[][]][])("%s", (_, missing, expected) => {
    expect(parts(...missing)).toEqual(expected);
  });
});
