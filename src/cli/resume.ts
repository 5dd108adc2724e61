// `luci resume`: paused jobs go on.

import type { Job } from "../domain/job.ts";
import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { ALL_FLAG, type AskOf, pathOf, steerJobs } from "./job-words.ts";

export const resumeCommand: Command = {
  name: "resume",
  summary: "Let paused downloads go on",
  args: {
    name: { type: "positional", required: false, description: "models or ids, as `luci ps` shows them" },
    ...ALL_FLAG,
    ...COMMON_FLAGS,
  },
  words: { min: 0, max: Number.POSITIVE_INFINITY, missing: "" },
  examples: [
    ["luci resume mistral", "one model"],
    ["luci resume --all", "everything that is paused"],
  ],
  network: false,
  run: async (input, front) => {
    const ask = { method: "POST" } as const;
    const unchanged: string[] = [];
    const askOf = (job: Job): ReturnType<AskOf> => {
      if (job.state !== "paused") unchanged.push(job.id);
      return { ...ask, path: pathOf(job, "/resume") };
    };
    const jobs = await steerJobs(input, front, { askOf });
    return succeeded({ command: "resume", jobs, unchanged, runs: [] });
  },
};
