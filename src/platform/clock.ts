// Waiting. Nothing here measures time or formats it.

/**
 * Resolves after `waitMs` milliseconds.
 * @throws the signal's reason as soon as it aborts
 */
export function sleep(waitMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal.aborted) {
    reject(signal.reason);
    return promise;
  }
  const stop = (): void => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", stop);
    resolve();
  }, waitMs);
  signal.addEventListener("abort", stop, { once: true });
  return promise;
}

/** Calls `tick` every `waitMs` until the answer is called. Does not keep the process alive. */
export function every(waitMs: number, tick: () => void): () => void {
  const timer = setInterval(tick, waitMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Of a wait in turns. */
const TURNS = 10;

/**
 * Acts after `waitMs`, in which this process had its turn again and again: a machine that slept, or had no time for it,
 * has not let it do anything. Does not keep the process alive.
 */
export function afterTurns(waitMs: number, act: () => void): void {
  const wait = (leftTurns: number): void => {
    if (leftTurns === 0) return act();
    setTimeout(() => wait(leftTurns - 1), waitMs / TURNS).unref();
  };
  wait(TURNS);
}

/** Settles like a promise that cannot be stopped, or rejects as soon as the signal aborts. */
export function abortable<Value>(pending: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const stop = (): void => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  pending.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  return promise;
}
