// `luci resume`: paused jobs go on.

import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { ALL_FLAG, JOB_NAMES, JOB_WORDS, pathOf, steerJobs } from "./job-words.ts";

export const resumeCommand: Command = {
  name: "resume",
  summary: "Let paused downloads go on",
  args: {
    ...JOB_NAMES,
    ...ALL_FLAG,
    ...COMMON_FLAGS,
  },
  words: JOB_WORDS,
  examples: [
    ["luci resume mistral", "one model"],
    ["luci resume --all", "everything that is paused"],
  ],
  network: false,
  run: async (input, front) => {
    const unchanged: string[] = [];
    const jobs = await steerJobs(input, front, {
      askOf: (job) => {
        if (job.state !== "paused") unchanged.push(job.id);
        return { method: "POST", path: pathOf(job, "/resume") };
      },
    });
    return succeeded({ command: "resume", jobs, unchanged, runs: [] });
  },
};
