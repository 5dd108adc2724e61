// The lines at the foot of the terminal that belong to us, drawn through log-update on standard error.
// The cursor is hidden while there are any and always given back.

import { createLogUpdate } from "log-update";
import { widthOf } from "./layout.ts";
import type { OutputStream } from "./output.ts";

const CURSOR = { hide: "\u001B[?25l", show: "\u001B[?25h" } as const;

export interface CanvasOptions {
  readonly stream: OutputStream;
  readonly write: (text: string) => void;
  /** Width where the stream does not know its own. */
  readonly columns: number;
}

/** Lines that are drawn over themselves. */
export function createCanvas({ stream, write, columns: defaultWidth }: CanvasOptions) {
  // The cursor is hidden here because log-update's own way of doing so hooks every signal of the process.
  const log = createLogUpdate(stream, { showCursor: true, defaultWidth });
  let drawn: readonly string[] = [];
  let drawnColumns = 0;
  let hidden = false;
  // The cursor stands on the line below ours.
  const size = () => ({ columns: stream.columns || defaultWidth, rows: (stream.rows || 24) - 1 });
  const setHidden = (hide: boolean) => {
    if (hide === hidden) return;
    hidden = hide;
    write(hide ? CURSOR.hide : CURSOR.show);
    if (hide) process.once("exit", restore);
    else process.off("exit", restore);
  };
  const restore = () => setHidden(false);
  const clear = () => {
    const { columns } = size();
    if (drawn.length > 0 && columns < drawnColumns) {
      // A narrower terminal has folded our lines into more rows than log-update counts.
      const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
      write(`\u001B[${rows}A\r\u001B[J`);
      log.done();
    } else if (drawn.length > 0) {
      log.clear();
    }
    drawn = [];
  };
  return {
    size,
    clear,
    draw(lines: readonly string[]) {
      const { columns } = size();
      if (columns < drawnColumns) clear();
      setHidden(true);
      log(lines.join("\n"));
      drawn = lines;
      drawnColumns = columns;
    },
    close() {
      clear();
      setHidden(false);
    },
  };
}
