// What a file's transfers may cost beside the bytes that are kept of them: whoever lies, or sends the same again and
// again, draws no more than that. Counts; knows no request and no partial.

const MIB = 1024 * 1024;

/**
 * What a server has handed over of a body by the time it is given up unread, and what the kernels hold between the
 * two: 4 to 6 MiB, measured on Linux. On the network it is less, the half of it never leaves the server.
 */
export const UNREAD_BYTES = 4 * MIB;
/** Of a small file a retry or two costs more than the file. */
const SLACK_BYTES = UNREAD_BYTES;
/** Where nobody says a size, nothing can be continued: every retry begins again, so many are granted. */
const TIMES_OF_UNKNOWN = 3;

/** One for all that is fetched of a file, in a run or in all attempts of a job. Bytes that are kept are free. */
export class Allowance {
  readonly #sizeBytes: () => number | null;
  #keptBytes = 0;
  #mostKeptBytes = 0;
  #wastedBytes = 0;
  #hasBegunAgain = false;

  /** `sizeBytes` answers how large the file is, null while nobody has said it; `before` is of an attempt that ended. */
  constructor(sizeBytes: () => number | null, before: Allowance | null = null) {
    this.#sizeBytes = sizeBytes;
    if (!before) return;
    this.#keptBytes = before.#keptBytes;
    this.#mostKeptBytes = before.#mostKeptBytes;
    this.#wastedBytes = before.#wastedBytes;
    this.#hasBegunAgain = before.#hasBegunAgain;
  }

  /** Bytes that were missing are written. */
  kept(sizeBytes: number): void {
    this.#keptBytes += sizeBytes;
    this.#mostKeptBytes = Math.max(this.#mostKeptBytes, this.#keptBytes);
  }

  /** Bytes came that are of no use. */
  wasted(sizeBytes: number): void {
    this.#wastedBytes += sizeBytes;
  }

  /** Bytes came that may come once more: a transfer that can only begin again was not wanted for a while. */
  forgive(sizeBytes: number): void {
    this.#wastedBytes -= sizeBytes;
  }

  /**
   * The file is to begin again: what was kept of it in this run turns out to be of no use. Answers false where that is
   * too much; then nothing is counted, and the failure is to be the last. The first time it is judged, and counted,
   * alone: a whole file that is wrong is worth another try, however its server stumbled on the way.
   */
  beginAgain(): boolean {
    if (this.isSpent) return false;
    let wastedBytes = this.#wastedBytes + this.#keptBytes;
    if (!this.#hasBegunAgain) wastedBytes = Math.min(wastedBytes, this.#keptBytes);
    if (this.#isTooMuch(wastedBytes)) return false;
    this.#hasBegunAgain = true;
    this.#wastedBytes = wastedBytes;
    this.#keptBytes = 0;
    return true;
  }

  /** Whether as much as the whole file came for nothing. */
  get isSpent(): boolean {
    return this.#isTooMuch(this.#wastedBytes);
  }

  #isTooMuch(wastedBytes: number): boolean {
    return wastedBytes > SLACK_BYTES + (this.#sizeBytes() ?? TIMES_OF_UNKNOWN * this.#mostKeptBytes);
  }
}
