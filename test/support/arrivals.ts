// How much of a download has arrived, as the run that fetches it tells: what is still on its way when a connection is
// cut is lost with it, and how much that is nobody knows.

import type { LuciEventBody } from "../../src/domain/events.ts";
import { UNWRITTEN_BYTES } from "./hostile-row.ts";
import { until } from "./until.ts";

export interface Arrivals {
  /** For the run. */
  readonly onEvent: (event: LuciEventBody) => void;
  /** Resolves once so many bytes of the file are written, but what luci still holds of them. */
  of(sizeBytes: number): Promise<void>;
}

/** Watches the one file of a run. */
export function watchArrivals(): Arrivals {
  let doneBytes = 0;
  return {
    onEvent: (event) => {
      if (event.type === "file.progress") doneBytes = event.doneBytes;
    },
    of: (sizeBytes) =>
      until(`${sizeBytes} bytes to be written`, () => doneBytes > sizeBytes - UNWRITTEN_BYTES),
  };
}
