// A speed limit for all connections that share it: of a run, or of one model under the run's. The rate may
// change at any time.

export interface Limiter {
  /**
   * The most bytes one request should ask for, or null without a limit. The network stack reads ahead of us by
   * megabytes: only what is not asked for does not come.
   */
  readonly requestBytes: number | null;
  /** Waits until these bytes may have been received. Rejects with the signal's reason. */
  take(sizeBytes: number, signal: AbortSignal): Promise<void>;
  /** Calls back when requests may have become too large for the rate; returns how to stop that. */
  onLowered(listener: () => void): () => void;
}

/** A limiter whose rate can be changed. */
export interface ChangeableLimiter extends Limiter {
  readonly bytesPerSec: number | null;
  /** Another rate in bytes per second, null for none: from now on, for those that wait as well. */
  setRate(bytesPerSec: number | null): void;
}

/** How far the reservation may lag behind the clock: what an idle moment may be made up for. */
const BURST_MS = 100;
/** A request brings about this long's worth of bytes, within bounds. */
const REQUEST_MS = 250;
const SMALLEST_REQUEST_BYTES = 16 * 1024;
const LARGEST_REQUEST_BYTES = 8 * 1024 * 1024;

/**
 * A limiter at a rate in bytes per second; null for none. Each taker has its turn on one time line. Under another
 * limiter bytes count against both, at the same time.
 */
export function createLimiter(bytesPerSec: number | null, above: Limiter | null = null): ChangeableLimiter {
  const line = new TimeLine(bytesPerSec);
  const listeners = new Set<() => void>();
  const own = (): number | null => (line.bytesPerSec === null ? null : requestBytesAt(line.bytesPerSec));
  return {
    get bytesPerSec() {
      return line.bytesPerSec;
    },
    get requestBytes() {
      const sizes = [own(), above?.requestBytes ?? null].filter((bytes) => bytes !== null);
      return sizes.length === 0 ? null : Math.min(...sizes);
    },
    take: async (sizeBytes, signal) => {
      await Promise.all([line.take(sizeBytes, signal), above?.take(sizeBytes, signal)]);
    },
    setRate: (rate) => {
      const before = own() ?? Number.POSITIVE_INFINITY;
      line.setRate(rate);
      if ((own() ?? Number.POSITIVE_INFINITY) < before) for (const listener of listeners) listener();
    },
    onLowered: (listener) => {
      listeners.add(listener);
      const stopAbove = above?.onLowered(listener);
      return () => {
        listeners.delete(listener);
        stopAbove?.();
      };
    },
  };
}

interface Taker {
  leftBytes: number;
  readonly pass: () => void;
}

/** Takers one after the other, each as long as its bytes need at the rate of the moment. */
class TimeLine {
  bytesPerSec: number | null;
  readonly #takers: Taker[] = [];
  /** Since when the first taker's bytes have been counted. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(bytesPerSec: number | null) {
    this.bytesPerSec = bytesPerSec;
  }

  async take(sizeBytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerSec === null) return;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const taker: Taker = { leftBytes: sizeBytes, pass: resolve };
    const stop = (): void => {
      this.#leave(taker);
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    if (this.#takers.push(taker) === 1) this.#sinceMs = Math.max(this.#sinceMs, performance.now() - BURST_MS);
    this.#serve();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  setRate(bytesPerSec: number | null): void {
    this.#count();
    this.bytesPerSec = bytesPerSec;
    this.#serve();
  }

  /** What has not been waited for is nobody's. */
  #leave(taker: Taker): void {
    this.#count();
    const index = this.#takers.indexOf(taker);
    if (index >= 0) this.#takers.splice(index, 1);
    this.#serve();
  }

  /** Counts the time since the last look as bytes of the first taker. */
  #count(): void {
    const nowMs = performance.now();
    const [first] = this.#takers;
    if (!first || this.bytesPerSec === null) return;
    first.leftBytes -= ((nowMs - this.#sinceMs) / 1000) * this.bytesPerSec;
    this.#sinceMs = nowMs;
  }

  /** Lets pass whoever has waited long enough, and wakes up for the next. */
  #serve(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (let first = this.#takers[0]; first; first = this.#takers[0]) {
      const waitMs = this.bytesPerSec === null ? 0 : (first.leftBytes / this.bytesPerSec) * 1000;
      const endMs = this.#sinceMs + waitMs;
      const nowMs = performance.now();
      if (endMs > nowMs) {
        this.#timer = setTimeout(() => this.#serve(), endMs - nowMs);
        return;
      }
      this.#sinceMs = this.bytesPerSec === null ? nowMs : Math.max(endMs, nowMs - BURST_MS);
      this.#takers.shift();
      first.pass();
    }
  }
}

function requestBytesAt(bytesPerSec: number): number {
  const idealBytes = Math.round((bytesPerSec * REQUEST_MS) / 1000);
  return Math.min(LARGEST_REQUEST_BYTES, Math.max(SMALLEST_REQUEST_BYTES, idealBytes));
}
