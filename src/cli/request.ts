// From an argument vector to what is asked for: a page of help, or a command with its checked input.

import { ERROR_TABLE, LuciError } from "../domain/errors.ts";
import type { Command, Input } from "./command.ts";
import { cutCommand, mentions, readInput } from "./command-line.ts";
import { COMMANDS, FIRST_STEPS, GROUP_WORDS, SYNONYMS } from "./commands.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { renderCommand, renderOverview } from "./help.ts";
import { nearest } from "./nearest.ts";
import { VERSION, versionCommand } from "./version.ts";

/** What a person asked for. */
export type Request =
  | { readonly kind: "page"; readonly text: string }
  | { readonly kind: "command"; readonly command: Command; readonly input: Input };

const COMMAND_NAMES = COMMANDS.map(({ name }) => name);
const NO_COMMAND_FLAGS = {
  ...COMMON_FLAGS,
  version: { type: "boolean", alias: "V", description: "Show the version" },
} as const;

/**
 * Reads an argument vector.
 * @throws LuciError E_USAGE, with the nearest known words where there are some
 */
export async function readRequest(argv: readonly string[]): Promise<Request> {
  const { command: name, rest } = cutCommand(argv);
  const asksHelp = mentions(argv, "--help", "-h");
  if (name === null) return readBare(rest, asksHelp);
  if (name === "help") return readHelp(rest);
  const command = await loadCommand(name, rest);
  if (asksHelp) return { kind: "page", text: renderCommand(command) };
  return { kind: "command", command: withOwnHints(command), input: readInput(rest, command) };
}

/** The command, with advice of its own where an error has only that of every command. */
function withOwnHints(command: Command): Command {
  const run: Command["run"] = async (input, front) => {
    try {
      return await command.run(input, front);
    } catch (thrown) {
      throw withOwnHint(thrown, command);
    }
  };
  return { ...command, run };
}

function withOwnHint(thrown: unknown, { name, interruptHint }: Command): unknown {
  if (!(thrown instanceof LuciError) || thrown.hint !== ERROR_TABLE[thrown.code].hint) return thrown;
  const usage = thrown.code === "E_USAGE" ? `\`luci ${name} --help\` shows what it takes` : null;
  const hint = thrown.code === "E_INTERRUPTED" ? interruptHint : usage;
  if (!hint) return thrown;
  const { code, message, exit, retryable } = thrown;
  return new LuciError(code, message, { hint, exit, retryable, cause: thrown });
}

async function readBare(tokens: readonly string[], asksHelp: boolean): Promise<Request> {
  if (asksHelp) return { kind: "page", text: await overview() };
  const words = { min: 0, max: Number.POSITIVE_INFINITY, missing: "" };
  const input = readInput(tokens, { name: "", args: NO_COMMAND_FLAGS, words });
  // Words behind a `--` and no command before it.
  if (input.words[0] !== undefined) throw unknownCommand(input.words[0], input.words.slice(1));
  if (input.on("version")) return { kind: "command", command: versionCommand, input };
  return { kind: "page", text: await overview() };
}

async function readHelp(tokens: readonly string[]): Promise<Request> {
  const words = { min: 0, max: 1, missing: "" };
  const [topic] = readInput(tokens, { name: "help", args: COMMON_FLAGS, words }).words;
  if (topic === undefined || topic === "help") return { kind: "page", text: await overview() };
  return { kind: "page", text: renderCommand(await loadCommand(topic, [])) };
}

async function overview(): Promise<string> {
  const commands = await Promise.all(COMMANDS.map((entry) => entry.load()));
  return renderOverview({ version: VERSION, commands, examples: FIRST_STEPS });
}

async function loadCommand(name: string, rest: readonly string[]): Promise<Command> {
  const entry = COMMANDS.find((candidate) => candidate.name === name);
  if (!entry) throw unknownCommand(name, rest);
  return entry.load();
}

function unknownCommand(typed: string, rest: readonly string[]): LuciError {
  const word = typed.toLowerCase();
  const synonym = Object.hasOwn(SYNONYMS, word) ? SYNONYMS[word] : undefined;
  const command = synonym ?? nearest(word, COMMAND_NAMES);
  if (command === null) {
    const hint = "`luci --help` shows the commands; a model is installed with `luci install <name>`";
    return new LuciError("E_USAGE", `\`${typed}\` is not a command of luci`, { hint });
  }
  const words = command === "install" ? rest.map((other) => nearest(other, GROUP_WORDS) ?? other) : rest;
  const hint = `Did you mean \`${["luci", command, ...words].join(" ")}\`?`;
  return new LuciError("E_USAGE", `\`${typed}\` is not a command of luci`, { hint });
}
