// Tells a stalled connection from a slow one, from a busy luci and from a suspended machine.
// Only time spent waiting for the network counts.

import { LuciError } from "../domain/errors.ts";
import { type Peer, networkError, peerName } from "./http-network-errors.ts";

/** Below this rate, over twice the stall time, a connection counts as stalled too. */
const SLOWEST_BYTES_PER_SEC = 1_024;
const LONGEST_TICK_MS = 1_000;

export interface WatchdogOptions {
  /** The user's interrupt. */
  readonly signal: AbortSignal;
  /** No byte for this long is a stall. */
  readonly stallMs: number;
  /** Shown in errors: whom we are waiting for at first. */
  readonly peer: Peer;
  /** Upper bound of the whole exchange; absent for bodies. */
  readonly limitMs?: number;
}

export interface Watchdog {
  /** Aborts on a stall and when the user's signal does. */
  readonly signal: AbortSignal;
  /**
   * Waits for the network, on the clock.
   * @throws the user signal's reason, LuciError E_STALLED, E_NETWORK, E_TLS, E_PROXY, E_SERVER
   */
  wait<Value>(pending: Promise<Value>): Promise<Value>;
  /** Says whom we are waiting for from now on. */
  face(peer: Peer): void;
  /** Says that bytes arrived. */
  moved(bytes: number): void;
  /** Stops watching. Safe to call twice. */
  close(): void;
}

/** Starts watching one exchange. Whoever creates a watchdog closes it. */
export function createWatchdog({ signal, stallMs, limitMs, ...options }: WatchdogOptions): Watchdog {
  let { peer } = options;
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal.reason);
  const stall = (message: string): void => controller.abort(new LuciError("E_STALLED", message));
  const clock = createStallClock(stallMs, (what, forMs) =>
    stall(`${what} from ${peerName(peer)} for ${seconds(forMs)}`),
  );
  const limit =
    limitMs === undefined
      ? undefined
      : setTimeout(
          () => stall(`No complete answer from ${peerName(peer)} within ${seconds(limitMs)}`),
          limitMs,
        );
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });

  return {
    signal: controller.signal,
    moved: clock.moved,
    face: (next) => {
      peer = next;
    },
    async wait(pending) {
      clock.run();
      try {
        const value = await pending;
        // Headers are a sign of life too.
        clock.moved(0);
        return value;
      } catch (thrown) {
        throw controller.signal.aborted ? controller.signal.reason : networkError(thrown, peer);
      } finally {
        clock.pause();
      }
    },
    close() {
      clock.close();
      clearTimeout(limit);
      signal.removeEventListener("abort", stop);
    },
  };
}

interface StallClock {
  run(): void;
  pause(): void;
  moved(bytes: number): void;
  close(): void;
}

function createStallClock(stallMs: number, onStall: (what: string, forMs: number) => void): StallClock {
  const tickMs = Math.min(LONGEST_TICK_MS, Math.max(10, stallMs / 10));
  let countedUntilMs = performance.now();
  let isRunning = false;
  let idleMs = 0;
  let windowMs = 0;
  let windowBytes = 0;

  const count = (nowMs: number): void => {
    if (isRunning) {
      // Looked at late, this process did not run meanwhile: the network had no chance to be heard.
      const passedMs = Math.min(nowMs - countedUntilMs, 2 * tickMs);
      idleMs += passedMs;
      windowMs += passedMs;
    }
    countedUntilMs = nowMs;
  };
  const tick = (): void => {
    count(performance.now());
    if (idleMs >= stallMs) return onStall("No data", stallMs);
    if (windowMs < 2 * stallMs) return;
    if (windowBytes < (SLOWEST_BYTES_PER_SEC * windowMs) / 1_000)
      return onStall("Hardly any data", 2 * stallMs);
    windowMs = 0;
    windowBytes = 0;
  };
  const timer = setInterval(tick, tickMs);
  // An answer nobody reads must not keep the process alive.
  timer.unref();

  return {
    run() {
      count(performance.now());
      isRunning = true;
    },
    pause() {
      count(performance.now());
      isRunning = false;
    },
    moved(bytes) {
      idleMs = 0;
      windowBytes += bytes;
    },
    close: () => clearInterval(timer),
  };
}

function seconds(milliseconds: number): string {
  return milliseconds < 1_000 ? `${milliseconds} ms` : `${Math.round(milliseconds / 1_000)} s`;
}
