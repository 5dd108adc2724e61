// The history of downloads: installs line by line, and what came from where as a picture made of characters.

import type {
  HistoryClearResult,
  HistoryDay,
  HistoryResult,
  PastInstall,
  TransferRecord,
  UsageHistoryResult,
} from "../domain/history.ts";
import { formatBytes, formatDuration, formatRate } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { alignRows, fitMiddle, widthOf } from "./layout.ts";
import { plural, type Rendered, rendered } from "./rendered.ts";
import type { Style } from "./style.ts";

const SHORTEST_NAME = 10;
const GAP_WIDTH = 2;
/** Lowest to highest; nothing at all is a space. */
const LEVELS = { unicode: "▁▂▃▄▅▆▇█", ascii: ".:-=+*#@" } as const;

/** One line for each install, and one below it for the rest; one for each file where a model was named. */
export function renderHistory({ installs, name, keepsHistory }: HistoryResult, style: Style): Rendered {
  const off = keepsHistory ? [] : ["`history` is off in the settings: nothing is remembered any more"];
  if (installs.length === 0) {
    const what = name === null ? "Nothing is remembered yet" : `Nothing is remembered of ${escapeText(name)}`;
    return rendered({ summary: [what, ...off] });
  }
  const rest = installs.map((install) => [
    formatBytes(install.fetchedBytes),
    install.fetchedBytes === 0 ? "" : formatRate(install.meanBytesPerSec),
    install.outcome,
  ]);
  const times = installs.map(({ at }) => localTime(at));
  const taken = Math.max(...alignRows(rest).map(widthOf)) + Math.max(...times.map(widthOf)) + 2 * GAP_WIDTH;
  const nameWidth = Math.max(SHORTEST_NAME, style.columns - 1 - taken);
  const rows = installs.map((install, index) => [
    times[index] ?? "",
    fitMiddle(escapeText(install.model), nameWidth),
    ...(rest[index] ?? []),
  ]);
  const lines = alignRows(rows, { right: [2, 3] });
  const data = installs.flatMap((install, index) => [
    lines[index] ?? "",
    `  ${style.paint.dim(notesOf(install).join(", "))}`,
    ...fileLines(install.transfers, style),
  ]);
  return rendered({ data, summary: off });
}

function notesOf(install: PastInstall): string[] {
  const { source, elapsedMs, fetchedBytes, peakBytesPerSec, retries, how, transferCount, error } = install;
  return [
    error ?? "",
    escapeText(source),
    formatDuration(elapsedMs),
    fetchedBytes === 0 ? "" : `peak ${formatRate(peakBytesPerSec)}`,
    transferCount <= 1 ? "" : plural(transferCount, "file"),
    retries === 0 ? "" : retries === 1 ? "1 retry" : `${retries} retries`,
    how === "repaired" ? how : "",
  ].filter((note) => note !== "");
}

function fileLines(transfers: readonly TransferRecord[], { columns }: Style): string[] {
  const rest = transfers.map(({ fetchedBytes, meanBytesPerSec, outcome, how }) => [
    formatBytes(fetchedBytes),
    formatRate(meanBytesPerSec),
    how ?? outcome,
  ]);
  const taken = Math.max(0, ...alignRows(rest).map(widthOf)) + 2 * GAP_WIDTH;
  const nameWidth = Math.max(SHORTEST_NAME, columns - 1 - taken);
  const rows = transfers.map(({ file }, index) => [
    fitMiddle(escapeText(file), nameWidth),
    ...(rest[index] ?? []),
  ]);
  return alignRows(rows, { right: [1, 2], indent: "  " });
}

export function renderHistoryClear({ installs, executed }: HistoryClearResult): Rendered {
  if (installs === 0) return rendered({ summary: ["There was nothing to forget"] });
  const count = plural(installs, "install");
  return rendered({
    summary: [executed ? `Forgot the history of ${count}` : `Nothing was forgotten: ${count}`],
  });
}

/** A line for each source with its days as a picture, then day by day. */
export function renderUsageHistory({ days, entries }: UsageHistoryResult, style: Style): Rendered {
  if (entries.length === 0)
    return rendered({ summary: [`Nothing was downloaded in the last ${days.length} days`] });
  const bySource = Map.groupBy(entries, ({ source }) => source);
  const sources = [...bySource]
    .map(([source, own]) => ({
      source,
      own,
      totalBytes: own.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0),
    }))
    .toSorted((one, other) => other.totalBytes - one.totalBytes);
  const lines = sources.flatMap(({ source, own, totalBytes }) => [
    `${style.paint.bold(escapeText(source))}  ${formatBytes(totalBytes)} in ${days.length} days`,
    `  ${sparkline(seriesOf(days, own), style.ascii === true)}`,
  ]);
  const rows = entries.map(({ day, source, fetchedBytes, installs }) => [
    day,
    formatBytes(fetchedBytes),
    plural(installs, "install"),
    escapeText(source),
  ]);
  return rendered({ data: [...lines, ...alignRows(rows, { right: [1] })] });
}

function seriesOf(days: readonly string[], own: readonly HistoryDay[]): number[] {
  const byDay = new Map(own.map(({ day, fetchedBytes }) => [day, fetchedBytes]));
  return days.map((day) => byDay.get(day) ?? 0);
}

/** Numbers as one line of characters, the largest the highest; nothing is a dash or a space. */
export function sparkline(values: readonly number[], ascii: boolean): string {
  const levels = ascii ? LEVELS.ascii : LEVELS.unicode;
  const most = Math.max(...values);
  return values
    .map((value) =>
      value <= 0 ? "_" : levels[Math.min(levels.length - 1, Math.floor((value / most) * levels.length))],
    )
    .join("");
}

/** 11-21 16:20, by the local clock: nothing older than a year is kept. */
function localTime(at: string): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
