// `luci cancel`: running jobs end; what becomes of their bytes is the policy's business.

import type { Job } from "../domain/job.ts";
import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { ALL_FLAG, JOB_NAMES, JOB_WORDS, pathOf, shownJobs, steerJobs } from "./job-words.ts";

export const cancelCommand: Command = {
  name: "cancel",
  summary: "End running downloads, from any terminal",
  args: {
    ...JOB_NAMES,
    partials: {
      type: "enum",
      options: ["resume", "delete"],
      description: "Of what runs: keep or delete what has arrived (default: as that install was told)",
    },
    ...ALL_FLAG,
    ...COMMON_FLAGS,
  },
  words: JOB_WORDS,
  examples: [
    ["luci cancel mistral", "its install ends, other models of it go on"],
    ["luci cancel mistral --partials delete", "and what had arrived is deleted"],
  ],
  network: false,
  run: async (input, front) => {
    const partials = input.text("partials");
    const query = partials === null ? "" : `?partials=${partials}`;
    const askOf = (job: Job) => ({ method: "DELETE", path: pathOf(job, query) }) as const;
    const jobs = await steerJobs(input, front, { askOf, meansOf: shownJobs });
    return succeeded({ command: "cancel", jobs, runs: [] });
  },
};
