// A stream written completely: every write is remembered until the operating system has taken it.
// A reader that goes away (`luci list | head`) is a quiet end, a full disk is not.

import { LuciError } from "../domain/errors.ts";

/** What luci needs of standard output and standard error. */
export type OutputStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

export interface Output {
  /** Writes in the order of the calls; does nothing once the reader has gone. */
  readonly write: (text: string) => void;
  /**
   * Resolves when everything written has left the process, or its reader has.
   * @throws LuciError E_IO when it could not be written
   */
  flush(): Promise<void>;
}

/** Wraps a stream; `onGone` is called once when its reader goes away. */
export function createOutput(stream: OutputStream, onGone: () => void = () => {}): Output {
  let failure: NodeJS.ErrnoException | null = null;
  let lastWrite: Promise<void> = Promise.resolve();
  const fail = (error: NodeJS.ErrnoException) => {
    if (failure !== null) return;
    failure = error;
    if (isReaderGone(error)) onGone();
  };
  stream.on("error", fail);
  return {
    write(text) {
      if (failure !== null) return;
      lastWrite = new Promise((resolve) => {
        stream.write(text, (error) => {
          if (error) fail(error);
          resolve();
        });
      });
    },
    async flush() {
      await lastWrite;
      if (failure === null || isReaderGone(failure)) return;
      const isFull = failure.code === "ENOSPC";
      throw new LuciError(
        "E_IO",
        `Could not write the output: ${isFull ? "standard output is full" : failure.message}`,
        { cause: failure, ...(isFull ? { hint: "Send it to another place, or free some space there" } : {}) },
      );
    },
  };
}

function isReaderGone(error: NodeJS.ErrnoException): boolean {
  return ["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED"].includes(error.code ?? "");
}
