// Errors in words: what failed, and what to do next. A bug also shows where it happened.

import type { ErrorReport } from "../domain/errors.ts";
import type { FailedModel } from "../domain/results.ts";
import { escapeText } from "../domain/text.ts";
import type { Paint } from "./style.ts";

export interface ErrorStyle {
  readonly paint: Paint;
  /** Shown for bugs only. */
  readonly stack?: string | undefined;
}

/** The text after `error: `: the message, for a bug its stack, and the hint on a line of its own. */
export function renderError(report: ErrorReport, { paint, stack }: ErrorStyle): string {
  const lines = [escapeText(report.message)];
  if (report.code === "E_INTERNAL" && stack) lines.push(paint.dim(stackFrames(stack)));
  if (report.hint !== "") lines.push(`${paint.cyan("hint:")} ${escapeText(report.hint)}`);
  return lines.join("\n");
}

/** Failed models of a run, each with its name unless it was the only one asked for. */
export function renderFailed(
  failed: readonly FailedModel[],
  { paint, named }: { paint: Paint; named: boolean },
): string[] {
  return failed.map(({ model, error }) =>
    renderError(named ? { ...error, message: `${model}: ${error.message}` } : error, { paint }),
  );
}

/** The frames alone: the message stands above them already. */
function stackFrames(stack: string): string {
  const lines = escapeText(stack, { multiline: true }).split("\n");
  const firstFrame = lines.findIndex((line) => /^\s+at /.test(line));
  return lines.slice(Math.max(0, firstFrame)).join("\n");
}
