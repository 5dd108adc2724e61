// `luci limit`: another speed limit for what runs, at once; of everything, or of single models.

import { LuciError, toLuciError } from "../domain/errors.ts";
import { parseRate } from "../domain/size.ts";
import { type Command, type Front, type Input, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";
import { nothingToSteer, pathOf, runningPeers, steerJobs } from "./job-words.ts";

/** Instead of a rate: what the hour says, and what the settings say. */
const SCHEDULE = "schedule";
const DEFAULT = "default";
const OFF = "off";

export const limitCommand: Command = {
  name: "limit",
  summary: "Change the speed limit of what runs, at once",
  args: {
    rate: {
      type: "positional",
      required: true,
      description: "20M, 500k, off (or 0), schedule or default; then models or ids",
    },
    ...COMMON_FLAGS,
  },
  words: {
    min: 1,
    lacks: "needs a rate",
    max: Number.POSITIVE_INFINITY,
    missing: "`luci limit 20M` limits every running luci, `luci limit off` ends that",
  },
  examples: [
    ["luci limit 5M", "each running luci as a whole"],
    ["luci limit 500k mistral", "one model, under the limit of the whole"],
    ["luci limit off", "no limit any more"],
    ["luci limit schedule", "follow `[limit]` of config.toml again"],
    ["luci limit default", "what each of them was started with; `luci serve` remembers until then"],
  ],
  network: false,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const [rate = "", ...words] = input.words;
  const word = rate.toLowerCase();
  if (word === SCHEDULE && words.length > 0)
    throw new LuciError("E_USAGE", "The timetable is for everything together, not for single models", {
      hint: `\`luci limit ${SCHEDULE}\` follows it again, \`luci limit off NAME\` takes a model's own limit away`,
    });
  const limitRate = word === SCHEDULE ? SCHEDULE : word === DEFAULT ? null : (parseRate(rate) ?? OFF);
  if (words.length > 0) {
    const body = { limitRate };
    const named = { ...input, words };
    const jobs = await steerJobs(named, front, {
      askOf: (job) => ({ method: "PATCH", path: pathOf(job), body }),
    });
    return succeeded({ command: "limit", jobs, runs: [] });
  }
  const { peers, silent } = await runningPeers(await front.context());
  if (peers.length === 0)
    throw nothingToSteer(
      silent,
      "`limit-rate` in config.toml limits what will run, `install --limit-rate` one install",
    );
  const request = { method: "PATCH", path: "/v1/settings", body: { limitRate } } as const;
  const runs = await settledRuns(
    peers.map(async (peer) => {
      const { limitRate: limitBytesPerSec } = (await peer.ask(request)) as { limitRate: number | null };
      return { pid: peer.pid, limitBytesPerSec };
    }),
  );
  return succeeded({ command: "limit", jobs: [], runs });
}

/** No failure, unless it is all there was: one that has just ended, and one that has no timetable to follow. */
const HARMLESS: ReadonlySet<string> = new Set(["E_NOT_FOUND", "E_CONFIG"]);

/** The answers of those that gave one. @throws what was refused; E_NOT_FOUND where all had ended just then */
async function settledRuns<Run>(asked: readonly Promise<Run>[]): Promise<Run[]> {
  const ends = await Promise.allSettled(asked);
  const runs = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  const refused = ends.flatMap((end) => (end.status === "rejected" ? [toLuciError(end.reason)] : []));
  const failed = refused.find(({ code }) => !HARMLESS.has(code)) ?? (runs.length === 0 ? refused[0] : null);
  if (failed) throw failed;
  return runs;
}
