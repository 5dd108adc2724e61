// The queue of a daemon: what was asked for is remembered before it is answered, begins by priority, and outlives
// every end of the process. Nothing in it is lost, and nothing is in it twice.

import { randomBytes } from "node:crypto";
import type { Context } from "../app/context.ts";
import { MOST_FILES, type Steering } from "../app/steering.ts";
import { LuciError, reportError } from "../domain/errors.ts";
import type { Emit, LuciEvent, LuciEventBody } from "../domain/events.ts";
import { type Job, isEnded } from "../domain/job.ts";
import type { PartialsPolicy } from "../domain/settings.ts";
import { cancelError, cancelledEnd, endedJob, newJob, restingJob } from "./download-job.ts";
import type { DownloadChange, DownloadRow, DownloadRows, DownloadWish } from "./download-rows.ts";
import { type DownloadEnd, DownloadRun } from "./download-run.ts";
import type { JobChange, Jobs, RunSettings, RunSettingsChange } from "./jobs.ts";
import { changeRunSettings, endedProblem, runSettings, unknownProblem } from "./run-jobs.ts";

export interface DownloadQueueOptions {
  readonly rows: DownloadRows;
  readonly steering: Steering;
  /** What a cancel does with unfinished files where nobody said it. */
  readonly partials: PartialsPolicy;
  readonly pid: number;
  nowMs(): number;
  contextFor(run: { readonly emit: Emit; readonly signal: AbortSignal }): Context;
  /** Numbers an event and tells everybody. */
  publish(body: LuciEventBody): LuciEvent;
}

/** A download that was asked for: a new one, or the one that does it already. */
export interface Added {
  readonly job: Job;
  readonly isNew: boolean;
}

interface Entry {
  row: DownloadRow;
  run: DownloadRun | null;
}

export class DownloadQueue implements Jobs {
  readonly #options: DownloadQueueOptions;
  /** By id, in the order they were added. */
  #entries: Map<string, Entry>;
  readonly #stop = new AbortController();

  /** Reads what is remembered; nothing begins yet. */
  constructor(options: DownloadQueueOptions) {
    this.#options = options;
    const rows = options.rows.readAll();
    this.#entries = new Map(rows.map((row) => [row.id, { row, run: null }]));
  }

  /** Begins what is due, now and whenever something changes. */
  start(): void {
    for (const entry of this.#open())
      if (entry.row.cancel === "resume") this.#end(entry, cancelledEnd(entry.row));
    this.#startDue();
  }

  /** Gives up everything that runs, keeps its bytes, and leaves it in the queue. */
  async stop(): Promise<void> {
    this.#stop.abort(new LuciError("E_INTERRUPTED", "luci serve is ending"));
    await Promise.all([...this.#entries.values()].flatMap(({ run }) => (run ? [run.ended] : [])));
  }

  /** Remembers all of these or none; what is on its way already is not taken up twice. @throws LuciError the disk's */
  add(wishes: readonly DownloadWish[]): Added[] {
    const { rows, nowMs, pid } = this.#options;
    const onTheirWay = new Map(this.#open().map((entry) => [entry.row.ref, entry.row.id]));
    const fresh: DownloadRow[] = [];
    const ids = wishes.map((wish) => {
      const known = onTheirWay.get(wish.ref);
      if (known !== undefined) return { id: known, isNew: false };
      const id = randomBytes(4).toString("hex");
      const createdAt = new Date(nowMs()).toISOString();
      const job = newJob(wish, { id, createdAt, pid });
      fresh.push({ ...wish, id, cancel: null, createdAt, endedAt: null, job });
      onTheirWay.set(wish.ref, id);
      return { id, isNew: true };
    });
    if (fresh.length > 0) rows.add(fresh);
    for (const row of fresh) this.#entries.set(row.id, { row, run: null });
    const kept = new Set(fresh.length > 0 ? rows.readAll().map(({ id }) => id) : this.#entries.keys());
    this.#entries = new Map([...this.#entries].filter(([id]) => kept.has(id)));
    for (const row of fresh) this.#tell(row.id);
    this.#startDue();
    return ids.map(({ id, isNew }) => ({ job: this.get(id), isNew }));
  }

  /** How many have not ended. */
  get openCount(): number {
    return this.#open().length;
  }

  list(): Job[] {
    return [...this.#entries.values()].map((entry) => this.#job(entry));
  }

  get(id: string): Job {
    return this.#job(this.#entry(id));
  }

  pause(id: string): Job {
    return this.#steer(id, (entry) => {
      if (entry.row.isPaused) return;
      this.#change(entry, { isPaused: true, job: this.#job(entry) });
      this.#options.steering.handle(id)?.pause();
      this.#tell(id);
    });
  }

  resume(id: string): Job {
    return this.#steer(id, (entry) => {
      if (!entry.row.isPaused) return;
      this.#change(entry, { isPaused: false });
      this.#options.steering.handle(id)?.resume();
      this.#tell(id);
    });
  }

  change(id: string, { priority, limitBytesPerSec }: JobChange): Job {
    return this.#steer(id, (entry) => {
      const change = {
        ...(priority === undefined ? {} : { priority }),
        ...(limitBytesPerSec === undefined ? {} : { limitBytesPerSec }),
      };
      if (Object.keys(change).length === 0) return;
      this.#change(entry, change);
      this.#steerAsRemembered(entry);
      this.#tell(id);
    });
  }

