// Jobs of running processes: the table of `ps`, and what steering did to them.

import type { LuciEvent } from "../domain/events.ts";
import { type Job, PRIORITIES, isEnded, lacksRoom } from "../domain/job.ts";
import type { PsResult, SteerResult } from "../domain/results.ts";
import { formatBytes, formatRate, formatRemaining } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { alignRows, fitMiddle, widthOf, wrapLine } from "./layout.ts";
import { type Rendered, plural, rendered } from "./rendered.ts";
import { percentOf } from "./sentences.ts";
import type { Style } from "./style.ts";

/** Names are cut where a line would not fit, but not below this many cells. */
const SHORTEST_NAME = 10;
const GAP_WIDTH = 2;

export function renderPs({ jobs, silent, watched }: PsResult, style: Style): Rendered {
  // Who does not answer has been named: that is something, and nobody knows what.
  if (watched || (jobs.length === 0 && silent.length > 0)) return rendered({});
  if (jobs.length > 0) return rendered({ data: jobLines(jobs, style) });
  return rendered({
    summary: [
      "Nothing is running",
      `${style.paint.cyan("hint:")} \`luci install <name>\` starts a download; this shows it from any terminal`,
    ],
  });
}

/** The table that `--watch` keeps drawing. */
export function watchLines(jobs: readonly Job[], style: Style): string[] {
  return jobs.length > 0 ? jobLines(jobs, style) : ["Nothing is running"];
}

/** One line for each job, and one below it for what is out of the ordinary. */
function jobLines(jobs: readonly Job[], { paint, columns }: Style): string[] {
  const rest = jobs.map((job) => [
    escapeText(job.id),
    lacksRoom(job) ? "no room" : job.state,
    job.totalBytes === null ? formatBytes(job.doneBytes) : percentOf(job.doneBytes, job.totalBytes),
    job.bytesPerSec > 0 ? formatRate(job.bytesPerSec) : "",
    job.etaMs === null ? "" : formatRemaining(job.etaMs),
  ]);
  const taken = Math.max(...alignRows(rest, { right: [2, 3, 4] }).map(widthOf)) + GAP_WIDTH;
  const nameWidth = Math.max(SHORTEST_NAME, columns - 1 - taken);
  const rows = jobs.map((job, index) => [
    fitMiddle(escapeText(job.model), nameWidth),
    ...(rest[index] ?? []),
  ]);
  return alignRows(rows, { right: [3, 4, 5] }).flatMap((line, index) => {
    const notes = jobs[index] ? notesOf(jobs[index]) : [];
    if (notes.length === 0) return [line];
    const rows = wrapLine(notes.join(", "), columns - 1 - GAP_WIDTH);
    return [line, ...rows.map((row) => `  ${paint.dim(row)}`)];
  });
}

function notesOf(job: Job): string[] {
  const { state, files, doneFiles, priority, limitBytesPerSec, totalBytes, doneBytes, error } = job;
  if (state === "failed" && error) return [`${escapeText(error.message)} (${error.code})`];
  return [
    state === "waiting" && error ? escapeText(error.message) : "",
    totalBytes === null ? "" : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    files > 1 ? `${doneFiles} of ${files} files` : "",
    priority === 0 ? "" : `priority ${priorityName(priority)}`,
    limitBytesPerSec === null ? "" : `limit ${formatRate(limitBytesPerSec)}`,
  ].filter((note) => note !== "");
}

/** What somebody at another terminal did to this run; null for events that are something else. */
export function steeringSentence(event: LuciEvent): string | null {
  switch (event.type) {
    case "model.paused":
      return `${escapeText(event.model)}: paused (\`luci resume\` goes on)`;
    case "model.resumed":
      return `${escapeText(event.model)}: goes on`;
    case "model.steered":
      return `${escapeText(event.model)}: priority ${priorityName(event.priority)}, ${limitOf(event.limitBytesPerSec)}`;
    case "run.limited":
      return limitedSentence(event);
    default:
      return null;
  }
}

function limitedSentence({ limitBytesPerSec, by }: Extract<LuciEvent, { type: "run.limited" }>): string {
  const why = by === "timetable" ? " (timetable)" : "";
  return limitBytesPerSec === null
    ? `No speed limit any more${why}`
    : `At most ${formatRate(limitBytesPerSec)} from now on${why}`;
}

function priorityName(priority: number): string {
  return Object.entries(PRIORITIES).find(([, value]) => value === priority)?.[0] ?? String(priority);
}

/** What was done, job by job. */
export function renderSteer({ command, jobs, runs, unchanged = [] }: SteerResult): Rendered {
  const lines = jobs.map((job) => {
    const outcome = unchanged.includes(job.id) ? `was not paused (${job.state})` : outcomeOf(command, job);
    return `${escapeText(job.model)} (${escapeText(job.id)}): ${outcome}`;
  });
  const limits = runs.map(
    ({ pid, limitBytesPerSec }) =>
      `Process ${pid}: ${limitBytesPerSec === null ? "no limit" : limitOf(limitBytesPerSec)}`,
  );
  const more =
    command === "pause" && jobs.length > 0 ? ["`luci resume` goes on; nothing is lost if luci ends"] : [];
  const count = jobs.length > 3 ? [plural(jobs.length, "job")] : [];
  return rendered({ details: [...lines, ...limits], summary: [...count, ...more] });
}

function outcomeOf(command: SteerResult["command"], job: Job): string {
  switch (command) {
    case "limit":
      return limitOf(job.limitBytesPerSec);
    case "priority":
      return `priority ${priorityName(job.priority)}`;
    case "cancel":
      return isEnded(job) ? job.state : "is being cancelled";
    case "pause":
      return job.state;
    case "resume":
      return job.state === "waiting" || job.state === "running" ? "goes on" : job.state;
  }
}

function limitOf(limitBytesPerSec: number | null): string {
  return limitBytesPerSec === null ? "no limit of its own" : `at most ${formatRate(limitBytesPerSec)}`;
}
