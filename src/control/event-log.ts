// The last events of a run, numbered, in a ring: what a client that comes late or lags can still be told.

import type { LuciEvent } from "../domain/events.ts";
import { fileKey } from "../domain/progress.ts";

const CAPACITY = 1_000;

/** What is new to a client. */
export interface News {
  /** Lasting events, oldest first. */
  readonly events: readonly LuciEvent[];
  /** Events it has missed for good: it should ask for the whole picture. */
  readonly isGap: boolean;
}

/** Lasting events in a ring; of progress only the latest of each file. Memory stays bounded by both. */
export class EventLog {
  readonly #ring: LuciEvent[] = [];
  readonly #progress = new Map<string, LuciEvent>();
  readonly #listeners = new Set<() => void>();
  /** The number of the last event that has left the ring. */
  #forgottenSeq: number;
  #lastSeq: number;

  /** @param options.startSeq what the first event comes after: a daemon goes on where its last life cannot have been */
  constructor({ startSeq }: { readonly startSeq: number } = { startSeq: 0 }) {
    this.#forgottenSeq = startSeq;
    this.#lastSeq = startSeq;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  add(event: LuciEvent): void {
    this.#lastSeq = event.seq;
    if (event.type === "file.progress") this.#progress.set(fileKey(event), event);
    else {
      if ("file" in event && event.type !== "file.verifying") this.#progress.delete(fileKey(event));
      this.#ring.push(event);
      if (this.#ring.length > CAPACITY) this.#forgottenSeq = this.#ring.shift()?.seq ?? 0;
    }
    for (const listener of this.#listeners) listener();
  }

  /** What came after an event, at most so many of them. */
  after(seq: number, most: number): News {
    const start = this.#ring.findIndex((event) => event.seq > seq);
    const events = start < 0 ? [] : this.#ring.slice(start, start + most);
    return { events, isGap: seq < this.#forgottenSeq || seq > this.#lastSeq };
  }

  /** The latest progress of every file under way, where it is newer than an event. */
  progressAfter(seq: number): LuciEvent[] {
    return [...this.#progress.values()].filter((event) => event.seq > seq);
  }

  /** Calls back after every event; returns how to stop that. */
  onEvent(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
