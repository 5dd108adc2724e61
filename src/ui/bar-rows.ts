// The picture that bars draw: progress → lines of text. Pure, so that any width can be looked at in a test.

import { type FileProgress, isSettled } from "../domain/file-progress.ts";
import type { ProgressState } from "../domain/progress.ts";
import { formatBytes, formatRate, formatRemaining } from "../domain/size.ts";
import { fitMiddle, padLeft, padRight, widthOf } from "./layout.ts";
import { labelOf, percentOf } from "./sentences.ts";
import { type Paint, SYMBOLS } from "./style.ts";

export interface Picture {
  readonly columns: number;
  /** Lines there is room for. */
  readonly rows: number;
  readonly paint: Paint;
}

/** One line before it is laid out. */
interface Row {
  readonly name: string;
  readonly reachedBytes: number;
  readonly sizeBytes: number | null;
  /** Speed, or a word where there is none. */
  readonly pace: string;
  readonly left: string;
  /** Waits for something: painted as such. */
  readonly waits: boolean;
}

interface Widths {
  readonly name: number;
  /** 0 where there is no room for it. */
  readonly bar: number;
  readonly bytes: number;
}

const PERCENT_WIDTH = 4;
const BYTES_WIDTH = 7;
const LONG_BYTES_WIDTH = 18;
const PACE_WIDTH = 9;
const LEFT_WIDTH = 7;
const MINUTE_MS = 60_000;
const LONGEST_NAME = 44;
/** Of what names and bars have together; names tell more. */
const NAME_SHARE = 0.68;
const LONGEST_BAR = 30;
/** From this width on there is a bar; from the next on, sizes are shown beside the bytes. */
const BAR_COLUMNS = 55;
const WIDE_COLUMNS = 95;

/** The lines of all files under way and, for several files, one for all together; none when nothing is. */
export function barRows(state: ProgressState, { columns, rows, paint }: Picture): string[] {
  const active = [...state.files.values()].filter((file) => !isSettled(file));
  if (active.length === 0 || rows < 1) return [];
  const overall = overallRow(state);
  const room = rows - (overall === null ? 0 : 1);
  const shown = active.length > room ? active.slice(0, Math.max(0, room - 1)) : active;
  const drawn = [...shown.map((file) => fileRow(file, state)), ...(overall === null ? [] : [overall])];
  const widths = widthsFor(drawn, columns);
  const lines = drawn.map((row) => layOut(row, widths, paint));
  if (shown.length < active.length && room > 0) {
    lines.splice(shown.length, 0, paint.dim(`and ${active.length - shown.length} more files`));
  }
  return lines;
}

function fileRow(file: FileProgress, state: ProgressState): Row {
  const isPaused = state.models.get(file.model)?.job?.isPaused ?? false;
  const { pace, waits } = isPaused ? { pace: "paused", waits: true } : paceOf(file, state);
  return {
    name: labelOf(file, state),
    reachedBytes: file.state === "verifying" ? file.hashedBytes : file.doneBytes,
    sizeBytes: file.sizeBytes,
    pace,
    left: waits || file.etaMs === null ? "" : formatRemaining(file.etaMs),
    waits,
  };
}

function paceOf(file: FileProgress, { atMs, pausedFor }: ProgressState): { pace: string; waits: boolean } {
  if (pausedFor !== null && file.state !== "verifying") return { pace: "paused", waits: true };
  if (file.state === "retrying" && file.retry !== null) {
    return { pace: `retry ${file.retry.attempt} ${moment(file.retry.untilMs - atMs)}`, waits: true };
  }
  if (file.state !== "downloading") return { pace: file.state, waits: false };
  return { pace: file.bytesPerSec > 0 ? formatRate(file.bytesPerSec) : "", waits: false };
}

/** Long waits are told in minutes: seconds would not fit. */
function moment(waitMs: number): string {
  if (waitMs <= 0) return "now";
  return `in ${formatRemaining(waitMs > MINUTE_MS ? Math.ceil(waitMs / MINUTE_MS) * MINUTE_MS : waitMs)}`;
}

function overallRow({ overall, models, pausedFor }: ProgressState): Row | null {
  const files = [...models.values()].reduce((sum, model) => sum + model.files, 0);
  if (files < 2 && overall.totalModels < 2) return null;
  const several = overall.totalModels > 1;
  return {
    name: several ? `${overall.doneModels} of ${overall.totalModels} models` : `all ${files} files`,
    reachedBytes: overall.doneBytes,
    sizeBytes: overall.totalBytes,
    pace: pausedFor !== null ? "paused" : overall.bytesPerSec > 0 ? formatRate(overall.bytesPerSec) : "",
    left: pausedFor !== null || overall.etaMs === null ? "" : formatRemaining(overall.etaMs),
    waits: pausedFor !== null,
  };
}

/** Shares a width out: numbers have theirs, names get what they need, the bar takes the rest. */
function widthsFor(rows: readonly Row[], columns: number): Widths {
  // A line that fills the terminal wraps on some of them.
  const usable = columns - 1;
  const longest = Math.min(LONGEST_NAME, Math.max(...rows.map((row) => widthOf(row.name))));
  const numbers = PERCENT_WIDTH + 2 + PACE_WIDTH + 1 + LEFT_WIDTH;
  if (usable < BAR_COLUMNS)
    return { name: Math.max(1, Math.min(longest, usable - numbers - 2)), bar: 0, bytes: 0 };
  const bytes = usable >= WIDE_COLUMNS ? LONG_BYTES_WIDTH : BYTES_WIDTH;
  const rest = usable - numbers - bytes - 6;
  const name = Math.min(longest, Math.floor(rest * NAME_SHARE));
  return { name, bar: Math.min(LONGEST_BAR, rest - name), bytes };
}

function layOut(row: Row, widths: Widths, paint: Paint): string {
  const { reachedBytes, sizeBytes } = row;
  const percent = sizeBytes === null ? "" : percentOf(reachedBytes, sizeBytes);
  const cells = [padRight(shorten(row.name, widths.name), widths.name)];
  if (widths.bar > 0) cells.push(drawBar(row, widths.bar, paint));
  cells.push(padLeft(percent, PERCENT_WIDTH));
  if (widths.bytes > 0) cells.push(padLeft(bytesOf(row, widths.bytes), widths.bytes));
  const line = cells.join("  ");
  if (row.left === "") return `${line}  ${row.waits ? paint.yellow(row.pace) : row.pace}`.trimEnd();
  return `${line}  ${padLeft(row.pace, PACE_WIDTH)} ${paint.dim(padLeft(row.left, LEFT_WIDTH))}`;
}

/** Where a name has to be cut, the extension goes first: it tells the least. */
function shorten(name: string, width: number): string {
  return widthOf(name) <= width ? name : fitMiddle(name.replace(/\.(gguf|safetensors)$/, ""), width);
}

function bytesOf({ reachedBytes, sizeBytes }: Row, width: number): string {
  const reached = formatBytes(reachedBytes);
  return width === LONG_BYTES_WIDTH && sizeBytes !== null
    ? `${reached} of ${formatBytes(sizeBytes)}`
    : reached;
}

function drawBar({ reachedBytes, sizeBytes }: Row, width: number, paint: Paint): string {
  const share = sizeBytes === null || sizeBytes === 0 ? 0 : Math.min(1, reachedBytes / sizeBytes);
  const filled = Math.floor(share * width);
  return paint.cyan(SYMBOLS.bar.repeat(filled)) + paint.dim(SYMBOLS.rest.repeat(width - filled));
}
