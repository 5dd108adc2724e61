// `luci pause`: running jobs hold no connection until they are resumed; nothing that arrived is lost.

import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { ALL_FLAG, JOB_NAMES, JOB_WORDS, pathOf, steerJobs } from "./job-words.ts";

export const pauseCommand: Command = {
  name: "pause",
  summary: "Pause running downloads, from any terminal",
  args: {
    ...JOB_NAMES,
    ...ALL_FLAG,
    ...COMMON_FLAGS,
  },
  words: JOB_WORDS,
  examples: [
    ["luci pause mistral", "the others go on, and have its share"],
    ["luci pause --all", "everything"],
    ["luci resume mistral", "go on"],
  ],
  network: false,
  run: async (input, front) => {
    const jobs = await steerJobs(input, front, {
      askOf: (job) => ({ method: "POST", path: pathOf(job, "/pause") }),
    });
    return succeeded({ command: "pause", jobs, runs: [] });
  },
};
