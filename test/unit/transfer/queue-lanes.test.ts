import { expect, test } from "bun:test";
import { Gate } from "../../../src/transfer/gate.ts";
import { type Lane, type Place, TaskQueue } from "../../../src/transfer/queue.ts";

const never = new AbortController().signal;

/** A queue and tasks that wait for the test; `log` says what began and what lost or got back its place. */
function stand(capacity: number, options: { preempt?: boolean } = {}) {
  const queue = new TaskQueue({ capacity, ...options });
  const log: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const gates = new Map<string, Gate>();
  const places = new Map<string, Place>();
  const add = (names: readonly string[], { lane, weight = 1, signal = never }: AddOptions): Promise<void> => {
    const tasks = names.map((name) => {
      const gate = new Gate();
      const end = Promise.withResolvers<void>();
      ends.set(name, end);
      gates.set(name, gate);
      const run = (place: Place): Promise<void> => {
        log.push(name);
        places.set(name, place);
        return end.promise;
      };
      return { weight, lane, gate, run };
    });
    return queue.run(tasks, { signal });
  };
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.resolve();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return {
    queue,
    log,
    add,
    end,
    placeOf: (name: string) => places.get(name)!,
    hasPlace: (name: string) => gates.get(name)!.isOpen,
  };
}

interface AddOptions {
  readonly lane: Lane;
  readonly weight?: number;
  readonly signal?: AbortSignal;
}

test("what waits starts by priority, in order within one; a change counts while it waits", async () => {
  const { queue, log, add, end } = stand(1);
  const [first, second, third] = [queue.lane(), queue.lane(), queue.lane()];
  const done = [
    add(["a", "b"], { lane: first }),
    add(["c"], { lane: second }),
    add(["d", "e"], { lane: third }),
  ];
  expect(log).toEqual(["a"]);
  third.setPriority(10);
  second.setPriority(-1);
  for (const name of ["a", "d", "e", "b", "c"]) await end(name);
  await Promise.all(done);
  expect(log).toEqual(["a", "d", "e", "b", "c"]);
});

test("a held lane starts nothing, gives its places up, and blocks nobody", async () => {
  const { queue, log, add, end, hasPlace } = stand(2);
  const [one, other] = [queue.lane(), queue.lane()];
  const done = [add(["a", "b", "c"], { lane: one }), add(["x", "y", "z"], { lane: other })];
  expect(log).toEqual(["a", "b"]);
  one.hold();
  expect(log).toEqual(["a", "b", "x", "y"]);
  expect([hasPlace("a"), hasPlace("b"), hasPlace("x")]).toEqual([false, false, true]);
  one.release();
  expect(hasPlace("a")).toBe(false);
  await end("x");
  // What has begun comes before what has not.
  expect([hasPlace("a"), hasPlace("b"), log.length]).toEqual([true, false, 4]);
  await end("y");
  expect([hasPlace("b"), log.length]).toEqual([true, 4]);
  for (const name of ["a", "b", "c", "z"]) await end(name);
  await Promise.all(done);
  expect(log).toEqual(["a", "b", "x", "y", "c", "z"]);
});

test("a held lane that ends without its places leaves the count right", async () => {
  const { queue, log, add, end } = stand(1);
  const [one, other] = [queue.lane(), queue.lane()];
  const done = [add(["a"], { lane: one }), add(["x", "y"], { lane: other })];
  one.hold();
  expect(log).toEqual(["a", "x"]);
  await end("a");
  expect(log).toEqual(["a", "x"]);
  await end("x");
  expect(log).toEqual(["a", "x", "y"]);
  await end("y");
  await Promise.all(done);
});

test("without preemption what runs goes on, whatever comes", async () => {
  const { queue, log, add, end, hasPlace } = stand(1);
  const done = [add(["low"], { lane: queue.lane(-10) }), add(["high"], { lane: queue.lane(10) })];
  expect([log, hasPlace("low")]).toEqual([["low"], true]);
  for (const name of ["low", "high"]) await end(name);
  await Promise.all(done);
});

test("with preemption the least important one makes way, and comes back", async () => {
  const { queue, log, add, end, hasPlace } = stand(2, { preempt: true });
  const done = [
    add(["normal"], { lane: queue.lane(0) }),
    add(["low"], { lane: queue.lane(-10) }),
    add(["high"], { lane: queue.lane(10) }),
  ];
  expect(log).toEqual(["normal", "low", "high"]);
  expect([hasPlace("normal"), hasPlace("low"), hasPlace("high")]).toEqual([true, false, true]);
  await end("high");
  expect(hasPlace("low")).toBe(true);
  for (const name of ["normal", "low"]) await end(name);
  await Promise.all(done);
});

test("an interrupt drops what has not begun, in a held lane as well", async () => {
  const { queue, log, add } = stand(1);
  const lane = queue.lane();
  lane.hold();
  const interrupt = new AbortController();
  const done = add(["a", "b"], { lane, signal: interrupt.signal });
  const reason = new Error("stop");
  interrupt.abort(reason);
  expect(await done.catch((error: unknown) => error)).toBe(reason);
  lane.release();
  expect(log).toEqual([]);
});

test("batches share the places, and each ends by itself", async () => {
  const { queue, log, add, end } = stand(2);
  const first = add(["a", "b"], { lane: queue.lane() });
  const second = add(["c"], { lane: queue.lane(), weight: 2 });
  await end("a");
  expect(log).toEqual(["a", "b"]);
  await end("b");
  await first;
  expect(log).toEqual(["a", "b", "c"]);
  await end("c");
  await second;
});

test("who leaves its place gets one again in its turn, as soon as it wants one", async () => {
  const { queue, log, add, end, placeOf, hasPlace } = stand(1);
  const done = [add(["a"], { lane: queue.lane() }), add(["x", "y"], { lane: queue.lane() })];
  placeOf("a").leave();
  placeOf("a").leave();
  expect([log, hasPlace("a")]).toEqual([["a", "x"], false]);
  await end("x");
  // It does not want one yet.
  expect([log, hasPlace("a")]).toEqual([["a", "x", "y"], false]);
  placeOf("a").comeBack();
  placeOf("a").comeBack();
  expect(hasPlace("a")).toBe(false);
  await end("y");
  expect(hasPlace("a")).toBe(true);
  await end("a");
  await Promise.all(done);
});

test("who waits for what a lesser one has gives it back the place it took", async () => {
  const { queue, log, add, end, placeOf, hasPlace } = stand(1, { preempt: true });
  const done = [add(["low"], { lane: queue.lane(-10) }), add(["high"], { lane: queue.lane(10) })];
  expect([log, hasPlace("low")]).toEqual([["low", "high"], false]);
  placeOf("high").leave();
  expect([hasPlace("low"), hasPlace("high")]).toEqual([true, false]);
  placeOf("high").comeBack();
  expect([hasPlace("low"), hasPlace("high")]).toEqual([false, true]);
  for (const name of ["high", "low"]) await end(name);
  await Promise.all(done);
});

test("who ends without its place leaves the count right", async () => {
  const { queue, log, add, end, placeOf } = stand(1);
  const done = [add(["a"], { lane: queue.lane() }), add(["x", "y"], { lane: queue.lane() })];
  placeOf("a").leave();
  await end("a");
  expect(log).toEqual(["a", "x"]);
  await end("x");
  expect(log).toEqual(["a", "x", "y"]);
  await end("y");
  await Promise.all(done);
});
