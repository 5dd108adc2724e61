// Where progress is shown to people while work goes on. Two shapes: bars on a terminal, lines everywhere else.

import type { LuciEvent } from "../domain/events.ts";
import type { ProgressState } from "../domain/progress.ts";

export interface Display {
  /** Takes note of an event and of the state it led to. */
  show(event: LuciEvent, state: ProgressState): void;
  /** Prints text that stays, one or more whole lines, never into what is drawn. */
  readonly say: (text: string) => void;
  /** Shows lines in the place of the last ones; null where nothing can be redrawn. */
  readonly table: ((lines: readonly string[]) => void) | null;
  /** Leaves the terminal to somebody else until `resume`. */
  pause(): void;
  resume(): void;
  /** Takes away whatever is drawn and gives the terminal back as it was. */
  stop(): void;
}

/** Shows no progress at all. */
export function createSilence(write: (text: string) => void): Display {
  return { show() {}, table: null, say: (text) => write(`${text}\n`), pause() {}, resume() {}, stop() {} };
}
