// What the front door knows of a face: how to make one, and what it can be told.

import type { ErrorReport } from "../domain/errors.ts";
import type { LuciEvent } from "../domain/events.ts";
import type { CleanupItem } from "../domain/results.ts";
import type { createBars } from "./bars.ts";
import type { OutputStream } from "./output.ts";

export interface FaceOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Where answers come from; the process's own by default. */
  readonly stdin?: NodeJS.ReadableStream;
  /** NDJSON on standard output instead of words. */
  readonly json: boolean;
  /** Errors and data only. */
  readonly quiet: boolean;
  /** Colour is allowed. Data is coloured only where standard output is a terminal, too. */
  readonly color: boolean;
  /** Standard error is a terminal that may be redrawn (and this is no CI). */
  readonly isTTY: boolean;
  /** Draws progress on a terminal; without it, it is told in lines. To load it takes long: only who needs it does. */
  readonly createBars?: typeof createBars;
  /** Only ASCII can be shown: pictures made of characters are drawn with that. */
  readonly ascii?: boolean;
  /** Width where a stream does not know its own. */
  readonly columns: number;
  /** Called once when the reader of standard output has gone (`luci … | head`): time for a quiet end. */
  readonly onReaderGone?: () => void;
}

export interface AskOptions {
  /** A cleanup's plan, printed as data before the question; the result then does not repeat it. */
  readonly items?: readonly CleanupItem[];
  /** An abort answers no. */
  readonly signal?: AbortSignal;
}

export interface Face {
  /** Takes the next event; never throws, never waits. */
  emit(event: LuciEvent): void;
  /** Says an error; one that a result or an interrupt has told already is not told twice. The stack is shown for bugs. */
  error(report: ErrorReport, stack?: string): void;
  /** Asks yes or no, on standard error; without a terminal the answer is no. */
  ask(question: string, options?: AskOptions): Promise<boolean>;
  /**
   * Gives the terminal back and waits until all output has left the process.
   * @throws LuciError E_IO, already told, when standard output could not be written
   */
  close(): Promise<void>;
}
