// The strict reading of an argument vector. citty accepts unknown flags and surplus words; here every
// token is accounted for first, and citty then reads a canonical form that leaves it nothing to guess.

import { type ArgDef, type ArgsDef, parseArgs } from "citty";
import { LuciError } from "../domain/errors.ts";
import type { Command, Input } from "./command.ts";
import { LEADING_VALUE_FLAGS } from "./flags.ts";
import { nearest } from "./nearest.ts";

/** Where the flags end: everything after it is a word. */
const END_OF_FLAGS = "--";
/** No flag is a digit. */
const NEGATIVE = /^-\d/u;

/** An argument vector cut at the command's name; null when it names none. */
export interface Cut {
  readonly command: string | null;
  /** Everything else, in its order. */
  readonly rest: readonly string[];
}

/** What the strict reading needs of a command. */
export type Definition = Pick<Command, "name" | "args" | "words">;

/** Finds the command's name: the first word that is neither a flag nor the value of one. */
export function cutCommand(argv: readonly string[]): Cut {
  for (let index = 0; index < argv.length; index += 1) {
    const token = argv[index] ?? "";
    if (token === END_OF_FLAGS) break;
    if (!isFlag(token)) return { command: token, rest: argv.toSpliced(index, 1) };
    if (LEADING_VALUE_FLAGS.has(token.slice(2))) index += 1;
  }
  return { command: null, rest: argv };
}

/** Whether one of these flags stands before `--`, whatever else is wrong with the line. */
export function mentions(argv: readonly string[], ...flags: readonly string[]): boolean {
  const end = argv.indexOf(END_OF_FLAGS);
  return argv.slice(0, end < 0 ? argv.length : end).some((token) => flags.includes(token));
}

/**
 * Reads everything after a command's name. The last of a repeated flag wins.
 * @throws LuciError E_USAGE for an unknown flag, a flag without its value or with one too many, a value
 *   that is not among a flag's choices, too few or too many words
 */
export function readInput(tokens: readonly string[], definition: Definition): Input {
  const { flags, words } = scan(tokens, definition);
  checkWords(words, definition);
  const args: ArgsDef = Object.fromEntries(
    Object.entries(definition.args).filter(([, arg]) => arg.type !== "positional"),
  );
  const parsed: Readonly<Record<string, unknown>> = parseArgs([...flags.values()], args);
  return {
    words,
    on: (flag) => parsed[flag] === true,
    text: (flag) => (typeof parsed[flag] === "string" ? parsed[flag] : null),
  };
}

interface Scanned {
  /** Canonical token of each flag by its full name. */
  readonly flags: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

function scan(tokens: readonly string[], definition: Definition): Scanned {
  const flags = new Map<string, string>();
  const words: string[] = [];
  const queue = [...tokens];
  for (let token = queue.shift(); token !== undefined; token = queue.shift()) {
    if (token === END_OF_FLAGS) {
      words.push(...queue);
      break;
    }
    const isNumber = definition.words.takesNegative === true && NEGATIVE.test(token);
    if (!isFlag(token) || isNumber) words.push(token);
    else if (token.startsWith("--")) flags.set(...readLong(token, queue, definition));
    else for (const letter of token.slice(1)) flags.set(...readShort(letter, definition));
  }
  return { flags, words };
}

function isFlag(token: string): boolean {
  return token.startsWith("-") && token !== "-";
}

/** Reads `--flag`, `--no-flag`, `--flag=value` or `--flag value`, taking the value from the queue. */
function readLong(token: string, queue: string[], definition: Definition): [name: string, canonical: string] {
  const equals = token.indexOf("=");
  const name = token.slice(2, equals < 0 ? undefined : equals);
  const value = equals < 0 ? null : token.slice(equals + 1);
  const { args } = definition;
  const arg = flagNamed(name, args);
  if (!arg) {
    const positive = name.startsWith("no-") ? name.slice(3) : "";
    if (!isNegatable(flagNamed(positive, args))) throw unknownFlag(`--${name}`, definition);
    if (value !== null) throw usage(`\`--${name}\` takes no value`, definition);
    return [positive, `--${name}`];
  }
  if (arg.type === "boolean") {
    if (value !== null) throw usage(`\`--${name}\` takes no value`, definition);
    return [name, `--${name}`];
  }
  return [name, `--${name}=${checkValue(name, value ?? takeValue(queue), definition)}`];
}

function readShort(letter: string, definition: Definition): [name: string, canonical: string] {
  const found = Object.entries(definition.args).find(([, arg]) => "alias" in arg && arg.alias === letter);
  if (!found) throw unknownFlag(`-${letter}`, definition);
  return [found[0], `--${found[0]}`];
}

/** The next token, unless it is a flag itself; a negative number is a value. */
function takeValue(queue: string[]): string {
  const next = queue[0];
  if (next === undefined || (isFlag(next) && !NEGATIVE.test(next))) return "";
  return queue.shift() ?? "";
}

function checkValue(name: string, value: string, definition: Definition): string {
  const arg = flagNamed(name, definition.args);
  const choices = (arg?.type === "enum" && arg.options) || [];
  const allowed = choices.map((choice) => `\`${choice}\``).join(", ");
  if (value === "") {
    const wanted = allowed || (arg && "valueHint" in arg && arg.valueHint ? `<${arg.valueHint}>` : "one");
    throw usage(`\`--${name}\` needs a value: ${wanted}`, definition);
  }
  if (choices.length > 0 && !choices.includes(value)) {
    const guess = nearest(value, choices);
    const hint = guess === null ? undefined : `Did you mean \`--${name} ${guess}\`?`;
    throw usage(`\`--${name}\` is one of ${allowed}, not \`${value}\``, definition, hint);
  }
  return value;
}

function checkWords(words: readonly string[], { name, words: rule }: Definition): void {
  const empty = words.some((word) => word.trim() === "");
  if (empty) throw usage(`\`${name}\` was given an empty word`, { name });
  if (words.length < rule.min)
    throw new LuciError("E_USAGE", `\`luci ${name}\` ${rule.lacks ?? "needs to know which"}`, {
      hint: rule.missing,
    });
  const stray = words.slice(rule.max);
  if (stray.length === 0) return;
  const shown = stray.map((word) => `\`${word}\``).join(", ");
  const most =
    rule.max === 0 ? "takes no words" : `takes ${rule.max === 1 ? "one word" : `${rule.max} words`}`;
  throw usage(`\`${name}\` ${most}, so what is ${shown}?`, { name });
}

function flagNamed(name: string, args: ArgsDef): ArgDef | null {
  const arg = Object.hasOwn(args, name) ? args[name] : undefined;
  return arg && arg.type !== "positional" ? arg : null;
}

function isNegatable(arg: ArgDef | null): boolean {
  return arg?.type === "boolean" && arg.default === true;
}

function unknownFlag(typed: string, definition: Definition): LuciError {
  const known = Object.entries(definition.args)
    .filter(([, arg]) => arg.type !== "positional")
    .map(([name, arg]) => (isNegatable(arg) ? `no-${name}` : name));
  const guess = typed.startsWith("--") ? nearest(typed.slice(2), known) : null;
  const hint = guess === null ? undefined : `Did you mean \`--${guess}\`?`;
  const place = definition.name === "" ? "luci" : `\`${definition.name}\``;
  return usage(`${place} has no flag \`${typed}\``, definition, hint);
}

function usage(message: string, { name }: { name: string }, hint?: string): LuciError {
  const page = name === "" ? "luci --help" : `luci ${name} --help`;
  return new LuciError("E_USAGE", message, { hint: hint ?? `\`${page}\` shows what it takes` });
}
