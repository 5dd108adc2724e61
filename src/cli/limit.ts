// `luci limit`: another speed limit for what runs, at once; of everything, or of single models.

import { LuciError } from "../domain/errors.ts";
import { parseSize } from "../domain/size.ts";
import { type Command, type Front, type Input, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { pathOf, runningPeers, steerJobs } from "./job-words.ts";

/** Instead of a rate: what the hour says. */
const SCHEDULE = "schedule";

export const limitCommand: Command = {
  name: "limit",
  summary: "Change the speed limit of what runs, at once",
  args: {
    rate: {
      type: "positional",
      required: true,
      description: "20M, 500k, off, or schedule; then models or ids",
    },
    ...COMMON_FLAGS,
  },
  words: {
    min: 1,
    max: Number.POSITIVE_INFINITY,
    missing: "`luci limit 20M` limits every running luci, `luci limit off` ends that",
  },
  examples: [
    ["luci limit 5M", "each running luci as a whole"],
    ["luci limit 500k mistral", "one model, under the limit of the whole"],
    ["luci limit off", "no limit any more"],
    ["luci limit schedule", "follow `[limit]` of config.toml again"],
  ],
  network: false,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const [rate = "", ...words] = input.words;
  if (rate.toLowerCase() === SCHEDULE && words.length > 0)
    throw new LuciError("E_USAGE", "The timetable is for everything together, not for single models", {
      hint: `\`luci limit ${SCHEDULE}\` follows it again, \`luci limit off NAME\` takes a model's own limit away`,
    });
  const limitRate = rate.toLowerCase() === SCHEDULE ? SCHEDULE : readRate(rate);
  if (words.length > 0) {
    const body = { limitRate };
    const named = { ...input, words };
    const jobs = await steerJobs(named, front, (job) => ({ method: "PATCH", path: pathOf(job), body }));
    return succeeded({ command: "limit", jobs, runs: [] });
  }
  const peers = await runningPeers(await front.context());
  if (peers.length === 0)
    throw new LuciError("E_NOT_FOUND", "Nothing is running", {
      hint: "`limit-rate` in config.toml limits what will run, `install --limit-rate` one install",
    });
  const request = { method: "PATCH", path: "/v1/settings", body: { limitRate } } as const;
  const ends = await Promise.allSettled(
    peers.map(async (peer) => {
      const { limitRate: limitBytesPerSec } = (await peer.ask(request)) as { limitRate: number | null };
      return { pid: peer.pid, limitBytesPerSec };
    }),
  );
  const runs = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  // One that has just ended, or has no timetable, is no failure, unless it was all there was.
  const [failed] = ends.filter((end) => end.status === "rejected");
  if (failed && runs.length === 0) throw failed.reason;
  return succeeded({ command: "limit", jobs: [], runs });
}

/** @throws LuciError E_USAGE */
function readRate(text: string): number | null {
  if (text.toLowerCase() === "off") return null;
  const rate = parseSize(text);
  if (rate > 0) return rate;
  throw new LuciError("E_USAGE", "A speed limit is more than nothing", {
    hint: "`luci pause` stops downloads, `luci limit off` takes the limit away",
  });
}
