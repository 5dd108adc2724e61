import { expect, test } from "bun:test";
import { runQueue } from "../../../src/transfer/queue.ts";

const never = new AbortController().signal;

/** Tasks that wait for the test, and how many of them run. */
function makeTasks(count: number) {
  const started: number[] = [];
  const gates = Array.from({ length: count }, () => Promise.withResolvers<void>());
  const tasks = gates.map((gate, index) => ({
    weight: 1,
    run: async () => {
      started.push(index);
      await gate.promise;
    },
  }));
  return { started, gates, tasks };
}

async function breathe(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("tasks start in order, as many at once as fit", async () => {
  const { started, gates, tasks } = makeTasks(4);
  const done = runQueue(tasks, { capacity: 2, signal: never });
  await breathe();
  expect(started).toEqual([0, 1]);
  gates[1]!.resolve();
  await breathe();
  expect(started).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  await done;
  expect(started).toEqual([0, 1, 2, 3]);
});

test("nothing to do is done at once", async () => {
  await runQueue([], { capacity: 8, signal: never });
});

test("the first failure starts nothing more, and waits for what runs", async () => {
  const { started, gates, tasks } = makeTasks(4);
  let ended = false;
  const done = runQueue(tasks, { capacity: 2, signal: never }).finally(() => {
    ended = true;
  });
  await breathe();
  const first = new Error("first");
  gates[0]!.reject(first);
  await breathe();
  expect(ended).toBe(false);
  gates[1]!.reject(new Error("second"));
  expect(await done.catch((error: unknown) => error)).toBe(first);
  expect(started).toEqual([0, 1]);
});

test("an interrupt starts nothing more and is what the queue ends with", async () => {
  const { started, gates, tasks } = makeTasks(3);
  const interrupt = new AbortController();
  const done = runQueue(tasks, { capacity: 1, signal: interrupt.signal });
  await breathe();
  const reason = new Error("stop");
  interrupt.abort(reason);
  gates[0]!.resolve();
  expect(await done.catch((error: unknown) => error)).toBe(reason);
  expect(started).toEqual([0]);
});

test("a heavy task waits for room, and runs alone if it must", async () => {
  const { started, gates, tasks } = makeTasks(3);
  const weighted = tasks.map((task, index) => ({ ...task, weight: index === 1 ? 9 : 1 }));
  const done = runQueue(weighted, { capacity: 4, signal: never });
  await breathe();
  expect(started).toEqual([0]);
  gates[0]!.resolve();
  await breathe();
  expect(started).toEqual([0, 1]);
  gates[1]!.resolve();
  await breathe();
  expect(started).toEqual([0, 1, 2]);
  gates[2]!.resolve();
  await done;
});
