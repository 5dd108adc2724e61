import { expect, test } from "bun:test";
import { createWatchdog } from "../../../src/platform/http-watchdog.ts";

const { signal } = new AbortController();

function watch(stallMs: number) {
  return createWatchdog({ signal, stallMs, peer: { host: "example.org", proxy: null } });
}

/** Settles after a time, or with the watchdog's reason. */
function answerAfter(waitMs: number, watchdog: { signal: AbortSignal }): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  setTimeout(() => resolve("answer"), waitMs);
  watchdog.signal.addEventListener("abort", () => reject(watchdog.signal.reason));
  return promise;
}

function block(forMs: number): void {
  const until = performance.now() + forMs;
  while (performance.now() < until);
}

test("time in which the process did not run is no stall", async () => {
  const watchdog = watch(200);
  const pending = watchdog.wait(answerAfter(450, watchdog));
  await Bun.sleep(50);
  block(350);
  expect(await pending).toBe("answer");
  watchdog.close();
});

test("a stall is seen by a process whose every timer is late", async () => {
  const watchdog = watch(200);
  const pending = watchdog.wait(answerAfter(1e9, watchdog)).catch((error: unknown) => error);
  for (let turn = 0; turn < 200 && !watchdog.signal.aborted; turn += 1) {
    block(60);
    await Bun.sleep(0);
  }
  expect(watchdog.signal.aborted).toBe(true);
  expect(await pending).toMatchObject({ code: "E_STALLED" });
  watchdog.close();
});

test("each answer starts the time anew", async () => {
  const watchdog = watch(300);
  for (let step = 0; step < 2; step += 1)
    expect(await watchdog.wait(answerAfter(200, watchdog))).toBe("answer");
  watchdog.close();
});

test("after it is closed nothing is watched", async () => {
  const watchdog = watch(20);
  watchdog.close();
  expect(await watchdog.wait(answerAfter(80, watchdog))).toBe("answer");
});

test("the whole exchange may have a limit", async () => {
  const watchdog = createWatchdog({
    signal,
    stallMs: 10_000,
    limitMs: 30,
    peer: { host: "example.org", proxy: null },
  });
  await expect(watchdog.wait(answerAfter(10_000, watchdog))).rejects.toMatchObject({ code: "E_STALLED" });
  watchdog.close();
});
