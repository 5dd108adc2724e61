// For programs: every event is one line of JSON on standard output, the last one is `result`.
// Standard error carries one thing only: the error object, as its last line.

import { jsonLine } from "../domain/text.ts";
import type { Face } from "./face-types.ts";
import type { Output } from "./output.ts";

/** Prints events and errors as JSON lines. */
export function createNdjson(streams: {
  readonly stdout: Output;
  readonly stderr: Output;
}): Pick<Face, "emit" | "error"> {
  return {
    emit: (event) => streams.stdout.write(`${jsonLine(event)}\n`),
    error: (report, stack) =>
      streams.stderr.write(`${jsonLine(stack === undefined ? report : { ...report, stack })}\n`),
  };
}
