// What happened at a hub: one entry per request, in order of arrival, with the bytes that really went out.

import type { HubRequest } from "./hub-request.ts";

/** One request. `bytesServed` grows while the body is written. */
export interface HubLogEntry {
  readonly origin: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  /** The Range header, as sent. */
  readonly range: string | null;
  readonly status: number;
  /** Body bytes handed to the socket, not bytes meant to be sent. */
  readonly bytesServed: number;
  /** The body was written to its end. */
  readonly isComplete: boolean;
  /** Headers worth asserting on; null where absent. */
  readonly headers: {
    readonly authorization: string | null;
    readonly ifRange: string | null;
    readonly userAgent: string | null;
    readonly acceptEncoding: string | null;
    readonly cookie: string | null;
  };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Which entries to count. */
export type LogFilter = (entry: HubLogEntry) => boolean;

interface Waiter {
  readonly bytes: number;
  readonly filter: LogFilter;
  readonly resolve: () => void;
}

export class HubLog {
  entries: Mutable<HubLogEntry>[] = [];
  #waiters: Waiter[] = [];

  /** Opens the entry of a request that just arrived. */
  open(request: HubRequest): Mutable<HubLogEntry> {
    const entry = {
      origin: request.origin,
      method: request.method,
      path: request.path,
      range: request.range,
      status: 0,
      bytesServed: 0,
      isComplete: false,
      headers: {
        authorization: request.header("authorization"),
        ifRange: request.header("if-range"),
        userAgent: request.header("user-agent"),
        acceptEncoding: request.header("accept-encoding"),
        cookie: request.header("cookie"),
      },
    };
    this.entries.push(entry);
    return entry;
  }

  /** Counts body bytes that were handed to the socket. */
  served(entry: Mutable<HubLogEntry>, bytes: number): void {
    entry.bytesServed += bytes;
    this.#waiters = this.#waiters.filter((waiter) => {
      const isReached = this.bytes(waiter.filter) >= waiter.bytes;
      if (isReached) waiter.resolve();
      return !isReached;
    });
  }

  /** Bytes served by all entries, or by those that pass. */
  bytes(filter: LogFilter = () => true): number {
    return this.entries.filter(filter).reduce((sum, entry) => sum + entry.bytesServed, 0);
  }

  /** Resolves once that many bytes were served; rejects with the signal's reason. */
  async whenServed(bytes: number, options: { filter?: LogFilter; signal: AbortSignal }): Promise<void> {
    const { filter = () => true, signal } = options;
    signal.throwIfAborted();
    if (this.bytes(filter) >= bytes) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ bytes, filter, resolve });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    await promise;
  }

  reset(): void {
    this.entries = [];
  }
}
