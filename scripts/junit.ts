// Reads the reports that `bun test` writes: how many tests there were, and which of them failed of what.
// Knows nothing of how they are run.

/** How many tests ended in which way. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const MOST_LINES = 6;
const MOST_LETTERS = 400;
const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** The totals of a report; nothing but zeros where there is none. */
export function countTests(junit: string): Counts {
  const total = /<testsuites\b[^>]*>/.exec(junit)?.[0] ?? "";
  const read = (name: string): number => Number(attribute(total, name));
  const failed = read("failures") + read("errors");
  const skipped = read("skipped");
  return { passed: read("tests") - failed - skipped, failed, skipped };
}

/** Each failed test of a report in a few lines: file and line, its name, and the beginning of what it failed of. */
export function nameFailures(junit: string): string[] {
  return [...junit.matchAll(/<testcase\b([^>]*[^/])>\s*<(?:failure|error)\b([^>]*)>/g)].map(
    ([, test = "", failure = ""]) => {
      const name = [attribute(test, "classname"), attribute(test, "name")].filter((part) => part !== "");
      const place = `${attribute(test, "file")}:${attribute(test, "line")}`;
      return [`${place}: ${oneLine(name.join(" > "))}`, ...shorten(attribute(failure, "message"))].join(
        "\n    ",
      );
    },
  );
}

function attribute(tag: string, name: string): string {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  return value.replaceAll(/&(#?\w+);/g, (whole, word: string) => {
    if (!word.startsWith("#")) return ENTITIES[word] ?? whole;
    return String.fromCodePoint(Number(word.replace("#", "").replace(/^x/i, "0x")));
  });
}

function shorten(message: string): string[] {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  const shown = lines.slice(0, MOST_LINES).map(cut);
  return lines.length > MOST_LINES ? [...shown, `(${lines.length - MOST_LINES} more lines)`] : shown;
}

function oneLine(text: string): string {
  return cut(text.replaceAll(/\s+/g, " "));
}

function cut(line: string): string {
  return line.length > MOST_LETTERS ? `${line.slice(0, MOST_LETTERS - 1)}…` : line;
}
