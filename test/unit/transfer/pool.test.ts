import { expect, test } from "bun:test";
import { createConnectionPool } from "../../../src/transfer/pool.ts";

const MIB = 1024 * 1024;

/** A pool on a clock of the test, and a link that gives `rateOf(connections)` MiB/s. */
function makeScene(options: { fixed?: number; rateOf?: (connections: number) => number } = {}) {
  const clock = { nowMs: 0 };
  const ticks: (() => void)[] = [];
  const pool = createConnectionPool({
    fixed: options.fixed ?? null,
    now: () => clock.nowMs,
    every: (_, tick) => {
      ticks.push(tick);
      return () => void ticks.splice(ticks.indexOf(tick), 1);
    },
  });
  const seat = pool.join("hub.example", () => undefined);
  let open = 0;
  const settle = (): void => {
    while (open < seat.share()) {
      seat.opened(1);
      open += 1;
    }
    while (open > seat.share()) {
      seat.opened(-1);
      open -= 1;
    }
  };
  /** Lets time pass while the connections bring what the link gives. */
  const pass = (windows: number, change: { blocked?: boolean } = {}): void => {
    for (let window = 0; window < windows; window += 1) {
      settle();
      clock.nowMs += 200;
      seat.moved((options.rateOf ?? (() => 1))(open) * MIB * 0.2);
      if (change.blocked) seat.blocked(200 * open);
      for (const tick of ticks) tick();
    }
  };
  return { pool, seat, pass, ticks, clock };
}

test("a link that gives every connection its own rate gets all sixteen, and no more", () => {
  const { seat, pass } = makeScene({ rateOf: (connections) => connections * 20 });
  expect(seat.share()).toBe(4);
  pass(8);
  expect(seat.share()).toBe(16);
});

test("a link that is full with four connections is left at four", () => {
  const { seat, pass } = makeScene({ rateOf: () => 50 });
  pass(4);
  expect(seat.share()).toBe(4);
  pass(10);
  expect(seat.share()).toBe(4);
});

test("a link that became faster is tried again", () => {
  let full = 4;
  const { seat, pass } = makeScene({ rateOf: (connections) => Math.min(full, connections) * 10 });
  pass(4);
  expect(seat.share()).toBe(4);
  full = 16;
  pass(40);
  expect(seat.share()).toBe(16);
});

test("a burst at the start teaches nothing for long", () => {
  let perConnection = 200;
  const { seat, pass } = makeScene({ rateOf: (connections) => Math.min(1_000, connections * perConnection) });
  pass(1);
  perConnection = 20;
  pass(12);
  expect(seat.share()).toBe(16);
});

test("connections that wait for the disk get no company", () => {
  const { seat, pass } = makeScene({ rateOf: (connections) => connections * 20 });
  pass(8, { blocked: true });
  expect(seat.share()).toBe(4);
});

test("a disk that stops for a moment while a step is judged does not take the step back", () => {
  let perConnection = 20;
  const { seat, pass } = makeScene({ rateOf: (connections) => connections * perConnection });
  pass(1);
  perConnection = 5;
  pass(4, { blocked: true });
  perConnection = 20;
  pass(1);
  expect(seat.share()).toBe(16);
  // One that does not go on is what limits.
  perConnection = 5;
  pass(6, { blocked: true });
  expect(seat.share()).toBe(8);
});

test("a server that pushes back gets half, once for one trouble", () => {
  const { seat, pass } = makeScene({ rateOf: (connections) => connections * 20 });
  pass(8);
  seat.pushedBack();
  seat.pushedBack();
  expect(seat.share()).toBe(8);
  pass(4);
  expect(seat.share()).toBe(8);
});

test("files at one host share its connections, and each has one at least", () => {
  const { pool, seat } = makeScene();
  const others = Array.from({ length: 5 }, () => pool.join("hub.example", () => undefined));
  expect([seat, ...others].map((one) => one.share())).toEqual([1, 1, 1, 1, 1, 1]);
  for (const other of others.splice(2)) other.leave();
  expect([seat, ...others].map((one) => one.share())).toEqual([2, 1, 1]);
  expect(pool.join("other.example", () => undefined).share()).toBe(4);
});

test("a fixed number is what every file gets while sixteen are enough, and nothing is measured", () => {
  const { pool, seat, pass, ticks } = makeScene({ fixed: 7 });
  pass(8);
  expect(seat.share()).toBe(7);
  expect(ticks).toEqual([]);
  const others = [1, 2, 3].map(() => pool.join("hub.example", () => undefined));
  expect([seat, ...others].map((one) => one.share())).toEqual([4, 4, 4, 4]);
});

test("what a host taught outlives its files, and nothing is measured between them", () => {
  const { pool, seat, pass, ticks } = makeScene({ rateOf: (connections) => connections * 20 });
  pass(8);
  seat.leave();
  expect(ticks).toEqual([]);
  expect(pool.join("hub.example", () => undefined).share()).toBe(16);
});

test("a file that rests leaves its share to the others, and gets it back", () => {
  const { pool, seat } = makeScene();
  let told = 0;
  const other = pool.join("hub.example", () => {
    told += 1;
  });
  expect([seat.share(), other.share()]).toEqual([2, 2]);
  seat.rest();
  seat.rest();
  expect([other.share(), told]).toEqual([4, 1]);
  seat.back();
  seat.back();
  expect([seat.share(), other.share()]).toEqual([2, 2]);
  seat.rest();
  seat.leave();
  expect(other.share()).toBe(4);
});

test("a pool whose files all rest does not tick", () => {
  const { seat, ticks } = makeScene();
  expect(ticks).toHaveLength(1);
  seat.rest();
  expect(ticks).toHaveLength(0);
  seat.back();
  expect(ticks).toHaveLength(1);
});
