// Waiting. The only place that sets a timer to let time pass; nothing here measures or formats it.

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
