// What was seen a moment ago and need not be looked at again: many small files ask the same of the same folders.

import type { Files } from "../platform/files.ts";

/** What was seen of a folder is believed this long: a run lasts hours, and others remove folders or put links there. */
const BELIEVED_MS = 1_000;

interface Look<T> {
  readonly seen: Promise<T>;
  /** By the clock, before it began. */
  readonly sinceMs: number;
}

/** Acts on folders, each of them again only after a while. */
export class Lately {
  readonly #looks = new Map<string, Look<void>>();
  readonly #now: () => number;

  /** `now` is a clock in milliseconds. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** Acts unless that was done, or begun, for this folder just now. Rejects as the act does; then it is not done. */
  async once(folder: string, act: () => Promise<void>): Promise<void> {
    const known = this.#looks.get(folder);
    if (known && this.#now() - known.sinceMs < BELIEVED_MS) return known.seen;
    const look = { sinceMs: this.#now(), seen: act() };
    this.#looks.set(folder, look);
    await look.seen.catch((error: unknown) => {
      this.#looks.delete(folder);
      throw error;
    });
  }

  /** Nothing is believed any more. */
  clear(): void {
    this.#looks.clear();
  }
}

/** The names in one folder, for many who ask at the same time. */
export class SharedListing {
  readonly #files: Files;
  readonly #folder: string;
  readonly #now: () => number;
  #last: Look<readonly string[]> | null = null;
  #running: Promise<unknown> | null = null;
  #next: Promise<readonly string[]> | null = null;

  /** `now` is a clock in milliseconds. */
  constructor(files: Files, folder: string, now = (): number => performance.now()) {
    this.#files = files;
    this.#folder = folder;
    this.#now = now;
  }

  /** The names as they were a moment ago. */
  async recent(): Promise<readonly string[]> {
    const last = this.#last;
    return last && this.#now() - last.sinceMs < BELIEVED_MS ? last.seen : this.now();
  }

  /** The names as they are now, or later: whoever asks while they are read waits for the next reading. */
  now(): Promise<readonly string[]> {
    if (!this.#running) return this.#read();
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      return this.#read();
    });
    return this.#next;
  }

  #read(): Promise<readonly string[]> {
    const look = { sinceMs: this.#now(), seen: this.#files.list(this.#folder) };
    const running: Promise<unknown> = look.seen
      .catch(() => {
        // A failed look tells nothing: whoever comes looks for himself.
        if (this.#last === look) this.#last = null;
      })
      .finally(() => {
        if (this.#running === running) this.#running = null;
      });
    this.#last = look;
    this.#running = running;
    return look.seen;
  }
}
