import { expect, test } from "bun:test";
import { afterTurns, sleep } from "../../../src/platform/clock.ts";

test("sleeps at least as long as asked", async () => {
  const started = performance.now();
  await sleep(30, new AbortController().signal);
  expect(performance.now() - started).toBeGreaterThanOrEqual(29);
});

test("an abort ends it at once with the signal's reason", async () => {
  const controller = new AbortController();
  const pending = sleep(60_000, controller.signal);
  const reason = new Error("stop");
  controller.abort(reason);
  await expect(pending).rejects.toBe(reason);
  await expect(sleep(60_000, controller.signal)).rejects.toBe(reason);
});

test("leaves no listener behind", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners += 1;
    add(...given);
  };
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...given);
  };
  await sleep(1, signal);
  expect(listeners).toBe(0);
});

test("a wait in turns is not over because there were none", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  afterTurns(200, () => {
    isOver = true;
    resolve();
  });
  for (const endMs = performance.now() + 400; performance.now() < endMs;);
  await sleep(1, new AbortController().signal);
  expect(isOver).toBe(false);
  const idle = setInterval(() => undefined, 1_000);
  await promise;
  clearInterval(idle);
});
