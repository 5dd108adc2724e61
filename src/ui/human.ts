// The face for people: progress while it lasts, then data on standard output and words on standard error.

import type { ErrorReport } from "../domain/errors.ts";
import type { LuciEvent } from "../domain/events.ts";
import { NO_PROGRESS, reduceProgress } from "../domain/progress.ts";
import type { Job } from "../domain/job.ts";
import type { CommandResult } from "../domain/results.ts";
import { escapeText } from "../domain/text.ts";
import { createSilence, type Display } from "./display.ts";
import type { AskOptions, Face, FaceOptions } from "./face-types.ts";
import { createLines } from "./lines.ts";
import { createMessages } from "./messages.ts";
import type { Output } from "./output.ts";
import { confirm } from "./prompt.ts";
import { cleanupLines } from "./render-disk.ts";
import { renderError } from "./render-error.ts";
import { steeringSentence, watchLines } from "./render-jobs.ts";
import { renderInterrupted } from "./render-interrupt.ts";
import { renderResult } from "./render-result.ts";
import { createPaint, type Paint, type Style } from "./style.ts";

export interface HumanOptions extends FaceOptions {
  readonly outputs: { readonly stdout: Output; readonly stderr: Output };
}

export interface Human extends Omit<Face, "close"> {
  /** Clears what is drawn and answers open questions. */
  stop(): void;
}

/** The face for people, on a terminal or in a log. */
export function createHuman(options: HumanOptions): Human {
  const display = createDisplay(options);
  const asking = createAsking(options, display);
  const paint = createPaint(options.color);
  const messages = createMessages({ say: display.say, confirm: asking.ask, paint, quiet: options.quiet });
  const told = new Set<string>();
  let progress = NO_PROGRESS;

  const conclude = (result: CommandResult) => {
    display.stop();
    const { data } = renderResult(result, dataStyleOf(options));
    if (!(result.command === "cleanup" && asking.hasShownPlan())) options.outputs.stdout.write(textOf(data));
    const words = renderResult(result, wordStyleOf(options, paint));
    for (const line of words.details) messages.log(line);
    for (const failure of words.failures) messages.error(failure);
    for (const line of words.summary) messages.log(line);
    for (const report of reportsIn(result)) told.add(keyOf(report));
  };
  const giveWay = createWay(display);
  const showJobs = (jobs: readonly Job[]) => {
    if (display.table) display.table(watchLines(jobs, wordStyleOf(options, paint)));
    else options.outputs.stdout.write(textOf([...watchLines(jobs, dataStyleOf(options)), ""]));
  };
  return {
    ask: asking.ask,
    emit(event) {
      if (!options.quiet) progress = reduceProgress(progress, event);
      giveWay(event);
      display.show(event, progress);
      if (event.type === "notice") messages[event.level === "warn" ? "warn" : "log"](noticeOf(event));
      const steered = steeringSentence(event);
      if (steered !== null) messages.log(steered);
      if (event.type === "jobs") showJobs(event.jobs);
      if (event.type === "result") conclude(event.result);
      if (event.type !== "interrupted") return;
      display.stop();
      options.outputs.stderr.write(textOf(renderInterrupted(event)));
      told.add("E_INTERRUPTED");
    },
    error(report, stack) {
      if (told.has(report.code) || told.has(keyOf(report))) return;
      display.stop();
      messages.error(renderError(report, { paint, stack }));
    },
    stop() {
      asking.stop();
      display.stop();
    },
  };
}

function createDisplay(options: HumanOptions): Display {
  const { quiet, isTTY, createBars, stderr: stream, outputs, color, columns } = options;
  const { write } = outputs.stderr;
  if (quiet) return createSilence(write);
  if (!isTTY || !createBars) return createLines(write);
  return createBars({ stream, write, paint: createPaint(color), columns });
}

/** Nothing is drawn over what commands of the user's own say. */
function createWay(display: Display): (event: LuciEvent) => void {
  let others = 0;
  return ({ type }) => {
    if (type === "hook.started" && (others += 1) === 1) display.pause();
    if (type === "hook.ended" && (others -= 1) === 0) display.resume();
  };
}

/** Questions, and whether one of them has shown the plan of a cleanup. */
function createAsking(options: HumanOptions, display: Display) {
  const { stdout, stderr } = options.outputs;
  const closing = new AbortController();
  let planShown = false;
  const ask = async (question: string, { items, signal }: AskOptions = {}) => {
    if (!options.isTTY) return false;
    display.pause();
    if (items !== undefined) {
      stdout.write(textOf(cleanupLines(items, dataStyleOf(options))));
      planShown = true;
    }
    const answer = await confirm(escapeText(question, { multiline: true }), {
      stdin: options.stdin ?? process.stdin,
      write: stderr.write,
      signal: signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]),
    });
    display.resume();
    return answer;
  };
  return { ask, hasShownPlan: () => planShown, stop: () => closing.abort() };
}

function wordStyleOf({ stderr, columns, isTTY }: HumanOptions, paint: Paint): Style {
  return { paint, columns: stderr.columns || columns, fits: isTTY };
}

/** Data that goes into a file or a pipe is never coloured. */
function dataStyleOf({ color, stdout, columns, ascii = false }: HumanOptions): Style {
  const isTTY = stdout.isTTY === true;
  return { paint: createPaint(color && isTTY), columns: stdout.columns || columns, ascii, fits: isTTY };
}

/** Errors that a result tells of. */
function reportsIn(result: CommandResult): Pick<ErrorReport, "code" | "message">[] {
  if (result.command === "doctor")
    return result.checks.flatMap(({ code, finding }) => (code === null ? [] : [{ code, message: finding }]));
  return result.command === "install" || result.command === "verify"
    ? result.failed.map(({ error }) => error)
    : [];
}

function noticeOf({ model, message }: Extract<LuciEvent, { type: "notice" }>): string {
  return escapeText(model === undefined ? message : `${model}: ${message}`);
}

function keyOf(report: Pick<ErrorReport, "code" | "message">): string {
  return `${report.code}\0${report.message}`;
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
