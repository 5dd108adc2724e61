// `luci pause`: running jobs hold no connection until they are resumed; nothing that arrived is lost.

import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { ALL_FLAG, pathOf, steerJobs } from "./job-words.ts";

export const pauseCommand: Command = {
  name: "pause",
  summary: "Pause running downloads, from any terminal",
  args: {
    name: { type: "positional", required: false, description: "models or ids, as `luci ps` shows them" },
    ...ALL_FLAG,
    ...COMMON_FLAGS,
  },
  words: { min: 0, max: Number.POSITIVE_INFINITY, missing: "" },
  examples: [
    ["luci pause mistral", "the others go on, and have its share"],
    ["luci pause --all", "everything"],
    ["luci resume mistral", "go on"],
  ],
  network: false,
  run: async (input, front) => {
    const ask = { method: "POST" } as const;
    const jobs = await steerJobs(input, front, {
      askOf: (job) => ({ ...ask, path: pathOf(job, "/pause") }),
    });
    return succeeded({ command: "pause", jobs, runs: [] });
  },
};
