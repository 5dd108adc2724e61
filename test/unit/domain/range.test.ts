import { describe, expect, test } from "bun:test";
import {
  type Range,
  addRange,
  containsRange,
  frontierBytes,
  missingRanges,
  rangeSize,
  subtractRange,
  totalSize,
} from "../../../src/domain/range.ts";
import { prng } from "../../support/prng.ts";

type Pair = readonly [number, number];
const one = ([startBytes, endBytes]: Pair): Range => ({ startBytes, endBytes });
const many = (...pairs: Pair[]): Range[] => pairs.map(one);

test("sizes", () => {
  expect(rangeSize(one([3, 10]))).toBe(7);
  expect(totalSize([])).toBe(0);
  expect(totalSize(many([0, 5], [7, 9]))).toBe(7);
});

describe("adding", () => {
  test.each([
    ["to nothing", [], [2, 5], [[2, 5]]],
    ["nothing", [[2, 5]], [9, 9], [[2, 5]]],
    ["a backward interval", [[2, 5]], [9, 7], [[2, 5]]],
    [
      "before all",
      [[10, 20]],
      [0, 5],
      [
        [0, 5],
        [10, 20],
      ],
    ],
    [
      "after all",
      [[10, 20]],
      [25, 30],
      [
        [10, 20],
        [25, 30],
      ],
    ],
    [
      "between",
      [
        [0, 5],
        [20, 25],
      ],
      [10, 15],
      [
        [0, 5],
        [10, 15],
        [20, 25],
      ],
    ],
    ["touching on the left", [[0, 5]], [5, 8], [[0, 8]]],
    ["touching on the right", [[5, 8]], [0, 5], [[0, 8]]],
    [
      "one byte short of touching",
      [[0, 5]],
      [6, 8],
      [
        [0, 5],
        [6, 8],
      ],
    ],
    [
      "filling a gap",
      [
        [0, 5],
        [8, 9],
      ],
      [5, 8],
      [[0, 9]],
    ],
    ["inside", [[0, 10]], [3, 4], [[0, 10]]],
    [
      "over several",
      [
        [1, 2],
        [4, 5],
        [7, 8],
        [20, 21],
      ],
      [0, 10],
      [
        [0, 10],
        [20, 21],
      ],
    ],
  ] as [string, Pair[], Pair, Pair[]][])("%s", (_, set, added, expected) => {
    expect(addRange(many(...set), one(added))).toEqual(many(...expected));
  });
});

describe("taking away", () => {
  test.each([
    ["from nothing", [], [0, 5], []],
    ["nothing", [[0, 5]], [3, 3], [[0, 5]]],
    ["what is not there", [[0, 5]], [5, 9], [[0, 5]]],
    ["all of it", [[0, 5]], [0, 5], []],
    ["more than all", [[2, 5]], [0, 9], []],
    ["the head", [[0, 9]], [0, 3], [[3, 9]]],
    ["the tail", [[0, 9]], [6, 12], [[0, 6]]],
    [
      "the middle",
      [[0, 9]],
      [3, 6],
      [
        [0, 3],
        [6, 9],
      ],
    ],
    [
      "across two",
      [
        [0, 5],
        [8, 12],
      ],
      [3, 10],
      [
        [0, 3],
        [10, 12],
      ],
    ],
  ] as [string, Pair[], Pair, Pair[]][])("%s", (_, set, removed, expected) => {
    expect(subtractRange(many(...set), one(removed))).toEqual(many(...expected));
  });
});

test("the gaps of a set", () => {
  expect(missingRanges([], 0)).toEqual([]);
  expect(missingRanges([], 9)).toEqual(many([0, 9]));
  expect(missingRanges(many([0, 9]), 9)).toEqual([]);
  expect(missingRanges(many([2, 4], [6, 7]), 9)).toEqual(many([0, 2], [4, 6], [7, 9]));
  // A set that runs past the end has no gap there.
  expect(missingRanges(many([0, 20]), 9)).toEqual([]);
});

test("the frontier is the end of what begins at byte 0", () => {
  expect(frontierBytes([])).toBe(0);
  expect(frontierBytes(many([1, 9]))).toBe(0);
  expect(frontierBytes(many([0, 4], [6, 9]))).toBe(4);
});

test("holding an interval takes one member that spans it", () => {
  const set = many([0, 5], [7, 12]);
  expect(containsRange(set, one([1, 5]))).toBe(true);
  expect(containsRange(set, one([7, 12]))).toBe(true);
  expect(containsRange(set, one([4, 8]))).toBe(false);
  expect(containsRange(set, one([11, 13]))).toBe(false);
});

test("any order of adding and taking away agrees with a set of single bytes", () => {
  const random = prng(20_261);
  const SPACE = 40;
  for (let round = 0; round < 200; round += 1) {
    let set: Range[] = [];
    const bytes = new Set<number>();
    for (let step = 0; step < 12; step += 1) {
      const startBytes = random.integer(0, SPACE);
      const range = { startBytes, endBytes: startBytes + random.integer(0, 9) };
      const adds = random.next() < 0.6;
      set = adds ? addRange(set, range) : subtractRange(set, range);
      for (let at = range.startBytes; at < range.endBytes; at += 1) {
        if (adds) bytes.add(at);
        else bytes.delete(at);
      }
    }
    const expected = [...bytes].toSorted((a, b) => a - b);
    const listed = set.flatMap((range) =>
      Array.from({ length: rangeSize(range) }, (_, at) => range.startBytes + at),
    );
    expect(listed, `seed ${random.seed}, round ${round}`).toEqual(expected);
    // Sorted, disjoint, no neighbours that touch.
    for (const [at, range] of set.entries()) {
      const next = set[at + 1];
      if (next) expect(next.startBytes).toBeGreaterThan(range.endBytes);
    }
    const gaps = missingRanges(set, SPACE);
    expect(totalSize(gaps)).toBe(SPACE - expected.filter((at) => at < SPACE).length);
  }
});
