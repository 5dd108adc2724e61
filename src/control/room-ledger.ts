// Who of a daemon is going to write how much to the disk: downloads and repairs alike. Knows no disk; whoever looks
// for room asks here what of it is taken already.

import type { SharedRoom } from "../app/context.ts";
import type { Job } from "../domain/job.ts";

/** One run's share; its room counts for the others until it is closed. */
export interface RoomAccount extends SharedRoom {
  close(): void;
}

export class RoomLedger {
  readonly #coming = new Map<RoomAccount, () => number>();
  readonly #waiting: (() => void)[] = [];

  /** Opens an account for a run. @param jobs its jobs at any moment: none before its plan is known */
  open(jobs: () => readonly Job[]): RoomAccount {
    let takenBytes = 0;
    const account: RoomAccount = {
      othersBytes: () => this.#othersBytes(account),
      take: (bytes) => {
        takenBytes = bytes;
      },
      close: () => {
        // Who took nothing frees nothing: two that wait for room must not wake each other for ever.
        if (this.#coming.delete(account) && takenBytes > 0) for (const tell of this.#waiting) tell();
      },
    };
    this.#coming.set(account, () => comingBytes(jobs(), takenBytes));
    return account;
  }

  /** Tells whenever somebody is done with the room it took. */
  onFreed(tell: () => void): void {
    this.#waiting.push(tell);
  }

  #othersBytes(self: RoomAccount): number {
    const others = [...this.#coming].filter(([account]) => account !== self);
    return others.reduce((sum, [, coming]) => sum + coming(), 0);
  }
}

/** Bytes that a run is still to write: as it took room for them, later as far as it is. */
function comingBytes(jobs: readonly Job[], takenBytes: number): number {
  if (jobs.length === 0 || jobs.some(({ totalBytes }) => totalBytes === null)) return takenBytes;
  return jobs.reduce((sum, { totalBytes, doneBytes }) => sum + Math.max(0, (totalBytes ?? 0) - doneBytes), 0);
}
