// What an examination found: one line for what is well, a second one with the advice for what is not.

import type { DoctorCheck, DoctorResult } from "../domain/doctor.ts";
import { escapeText } from "../domain/text.ts";
import { padRight, widthOf, wrapLine } from "./layout.ts";
import { plural, type Rendered, rendered } from "./rendered.ts";
import type { Paint, Style } from "./style.ts";

const WORDS: Readonly<Record<DoctorCheck["state"], string>> = {
  ok: "ok",
  warning: "warning",
  problem: "problem",
};
const GAP = "  ";

export function renderDoctor({ checks }: DoctorResult, style: Style): Rendered {
  const wordWidth = Math.max(...Object.values(WORDS).map(widthOf));
  const nameWidth = Math.max(0, ...checks.map(({ name }) => widthOf(name)));
  const data = checks.flatMap((check) => {
    const word = paintOf(check, style.paint)(padRight(WORDS[check.state], wordWidth));
    const margin = " ".repeat(wordWidth + nameWidth + 2 * GAP.length);
    const [first = "", ...more] = textOf(check, style.columns - margin.length);
    const head = [word, padRight(escapeText(check.name), nameWidth), first].join(GAP);
    return [head, ...more.map((line) => margin + line)];
  });
  return rendered({ data, summary: [summaryOf(checks)] });
}

function textOf({ finding, advice }: DoctorCheck, width: number): string[] {
  const lines = wrapLine(escapeText(finding), width, { hang: "" });
  return advice === null ? lines : [...lines, ...wrapLine(`→ ${escapeText(advice)}`, width)];
}

function paintOf({ state }: DoctorCheck, paint: Paint): (text: string) => string {
  if (state === "ok") return paint.green;
  return state === "warning" ? paint.yellow : paint.red;
}

function summaryOf(checks: readonly DoctorCheck[]): string {
  const count = (state: DoctorCheck["state"]) => checks.filter((check) => check.state === state).length;
  const [warnings, problems] = [count("warning"), count("problem")];
  const told = [
    problems > 0 ? plural(problems, "problem") : "",
    warnings > 0 ? plural(warnings, "warning") : "",
  ].filter((words) => words !== "");
  const looked = plural(checks.length, "check");
  return told.length === 0 ? `${looked}, all is well` : `${looked}, ${told.join(", ")}`;
}
