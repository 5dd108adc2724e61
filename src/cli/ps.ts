// `luci ps`: what every luci of this user is at.

import type { Context } from "../app/context.ts";
import type { Job } from "../domain/job.ts";
import { sleep } from "../platform/clock.ts";
import { type Command, type Front, type Input, NO_WORDS, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { runningPeers, shownJobs } from "./job-words.ts";

/** How often `--watch` looks. */
const WATCH_MS = 1_000;

export const psCommand: Command = {
  name: "ps",
  summary: "Show what every running luci of yours is at",
  args: {
    watch: { type: "boolean", alias: "w", description: "Again every second, until Ctrl-C" },
    ...COMMON_FLAGS,
  },
  words: NO_WORDS,
  examples: [
    ["luci ps", "model, id, state, how far, how fast, how long"],
    ["luci ps --watch", "and keep looking"],
    ["luci ps --json", "for scripts"],
  ],
  network: false,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const context = await front.context();
  let { jobs, silent } = await look(context);
  if (!input.on("watch")) return succeeded({ command: "ps", jobs, silent, watched: false });
  while (!front.signal.aborted) {
    front.emit({ type: "jobs", jobs });
    await sleep(WATCH_MS, front.signal).catch(() => undefined);
    ({ jobs, silent } = await look(context).catch((error: unknown) => {
      // Whoever looks away has seen enough.
      if (front.signal.aborted) return { jobs, silent };
      throw error;
    }));
  }
  return succeeded({ command: "ps", jobs, silent, watched: true });
}

async function look(context: Context): Promise<{ jobs: Job[]; silent: readonly number[] }> {
  const { peers, silent } = await runningPeers(context, shownJobs);
  const jobs = peers
    .flatMap((peer) => peer.jobs)
    .toSorted((one, other) => (one.startedAt < other.startedAt ? -1 : 1));
  return { jobs, silent };
}
