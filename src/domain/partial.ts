// The seam between the room that moves bytes (transfer) and the room that keeps them (store).

import type { Validator } from "./plan.ts";
import type { Range } from "./range.ts";

/**
 * What an answer says of the bytes that are there: they belong to its version, to another one, or nothing tells
 * because the server gives no strong ETag.
 */
export type Verdict = "same" | "other" | "unprovable";

/** An unfinished file as the transfer sees it. Implementations keep the journal and the hash to themselves. */
export interface Partial {
  /** Total size, null until a server said it. */
  readonly sizeBytes: number | null;
  /** Bytes that are written, durable or not. */
  readonly doneBytes: number;
  /** Bytes the hash has passed, for progress. */
  readonly hashedBytes: number;
  /** The strong ETag of the version the bytes belong to, where nothing better tells versions apart; else null. */
  readonly etag: string | null;
  /** What is still to be fetched, sorted. Grows again when a piece turns out bad on disk. */
  missing(): Range[];
  /**
   * Writes chunks one after the other from an offset, and waits while too much is not yet durable.
   * @throws LuciError E_NO_SPACE, E_IO, E_PERMISSION
   */
  write(offsetBytes: number, chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Holds the partial against what a server says of the file's version. Anything but "same": what is written
   * so far cannot be continued, `restart` before writing more.
   * @throws LuciError E_CHANGED, E_SIZE when the version is not the one that was asked for
   */
  pin(validator: Validator): Verdict;
  /** Drops every byte: the source cannot continue, the file begins again. */
  restart(reason: string): Promise<void>;
  /** The file is whole at this size: for sources that do not announce one. */
  end(sizeBytes: number): void;
  /** Makes all that is written durable. @throws LuciError E_NO_SPACE, E_IO, E_PERMISSION */
  checkpoint(): Promise<void>;
  /**
   * Waits until the hash has read all that is written and reports pieces that must be fetched again
   * by adding them to `missing()`. Resolves at once when something is missing already.
   */
  settle(signal: AbortSignal): Promise<void>;
}
