// One speed limit for all connections and files of a run.

import { sleep } from "../platform/clock.ts";

export interface Limiter {
  /** Waits until these bytes may have been received. Rejects with the signal's reason. */
  take(sizeBytes: number, signal: AbortSignal): Promise<void>;
}

/** How far the reservation may lag behind the clock: what an idle moment may be made up for. */
const BURST_MS = 100;

/** A limiter at a rate in bytes per second; null for none. Each taker reserves its turn on one time line. */
export function createLimiter(bytesPerSec: number | null): Limiter {
  let reservedUntilMs = 0;
  return {
    take: async (sizeBytes, signal) => {
      if (bytesPerSec === null) return;
      const nowMs = performance.now();
      reservedUntilMs = Math.max(reservedUntilMs, nowMs - BURST_MS) + (sizeBytes / bytesPerSec) * 1000;
      if (reservedUntilMs > nowMs) await sleep(reservedUntilMs - nowMs, signal);
    },
  };
}
