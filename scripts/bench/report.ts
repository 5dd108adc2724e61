// Sections of results as Markdown. Pure: numbers come in, text goes out.

/** Something that was to be reached. */
export interface Goal {
  /** What is compared, for example `wall of luci / wall of curl`. */
  readonly what: string;
  readonly limit: number;
  readonly bound: "at most" | "at least";
  /** What was measured; null when it could not be. */
  readonly reached: number | null;
  readonly unit?: string;
  readonly digits?: number;
}

export interface Table {
  readonly caption?: string;
  /** The first column is text, the others are numbers. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What went wrong. */
  readonly remarks?: readonly string[];
}

/** What one case found. */
export interface Section {
  readonly title: string;
  /** How it was measured. */
  readonly intro: readonly string[];
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

/** The whole report. */
export function renderReport(head: readonly string[], sections: readonly Section[]): string {
  return [...head, ...sections.flatMap(renderSection)].join("\n");
}

/** One section with its table and goals. */
export function renderSection(section: Section): string[] {
  return [
    `## ${section.title}`,
    "",
    ...section.intro.flatMap((line) => [line, ""]),
    ...section.tables.flatMap(renderTable),
    ...section.goals.map(renderGoal),
    ...(section.goals.length > 0 ? [""] : []),
  ];
}

/** Whether a goal was met; null when nothing was measured. */
export function isMet({ reached, limit, bound }: Goal): boolean | null {
  if (reached === null) return null;
  return bound === "at most" ? reached <= limit : reached >= limit;
}

function renderTable({ caption, head, rows, remarks = [] }: Table): string[] {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => {
    const padded = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  const [first = [], ...rest] = cells;
  const title = caption === undefined ? [] : [caption, ""];
  return [
    ...title,
    line(first),
    `| ${rule.join(" | ")} |`,
    ...rest.map(line),
    "",
    ...remarks.flatMap((remark) => [remark, ""]),
  ];
}

function renderGoal(goal: Goal): string {
  // As many digits as it takes to see on which side of the limit it is.
  const isClose = goal.reached !== null && Math.abs(goal.reached - goal.limit) < 0.005;
  const show = (value: number) => `${value.toFixed(goal.digits ?? (isClose ? 4 : 2))}${goal.unit ?? ""}`;
  const sign = goal.bound === "at most" ? "≤" : "≥";
  const met = isMet(goal);
  const verdict = met === null ? "not measured" : met ? "met" : "**not met**";
  const reached = goal.reached === null ? "" : `reached ${show(goal.reached)}: `;
  return `- ${goal.what}: goal ${sign} ${show(goal.limit)}, ${reached}${verdict}`;
}
