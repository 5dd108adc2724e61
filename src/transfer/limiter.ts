// One speed limit for all connections and files of a run.

import { sleep } from "../platform/clock.ts";

export interface Limiter {
  /**
   * The most bytes one request should ask for, or null without a limit. The network stack reads ahead of us by
   * megabytes: only what is not asked for does not come.
   */
  readonly requestBytes: number | null;
  /** Waits until these bytes may have been received. Rejects with the signal's reason. */
  take(sizeBytes: number, signal: AbortSignal): Promise<void>;
}

/** How far the reservation may lag behind the clock: what an idle moment may be made up for. */
const BURST_MS = 100;
/** A request brings about this long's worth of bytes, within bounds. */
const REQUEST_MS = 250;
const SMALLEST_REQUEST_BYTES = 16 * 1024;
const LARGEST_REQUEST_BYTES = 8 * 1024 * 1024;

/** A limiter at a rate in bytes per second; null for none. Each taker reserves its turn on one time line. */
export function createLimiter(bytesPerSec: number | null): Limiter {
  let reservedUntilMs = 0;
  return {
    requestBytes: bytesPerSec === null ? null : requestBytesAt(bytesPerSec),
    take: async (sizeBytes, signal) => {
      if (bytesPerSec === null) return;
      const nowMs = performance.now();
      reservedUntilMs = Math.max(reservedUntilMs, nowMs - BURST_MS) + (sizeBytes / bytesPerSec) * 1000;
      if (reservedUntilMs > nowMs) await sleep(reservedUntilMs - nowMs, signal);
    },
  };
}

function requestBytesAt(bytesPerSec: number): number {
  const idealBytes = Math.round((bytesPerSec * REQUEST_MS) / 1000);
  return Math.min(LARGEST_REQUEST_BYTES, Math.max(SMALLEST_REQUEST_BYTES, idealBytes));
}
