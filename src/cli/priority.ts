// `luci priority`: which of the waiting models goes first.

import { LuciError } from "../domain/errors.ts";
import { HIGHEST_PRIORITY, PRIORITIES } from "../domain/job.ts";
import { type Command, type Front, type Input, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { pathOf, steerJobs } from "./job-words.ts";

export const priorityCommand: Command = {
  name: "priority",
  summary: "Change which waiting downloads go first",
  args: {
    name: {
      type: "positional",
      required: true,
      description: "models or ids, then high, normal, low or a whole number from -100 to 100",
    },
    ...COMMON_FLAGS,
  },
  words: {
    min: 2,
    lacks: "needs a name and a priority",
    max: Number.POSITIVE_INFINITY,
    missing:
      "`luci priority mistral high`: a name, then high, normal, low or a whole number from -100 to 100",
    takesNegative: true,
  },
  examples: [
    ["luci priority mistral high", "next, before all others of its install"],
    ["luci priority mistral -5", "any whole number from -100 to 100: higher goes first"],
  ],
  network: false,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const priority = readPriority(input.words.at(-1) ?? "");
  const named = { ...input, words: input.words.slice(0, -1) };
  const body = { priority };
  const jobs = await steerJobs(named, front, {
    askOf: (job) => ({ method: "PATCH", path: pathOf(job), body }),
  });
  return succeeded({ command: "priority", jobs, runs: [] });
}

/** A priority by name or number, as typed. @throws LuciError E_USAGE */
export function readPriority(text: string): number {
  const named = Object.entries(PRIORITIES).find(([name]) => name === text.toLowerCase());
  if (named) return named[1];
  const number = /^[+-]?\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (Math.abs(number) <= HIGHEST_PRIORITY) return number;
  throw new LuciError("E_USAGE", `Not a priority: \`${text}\``, {
    hint: `high, normal, low or a whole number from -${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}`,
  });
}
