// Waiting for models that others install: their records are looked at, and whoever installs them is followed, so that
// a failure is known as soon as it happens.

import { type AwaitedModel, awaitedModels, findReady } from "../app/find-ready.ts";
import type { Context } from "../app/context.ts";
import { LuciError } from "../domain/errors.ts";
import { type Job, isEnded } from "../domain/job.ts";
import type { WaitResult } from "../domain/ready.ts";
import { formatDuration } from "../domain/size.ts";
import { sleep } from "../platform/clock.ts";
import { findPeers, type Peer } from "./client.ts";

/** How often is looked. */
const LOOK_MS = 300;

export interface WaitOptions {
  readonly words: readonly string[];
  /** Null to wait as long as it takes. */
  readonly timeoutMs: number | null;
}

/**
 * Resolves as soon as every model is ready; what is ready already is so at once.
 * @throws LuciError what a model's install failed with, E_CANCELLED, E_TIMEOUT; the signal's reason
 */
export async function waitReady(context: Context, options: WaitOptions): Promise<WaitResult> {
  const { timeoutMs } = options;
  const deadlineMs = timeoutMs === null ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  const ready: WaitResult["ready"][number][] = [];
  const done = new AbortController();
  const watch = new Watch({ ...context, signal: AbortSignal.any([context.signal, done.signal]) });
  try {
    let pending = await awaitedModels(context, options.words);
    for (;;) {
      const still: AwaitedModel[] = [];
      for (const model of pending) {
        const found = await findReady(context, model);
        if (!found) still.push(model);
        else if (!ready.some(({ path }) => path === found.path)) {
          ready.push(found);
          context.emit({ type: "model.ready", model: found.model, path: found.path });
        }
      }
      if (still.length === 0) return { command: "wait", ready };
      pending = still;
      await watch.look(pending);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw timeoutError(pending, timeoutMs ?? 0);
      await sleep(Math.min(LOOK_MS, leftMs), context.signal);
    }
  } finally {
    done.abort();
  }
}

/** Whoever carries a model that is waited for. */
class Watch {
  readonly #context: Context;
  /** Jobs that were seen under way, and those a daemon gave up before: by their id, the latest last. */
  readonly #seen = new Map<string, Job>();
  /** By their process; each resolves once it is heard. */
  readonly #followed = new Map<number, Promise<void>>();
  /** Jobs whose end was heard since somebody was last asked: what is answered then may be older. */
  readonly #ends = new Set<string>();
  readonly #told = new Set<string>();
  readonly #sinceMs = Date.now();

  constructor(context: Context) {
    this.#context = context;
  }

  /** @throws LuciError what the job of one of these models ended with */
  async look(pending: readonly AwaitedModel[]): Promise<void> {
    const { settings, files, signal } = this.#context;
    const onSilent = (message: string): void => this.#tell("warn", message);
    this.#ends.clear();
    const peers = await findPeers({ homeFolder: settings.homeFolder, files, signal, onSilent });
    const [idle, busy] = [[] as AwaitedModel[], new Set<string>()];
    for (const peer of peers)
      for (const job of peer.jobs) {
        if (pending.some((model) => isMeant(model, job)) && this.#note(peer, job)) busy.add(job.id);
      }
    for (const model of pending) {
      const jobs = [...this.#seen.values()].filter((job) => isMeant(model, job));
      if (jobs.some(({ id, state }) => busy.has(id) || state === "done")) continue;
      const ended = jobs.findLast(isEnded);
      if (ended) throw endOf(ended);
      idle.push(model);
    }
    if (idle.length === 0) return;
    const names = idle.map(({ label }) => label).join(", ");
    this.#tell("info", `Nobody installs ${names} at the moment: waiting until somebody does`);
  }

  /** Takes note of a job; answers whether it is under way. */
  #note(peer: Peer, job: Job): boolean {
    if (this.#ends.has(job.id)) return false;
    const isNew = Date.parse(job.startedAt) >= this.#sinceMs;
    if (isEnded(job) && !this.#seen.has(job.id) && !isNew && !isLastWord(peer, job)) return false;
    this.#seen.delete(job.id);
    this.#seen.set(job.id, job);
    if (isEnded(job)) return false;
    // Whoever reads that may rely on it that its end is heard.
    void (this.#followed.get(peer.pid) ?? this.#follow(peer)).then(() =>
      this.#tell("info", `${job.model}: process ${peer.pid} is at it`),
    );
    return true;
  }

  /** Resolves as soon as the process is heard; it is heard out, also where it ends with its last job. */
  #follow(peer: Peer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#followed.set(peer.pid, promise);
    void this.#hear(peer, resolve);
    return promise;
  }

  async #hear(peer: Peer, onHeard: () => void): Promise<void> {
    for await (const { event, data } of peer.follow("/v1/events?every=100")) {
      onHeard();
      if (event === "download") this.#noteAgain(data as Job);
      if (event === "model.failed" || event === "model.cancelled") this.#noteEnd(event, data as ModelEnd);
    }
    this.#followed.delete(peer.pid);
  }

  #noteAgain(job: Job): void {
    if (!this.#seen.has(job.id)) return;
    this.#seen.set(job.id, job);
    if (isEnded(job)) this.#ends.add(job.id);
  }

  #noteEnd(event: "model.failed" | "model.cancelled", { model, error }: ModelEnd): void {
    for (const job of this.#seen.values()) {
      if (job.model !== model || isEnded(job)) continue;
      const state = event === "model.failed" ? "failed" : "cancelled";
      this.#seen.set(job.id, { ...job, state, error: error ?? null });
      this.#ends.add(job.id);
    }
  }

  /** Everything is said once. */
  #tell(level: "info" | "warn", message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#context.emit({ type: "notice", level, message });
  }
}

interface ModelEnd {
  readonly model: string;
  readonly error?: Job["error"];
}

function isMeant({ label, ref }: AwaitedModel, job: Job): boolean {
  const names = [label.toLowerCase(), ref.toLowerCase()];
  return names.includes(job.model.toLowerCase()) || names.includes(job.ref.toLowerCase());
}

/** Whether a daemon has given this model up, and nobody asked it for it again. */
function isLastWord({ isServe, jobs }: Peer, job: Job): boolean {
  if (!isServe || job.state === "done") return false;
  return jobs.findLast(({ ref }) => ref === job.ref)?.id === job.id;
}

function endOf({ model, ref, state, error }: Job): LuciError {
  if (state === "cancelled" || !error)
    return new LuciError("E_CANCELLED", `${model} was cancelled`, {
      hint: `\`luci install ${ref}\` goes on with it`,
    });
  const { code, message, hint, exit } = error;
  return new LuciError(code, message, { hint, exit });
}

function timeoutError(pending: readonly AwaitedModel[], timeoutMs: number): LuciError {
  const names = pending.map(({ label }) => label).join(", ");
  return new LuciError("E_TIMEOUT", `Not ready after ${formatDuration(timeoutMs)}: ${names}`);
}
