// Which speed limit holds now: that of the hour, or what somebody said by hand until the next boundary. Knows no
// limiter; the time comes from whoever asks.

import { type RateSlot, type RateTimetable, slotAt } from "../domain/rate-timetable.ts";

/** A limit, and who decides it. */
export interface RateChoice {
  readonly bytesPerSec: number | null;
  readonly by: "hand" | "timetable";
}

export interface RateScheduleOptions {
  readonly timetable: RateTimetable;
  /** What holds in its gaps; null for no limit. */
  readonly plainBytesPerSec: number | null;
  /** The wall clock: it may jump either way. */
  now(): Date;
}

/** Follows a timetable. Nothing is reckoned ahead: each look begins with the time of day, so that no jump matters. */
export class RateSchedule {
  readonly #options: RateScheduleOptions;
  #slot: RateSlot | null;
  #byHand: RateChoice | null = null;

  constructor(options: RateScheduleOptions) {
    this.#options = options;
    this.#slot = this.#slotNow();
  }

  /** What holds now. A word by hand counts until the hour belongs to another range, or to none. */
  look(): RateChoice {
    const slot = this.#slotNow();
    if (slot !== this.#slot) {
      this.#slot = slot;
      this.#byHand = null;
    }
    const bytesPerSec = slot ? slot.bytesPerSec : this.#options.plainBytesPerSec;
    return this.#byHand ?? { bytesPerSec, by: "timetable" };
  }

  /** Another limit until the next boundary. */
  override(bytesPerSec: number | null): void {
    this.look();
    this.#byHand = { bytesPerSec, by: "hand" };
  }

  /** Back to the timetable. */
  follow(): void {
    this.#byHand = null;
  }

  #slotNow(): RateSlot | null {
    return slotAt(this.#options.timetable, this.#options.now());
  }
}