  cancel(id: string, partials: PartialsPolicy | null): Job {
    return this.#steer(id, (entry) => {
      const { row, run } = entry;
      if (row.cancel !== null) return;
      const cancel = partials ?? row.partials ?? this.#options.partials;
      this.#change(entry, { cancel });
      const handle = this.#options.steering.handle(id);
      if (handle) handle.cancel(cancel);
      // Only the plan tells which files are to be deleted: until then it goes on.
      else if (cancel === "resume" && run) run.abandon(cancelError(row));
      else if (cancel === "resume") this.#end(entry, cancelledEnd(row));
    });
  }

  settings(): RunSettings {
    return runSettings(this.#options.steering);
  }

  changeSettings(change: RunSettingsChange): RunSettings {
    return changeRunSettings(this.#options.steering, change);
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw unknownProblem(id);
  }

  #open(): Entry[] {
    return [...this.#entries.values()].filter(({ row }) => row.endedAt === null);
  }

  #job({ row, run }: Entry): Job {
    const { nowMs, pid } = this.#options;
    if (row.endedAt !== null) return row.job;
    const live = run?.job(nowMs(), pid) ?? null;
    return live === null ? restingJob(row, pid) : { ...live, startedAt: row.createdAt };
  }

  #steer(id: string, act: (entry: Entry) => void): Job {
    const entry = this.#entry(id);
    const job = this.#job(entry);
    if (isEnded(job)) throw endedProblem(job);
    act(entry);
    this.#startDue();
    return this.#job(entry);
  }

  /** First on the disk, then in memory: what is answered is remembered. */
  #change(entry: Entry, change: DownloadChange): void {
    this.#options.rows.change(entry.row.id, change);
    entry.row = { ...entry.row, ...change };
  }

  /** As many as there are places begin, the most important first; which files get the places is the steering's to say. */
  #startDue(): void {
    if (this.#stop.signal.aborted) return;
    const due = this.#open()
      .filter(({ row }) => !row.isPaused || row.cancel !== null)
      .toSorted((one, other) => other.row.priority - one.row.priority);
    const doomed = due.filter(({ row }) => row.cancel !== null);
    for (const entry of [...doomed, ...due.slice(0, MOST_FILES)]) if (!entry.run) void this.#carry(entry);
  }

  async #carry(entry: Entry): Promise<void> {
    const { contextFor, publish } = this.#options;
    const onCarried = (): void => {
      this.#note(entry, { job: this.#job(entry) });
      this.#steerAsRemembered(entry);
    };
    entry.run = new DownloadRun({ row: entry.row, stop: this.#stop.signal, contextFor, publish, onCarried });
    const end = await entry.run.ended;
    if (end.state === "stopped") this.#note(entry, { job: this.#job(entry) });
    else this.#end(entry, end);
    entry.run = null;
    this.#startDue();
  }

  /** What was said before there was anything to steer. */
  #steerAsRemembered({ row }: Entry): void {
    const handle = this.#options.steering.handle(row.id);
    if (!handle) return;
    handle.setPriority(row.priority);
    handle.setLimit(row.limitBytesPerSec);
    if (row.isPaused) handle.pause();
    if (row.cancel !== null) handle.cancel(row.cancel);
  }

  #end(entry: Entry, end: Exclude<DownloadEnd, { state: "stopped" }>): void {
    const asked = entry.row.cancel !== null && end.state === "failed" ? cancelledEnd(entry.row) : end;
    const endedAt = new Date(this.#options.nowMs()).toISOString();
    this.#note(entry, { endedAt, job: endedJob(this.#job(entry), asked) });
    this.#tell(entry.row.id);
  }

  /** What has happened is so, remembered or not: what is not begins again one day, and finds itself done. */
  #note(entry: Entry, change: DownloadChange): void {
    try {
      this.#change(entry, change);
    } catch (thrown) {
      entry.row = { ...entry.row, ...change };
      const message = `The queue could not be written: ${reportError(thrown).message}`;
      this.#options.publish({ type: "notice", level: "warn", message });
    }
  }

  #tell(id: string): void {
    const { ref, model, state } = this.get(id);
    this.#options.publish({ type: "download.changed", id, ref, model, state });
  }
}
