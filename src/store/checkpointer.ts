// When to make a partial durable: by bytes, by time, and never with too much at risk.

import { type LuciError, toLuciError } from "../domain/errors.ts";

/** A checkpoint starts when this much is written and not yet durable … */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;
/** … or this long after the first such byte. */
const CHECKPOINT_MS = 5_000;
/** Writers wait beyond this, so that what a kill can lose stays under 64 MiB with what is in flight. */
const UNSAFE_BYTES = 48 * 1024 * 1024;

/** Counts bytes at risk and calls `save` (fdatasync, then the journal) in time, one at a time. */
export class Checkpointer {
  readonly #save: () => Promise<void>;
  #writtenBytes = 0;
  #inFlightBytes = 0;
  #running: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failure: LuciError | null = null;
  #stopped = false;

  constructor(save: () => Promise<void>) {
    this.#save = save;
  }

  /** Runs one write and counts it; waits first while too much is at risk. @throws what an earlier checkpoint failed with */
  async during(sizeBytes: number, write: () => Promise<void>): Promise<void> {
    while (this.#writtenBytes > 0 && this.#writtenBytes + this.#inFlightBytes + sizeBytes > UNSAFE_BYTES)
      await this.now();
    if (this.#failure) throw this.#failure;
    this.#stopped = false;
    this.#inFlightBytes += sizeBytes;
    try {
      await write();
      this.#writtenBytes += sizeBytes;
    } finally {
      this.#inFlightBytes -= sizeBytes;
    }
    this.#plan();
  }

  /** Makes a checkpoint, or waits for the one that is being made. */
  async now(): Promise<void> {
    this.#running ??= this.#once();
    await this.#running;
  }

  /** Makes checkpoints until everything written is in one: a running one may have begun too early. */
  async all(): Promise<void> {
    while (this.#writtenBytes > 0) await this.now();
  }

  /** Ends the timer and waits for a running checkpoint, however it ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopTimer();
    await this.#running?.catch(() => undefined);
  }

  /** Forgets what was at risk: it was dropped. */
  reset(): void {
    this.#stopTimer();
    this.#writtenBytes = 0;
  }

  async #once(): Promise<void> {
    this.#stopTimer();
    const savedBytes = this.#writtenBytes;
    try {
      await this.#save();
    } finally {
      this.#running = null;
    }
    this.#writtenBytes = Math.max(0, this.#writtenBytes - savedBytes);
    // What was written meanwhile may be the last: no later write would see to it.
    this.#plan();
  }

  /** Sees to it that what is at risk gets its checkpoint. */
  #plan(): void {
    if (this.#stopped || this.#writtenBytes === 0) return;
    if (this.#writtenBytes >= CHECKPOINT_BYTES) return this.#soon();
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#soon();
    }, CHECKPOINT_MS);
  }

  #soon(): void {
    this.now().catch((error: unknown) => {
      this.#failure = toLuciError(error);
    });
  }

  #stopTimer(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
