// Bars on a terminal: the picture of bar-rows below everything that stays, redrawn ten times a second at most.

import type { LuciEvent } from "../domain/events.ts";
import { fileKey, NO_PROGRESS, progressAt, type ProgressState } from "../domain/progress.ts";
import { barRows } from "./bar-rows.ts";
import { type CanvasOptions, createCanvas } from "./canvas.ts";
import type { Display } from "./display.ts";
import { fitName, wrapLine } from "./layout.ts";
import { labelOf, sentenceOf } from "./sentences.ts";
import { type Paint, SYMBOLS } from "./style.ts";

/** The symbol before a name, and the colon behind it. */
const SIGNS_WIDTH = 3;
const TICK_MS = 100;
/** Without news the picture still ages: speeds sink, waits count down. */
const AGING_MS = 1_000;

/** Time as the bars see it; a test brings its own. */
export interface Ticker {
  nowMs(): number;
  /** Calls back again and again until the returned function is called; keeps no process alive. */
  every(intervalMs: number, tick: () => void): () => void;
}

export interface BarsOptions extends CanvasOptions {
  readonly paint: Paint;
  readonly ticker?: Ticker;
}

const REAL_TIME: Ticker = {
  nowMs: () => performance.now(),
  every(intervalMs, tick) {
    const timer = setInterval(tick, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** Progress as bars that are redrawn in place. */
export function createBars(options: BarsOptions): Display {
  const { write, paint } = options;
  const scene = createScene(options);
  const say = (text: string) => {
    scene.clear();
    write(`${wrapped(text, scene.columns())}\n`);
    scene.draw();
  };
  return {
    show(event, state) {
      scene.look(state);
      const line = lastingLine(event, { state, paint, columns: scene.columns() });
      if (line !== null) say(line);
      if ("file" in event) scene.play();
    },
    say,
    table: scene.table,
    pause: () => scene.hide(true),
    resume: () => scene.hide(false),
    stop: () => scene.hide(true),
  };
}

/** The latest state, on the canvas at the right moments. */
function createScene({ paint, ticker = REAL_TIME, ...place }: BarsOptions) {
  const canvas = createCanvas(place);
  let state = NO_PROGRESS;
  let seenAtMs = 0;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let stale = false;
  let hidden = false;
  let stopTicking: (() => void) | null = null;

  const draw = () => {
    if (hidden) return;
    drawnAtMs = ticker.nowMs();
    stale = false;
    const lines = barRows(progressAt(state, state.atMs + drawnAtMs - seenAtMs), { ...canvas.size(), paint });
    if (lines.length > 0) canvas.draw(lines);
    else rest();
  };
  const rest = () => {
    stopTicking?.();
    stopTicking = null;
    canvas.close();
  };
  const tick = () => {
    if (stale || ticker.nowMs() - drawnAtMs >= AGING_MS) draw();
  };
  const hide = (hides: boolean) => {
    hidden = hides;
    if (hides) rest();
    else draw();
  };
  return {
    clear: canvas.clear,
    columns: () => canvas.size().columns,
    table: (lines: readonly string[]) => {
      if (!hidden) canvas.draw(lines.slice(0, canvas.size().rows));
    },
    draw,
    hide,
    look(next: ProgressState) {
      state = next;
      seenAtMs = ticker.nowMs();
      stale = true;
    },
    play() {
      if (!hidden) stopTicking ??= ticker.every(TICK_MS, tick);
    },
  };
}

function wrapped(text: string, columns: number): string {
  const lines = text.split("\n").flatMap((line) => wrapLine(line, columns));
  return lines.join("\n");
}

/** What is worth more than a moment on the screen. */
function lastingLine(
  event: LuciEvent,
  { state, paint, columns }: { state: ProgressState; paint: Paint; columns: number },
): string | null {
  if (!("file" in event)) return null;
  const file = state.files.get(fileKey(event));
  const sentence = file === undefined ? null : sentenceOf(event, { file, state });
  if (sentence === null) return null;
  const style = { columns, fits: true };
  const line = `${fitName(labelOf(event, state), { style, taken: SIGNS_WIDTH })}: ${sentence}`;
  if (event.type === "file.done") {
    const needless = event.how === "reused" || isOnlyFile(state);
    return needless ? null : `${paint.green(SYMBOLS.done)} ${line}`;
  }
  if (event.type === "file.failed") return `${paint.red(SYMBOLS.failed)} ${line}`;
  if (event.type === "file.cancelled") return `${paint.yellow(SYMBOLS.cancelled)} ${line}`;
  return event.type === "file.restarted" ? `${paint.yellow(SYMBOLS.again)} ${line}` : null;
}

/** Then the last word of the run says the same. */
function isOnlyFile({ models }: ProgressState): boolean {
  return models.size === 1 && [...models.values()].every((model) => model.files === 1);
}
