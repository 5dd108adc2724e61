// Which jobs a person means, in all processes, and what is asked of each of them.

import type { Context } from "../app/context.ts";
import { findPeers, type Peer } from "../control/client.ts";
import { LuciError, toLuciError } from "../domain/errors.ts";
import { type Job, currentJobs, isEnded } from "../domain/job.ts";
import type { LocalRequest } from "../platform/http-local.ts";
import type { Input, Front } from "./command.ts";
import { nearest } from "./nearest.ts";

/** A job and whoever carries it. */
interface Target {
  readonly peer: Peer;
  readonly job: Job;
}

/** On every command that may steer all jobs: names of some of them … */
export const JOB_NAMES = {
  name: { type: "positional", required: false, description: "models or ids, as `luci ps` shows them" },
} as const;
/** … as many as one likes, … */
export const JOB_WORDS = { min: 0, max: Number.POSITIVE_INFINITY, missing: "" } as const;
/** … or this. */
export const ALL_FLAG = {
  all: { type: "boolean", description: "Every job of every luci of yours" },
} as const;

/** Whoever runs: who answers, and the processes that do not. */
export interface Running {
  readonly peers: readonly Peer[];
  readonly silent: readonly number[];
}

/** Every process of this user that has jobs, with those of its jobs that are meant: all that have not ended. */
export async function runningPeers(
  { settings, files, signal, emit }: Context,
  meansOf: (jobs: readonly Job[]) => Job[] = (jobs) => jobs.filter((job) => !isEnded(job)),
): Promise<Running> {
  const silent: number[] = [];
  const onSilent = (message: string, pid: number): void => {
    silent.push(pid);
    emit({ type: "notice", level: "warn", message });
  };
  const peers = await findPeers({ homeFolder: settings.homeFolder, files, signal, onSilent });
  return {
    peers: peers.map((peer) => ({ ...peer, jobs: meansOf(peer.jobs) })),
    silent,
  };
}

/** What is said where there is nothing to steer: nobody runs, or nobody who runs answers. */
export function nothingToSteer(silent: readonly number[], hint: string): LuciError {
  const [pid] = silent;
  if (pid === undefined) return new LuciError("E_NOT_FOUND", "Nothing is running", { hint });
  return new LuciError("E_NETWORK", `pid ${silent.join(", ")} could not be reached`, {
    hint: `It may be stopped (Ctrl-Z): \`kill -CONT ${pid}\` or \`fg\` lets it go on`,
  });
}

/** What `ps` shows: also what failed of late. */
export function shownJobs(jobs: readonly Job[]): Job[] {
  return currentJobs(jobs, Date.now());
}

/** What a command asks of one job. */
type AskOf = (job: Job) => Omit<LocalRequest, "signal">;

/**
 * Asks the same of all jobs that are meant, and answers them as they are afterwards.
 * @throws LuciError E_NOT_FOUND when none is, E_USAGE when nobody said which
 */
export async function steerJobs(
  input: Input,
  front: Front,
  { askOf, meansOf }: { readonly askOf: AskOf; readonly meansOf?: (jobs: readonly Job[]) => Job[] },
): Promise<Job[]> {
  if (input.on("all") === input.words.length > 0) {
    const message = input.on("all") ? "`--all` and a name together: which?" : "Which job?";
    throw new LuciError("E_USAGE", message, { hint: "Give the name or id that `luci ps` shows, or --all" });
  }
  const running = await runningPeers(await front.context(), meansOf);
  const targets = meant(input.on("all") ? null : input.words, running);
  const ends = await Promise.allSettled(
    targets.map(async ({ peer, job }) => (await peer.ask(askOf(job))) as Job),
  );
  const jobs = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  // What ended just then is no failure, unless it was all there was.
  const [failed] = ends.filter((end) => end.status === "rejected");
  if (failed && (jobs.length === 0 || toLuciError(failed.reason).code !== "E_NOT_FOUND")) throw failed.reason;
  return jobs;
}

/** Jobs of these names or ids; all of them for null. @throws LuciError E_NOT_FOUND, E_NETWORK */
function meant(words: readonly string[] | null, { peers, silent }: Running): Target[] {
  const all = peers.flatMap((peer) => peer.jobs.map((job) => ({ peer, job })));
  if (all.length === 0)
    throw nothingToSteer(silent, "`luci install <name>` starts a download, `luci ps` shows it");
  const chosen = (words ?? []).flatMap((word) => {
    const found = all.filter(({ job }) => isCalled(job, word));
    if (found.length === 0) throw unknownJob(word, all);
    return found;
  });
  return words === null ? all : [...new Set(chosen)];
}

function isCalled({ id, model, ref }: Job, word: string): boolean {
  const wanted = word.toLowerCase();
  return id === word || model.toLowerCase() === wanted || ref.toLowerCase() === wanted;
}

function unknownJob(word: string, all: readonly Target[]): LuciError {
  const names = [...new Set(all.flatMap(({ job }) => [job.model, job.id]))];
  const guess = nearest(word, names);
  const running = [...new Set(all.map(({ job }) => job.model))].join(", ");
  const hint = guess === null ? `Running: ${running}` : `Did you mean \`${guess}\`?`;
  return new LuciError("E_NOT_FOUND", `No running job is called ${word}`, { hint });
}

/** The address of a job, and of something below it. */
export function pathOf({ id }: Job, below = ""): string {
  return `/v1/downloads/${encodeURIComponent(id)}${below}`;
}
