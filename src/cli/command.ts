// What a command of luci is: its words and flags as data, and what it does with them. Commands print
// nothing and know no terminal: they return an outcome, and ask through the front they are handed.

import type { ArgsDef } from "citty";
import type { Context } from "../app/context.ts";
import type { ErrorReport } from "../domain/errors.ts";
import type { Emit } from "../domain/events.ts";
import type { CleanupItem, CommandResult } from "../domain/results.ts";

/** What a person typed after the command's name, checked against its definition. */
export interface Input {
  readonly words: readonly string[];
  /** Whether a switch is on, its default included. */
  on(flag: string): boolean;
  /** A flag's value as typed; null where it was not given. */
  text(flag: string): string | null;
}

/** What main hands to a command. */
export interface Front {
  readonly version: string;
  /** What this very program is started with: the executable and, if need be, its first argument. */
  readonly executable: readonly string[];
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Whether somebody is there to be asked: a terminal on both ends, no `--json`, no CI. */
  readonly interactive: boolean;
  /** Settings, disk and network, made ready on first use, and the same ever after. @throws LuciError E_CONFIG, E_USAGE */
  context(): Promise<Context>;
  /** Asks a yes-or-no question, after showing a cleanup's plan where there is one; an interrupt answers no. */
  ask(question: string, options?: { readonly items?: readonly CleanupItem[] }): Promise<boolean>;
}

/** How a command ended: its result and, where that is not all well, the error that decides the exit code. */
export interface Outcome {
  readonly result: CommandResult;
  readonly error: ErrorReport | null;
}

/** A line of the help page: what to type, and what it does. */
export type Example = readonly [typed: string, meaning: string];

/** How many words a command takes. `missing` says what to do when there are too few. */
export interface WordRule {
  readonly min: number;
  readonly max: number;
  readonly missing: string;
  /** What is lacking when there are too few, where that is not which of several things is meant. */
  readonly lacks?: string;
  /** Whether `-5` is a word here: a number below zero, and no flag. */
  readonly takesNegative?: boolean;
}

export interface Command {
  readonly name: string;
  /** One sentence, without a full stop. */
  readonly summary: string;
  /** citty definitions: the one source for parsing and for the help page. A positional describes the words. */
  readonly args: ArgsDef;
  readonly words: WordRule;
  readonly examples: readonly Example[];
  /** Whether it may fetch: only then is the hub's token looked for. */
  readonly network: boolean;
  /** Runs until it is told to stop: that is its proper end, and no failure. */
  readonly isService?: boolean;
  /** Advice after an interrupt, where the same command again would not continue anything. */
  readonly interruptHint?: string;
  run(input: Input, front: Front): Promise<Outcome>;
}

/** The word rule of commands that take none. */
export const NO_WORDS: WordRule = { min: 0, max: 0, missing: "" };

/** The outcome of a command that did all it was asked for. */
export function succeeded(result: CommandResult): Outcome {
  return { result, error: null };
}
