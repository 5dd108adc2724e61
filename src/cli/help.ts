// Help pages, drawn from the same definitions the arguments are read with. Text only: no colour, 80 columns.

import type { ArgDef } from "citty";
import type { Command, Example } from "./command.ts";

const WIDTH = 80;
const INDENT = "  ";
const GAP = 2;
/** Longer labels get a line of their own. */
const WIDEST_LABEL = 36;

/** The page of the whole program. */
export function renderOverview(options: {
  version: string;
  commands: readonly Command[];
  examples: readonly Example[];
}): string {
  return page([
    `luci ${options.version}: puts AI models on a disk and keeps them right`,
    section("Usage", [`${INDENT}luci <command> [words] [flags]`]),
    section("Commands", table(options.commands.map(({ name, summary }) => [name, summary]))),
    section("Examples", table(options.examples)),
    "`luci help <command>` shows a command's flags and examples.",
  ]);
}

/** The page of one command. */
export function renderCommand(command: Command): string {
  const args = Object.entries(command.args);
  const words = args.filter(([, arg]) => arg.type === "positional");
  const flags = args.filter(([, arg]) => arg.type !== "positional");
  const usage = ["luci", command.name, ...words.map(([name]) => wordLabel(name, command)), "[flags]"].join(
    " ",
  );
  return page([
    `luci ${command.name}: ${lowerFirst(command.summary)}`,
    section("Usage", [INDENT + usage]),
    words.length > 0
      ? section("Words", table(words.map(([name, arg]) => [wordLabel(name, command), arg.description ?? ""])))
      : "",
    section("Flags", table(flags.map(([name, arg]) => [flagLabel(name, arg), arg.description ?? ""]))),
    section("Examples", table(command.examples)),
  ]);
}

function page(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n\n");
}

function section(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines].join("\n");
}

function wordLabel(name: string, { words }: Command): string {
  const label = words.max > 1 ? `${name}…` : name;
  return words.min > 0 ? `<${label}>` : `[${label}]`;
}

function flagLabel(name: string, arg: ArgDef): string {
  const short = "alias" in arg && typeof arg.alias === "string" ? `-${arg.alias}, ` : "";
  if (arg.type === "boolean") return arg.default === true ? `--no-${name}` : `${short}--${name}`;
  const choices = arg.type === "enum" ? (arg.options ?? []).join("|") : undefined;
  const hint = choices ?? ("valueHint" in arg ? arg.valueHint : undefined) ?? "value";
  return `${short}--${name} <${hint}>`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Two columns; what is too long for the first gets a line of its own, what is too long for the second is wrapped. */
function table(rows: readonly (readonly [string, string])[]): string[] {
  const fitting = rows.map(([label]) => label.length).filter((length) => length <= WIDEST_LABEL);
  const column = Math.max(0, ...fitting) + GAP;
  return rows.flatMap(([label, text]) => {
    const lines = wrap(text, WIDTH - INDENT.length - column);
    const ownLine = label.length > WIDEST_LABEL;
    const first = ownLine ? [INDENT + label] : [INDENT + label.padEnd(column) + (lines[0] ?? "")];
    const rest = (ownLine ? lines : lines.slice(1)).map((line) => INDENT + " ".repeat(column) + line);
    return [...first, ...rest].map((line) => line.trimEnd());
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
