import { describe, expect, test } from "bun:test";
import { type Range, addRange, subtractRange, totalSize } from "../../../src/domain/range.ts";
import { type Span, SpanBoard, missingParts } from "../../../src/transfer/spans.ts";
import { prng } from "../../support/prng.ts";

const MIB = 1024 * 1024;
const mib = (start: number, end: number): Range => ({ startBytes: start * MIB, endBytes: end * MIB });

/** A board over a changing set of missing ranges, with a clock of its own. */
function makeBoard(missing: Range[]) {
  const scene = { missing, nowMs: 0 };
  return {
    scene,
    board: new SpanBoard(
      () => scene.missing,
      () => scene.nowMs,
    ),
  };
}

const place = (span: Span | null) => span && [span.startBytes, span.endBytes];

describe("the next span", () => {
  test.each([
    ["of nothing is none", [], null],
    ["asks for a small file at once", [mib(0, 3)], [0, 3]],
    ["is 8 MiB at first", [mib(0, 400)], [0, 8]],
    ["ends on a multiple of 8 MiB", [mib(3, 100)], [3, 8]],
    ["is never empty", [mib(7, 100)], [7, 8]],
    ["begins at one", [mib(8, 100)], [8, 16]],
    ["ends with its gap", [mib(0, 5), mib(20, 90)], [0, 5]],
  ] as [string, Range[], [number, number] | null][])("%s", (_, missing, expected) => {
    const { board } = makeBoard(missing);
    expect(place(board.take())).toEqual(expected && [expected[0] * MIB, expected[1] * MIB]);
  });

  test("covers everything once, whatever is missing", () => {
    const random = prng(99);
    for (let round = 0; round < 60; round += 1) {
      let missing: Range[] = [];
      for (let piece = 0; piece < 4; piece += 1) {
        const startBytes = random.integer(0, 500 * MIB);
        missing = addRange(missing, { startBytes, endBytes: startBytes + random.integer(1, 90 * MIB) });
      }
      const { board } = makeBoard(missing);
      let rest = missing;
      for (let span = board.take(); span; span = board.take()) {
        const before = totalSize(rest);
        rest = subtractRange(rest, span);
        expect(before - totalSize(rest), `seed ${random.seed}`).toBe(totalSize([span]));
      }
      expect(totalSize(rest)).toBe(0);
    }
  });

  test("lasts about a second of what a connection brings, 64 MiB at most", () => {
    const { board, scene } = makeBoard([mib(0, 1_000)]);
    const fast = board.take()!;
    board.arrived(fast, 8 * MIB);
    scene.nowMs = 500;
    scene.missing = [mib(8, 1_000)];
    board.giveBack(fast);
    expect(place(board.take())).toEqual([8 * MIB, 24 * MIB]);
    const faster = board.take()!;
    board.arrived(faster, 16 * MIB);
    scene.nowMs = 501;
    scene.missing = [mib(8, 24), mib(40, 1_000)];
    board.giveBack(faster);
    expect(place(board.take())).toEqual([40 * MIB, 104 * MIB]);
  });

  test("gets shorter towards the end, so that all connections end together", () => {
    const sizesOf = (missing: Range[], pace: { bytes: number; ms: number } | null): number[] => {
      const { board, scene } = makeBoard(missing);
      if (pace) {
        const first = board.take()!;
        board.arrived(first, pace.bytes);
        scene.nowMs = pace.ms;
        board.giveBack(first);
      }
      const sizes: number[] = [];
      for (let span = board.take(); span; span = board.take()) sizes.push(totalSize([span]) / MIB);
      return sizes;
    };
    expect(sizesOf([mib(0, 40)], null)).toEqual([8, 8, 8, 4, 3, 1, 2, 1, 1, 1, 1, 1, 1]);
    // A quarter of a second at 20 MiB/s is worth a request, less is not.
    expect(sizesOf([mib(0, 40)], { bytes: 8 * MIB, ms: 400 })).toEqual([16, 12, 5, 5, 2]);
  });

  test("comes back when its connection failed", () => {
    const { board } = makeBoard([mib(0, 8)]);
    const span = board.take()!;
    expect(board.take()).toBeNull();
    expect(board.isDone).toBe(false);
    board.giveBack(span);
    expect(place(board.take())).toEqual([0, 8 * MIB]);
  });
});

describe("an idle connection", () => {
  test("takes half of the slowest rest", () => {
    const { board, scene } = makeBoard([mib(0, 24)]);
    const slow = board.take()!;
    const quick = board.take()!;
    for (const span of [slow, quick]) board.asked(span, () => undefined);
    scene.nowMs = 1_000;
    board.arrived(slow, 2 * MIB);
    board.arrived(quick, 7 * MIB);
    expect(place(board.steal())).toEqual([5 * MIB, 8 * MIB]);
    expect(slow.endBytes).toBe(5 * MIB);
    expect(quick.endBytes).toBe(16 * MIB);
  });

  test("leaves a connection alone that is nearly done", () => {
    const { board, scene } = makeBoard([mib(0, 8)]);
    const span = board.take()!;
    board.asked(span, () => undefined);
    scene.nowMs = 1_000;
    board.arrived(span, 7 * MIB);
    expect(board.steal()).toBeNull();
  });

  test("takes all of a silent one's rest, and ends it", () => {
    const { board, scene } = makeBoard([mib(0, 8)]);
    const span = board.take()!;
    let cancelled = false;
    board.asked(span, () => {
      cancelled = true;
    });
    board.arrived(span, MIB);
    scene.nowMs = 5_000;
    expect(place(board.steal())).toEqual([MIB, 8 * MIB]);
    expect(span.endBytes).toBe(MIB);
    expect(cancelled).toBe(true);
  });

  test("takes nothing that has not been asked for, and counts no silence before that", () => {
    const { board, scene } = makeBoard([mib(0, 8)]);
    const span = board.take()!;
    scene.nowMs = 60_000;
    expect(board.steal()).toBeNull();
    board.asked(span, () => undefined);
    expect(board.steal()).toBeNull();
    expect(place(span)).toEqual([0, 8 * MIB]);
    scene.nowMs = 65_000;
    expect(place(board.steal())).toEqual([0, 8 * MIB]);
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
    [
      "two parts are",
      [
        [101, 102],
        [105, 107],
      ],
      [
        [101, 101],
        [105, 105, 106],
      ],
    ],
    [
      "what is missing lies elsewhere",
      [
        [0, 100],
        [110, 120],
      ],
      [],
    ],
  ] as [string, [number, number][], number[][]][])("%s", (_, missing, expected) => {
    expect(parts(...missing)).toEqual(expected);
  });
});
