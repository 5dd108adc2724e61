// The queue of a daemon: what was asked for is remembered before it is answered, begins by priority, and outlives
// every end of the process. Nothing in it is lost, and nothing is in it twice.

import { MOST_FILES } from "../app/steering.ts";
import { LuciError, reportError } from "../domain/errors.ts";
import { type Job, isEnded } from "../domain/job.ts";
import type { PartialsPolicy } from "../domain/settings.ts";
import { type Added, type DownloadAsk, sortAsks } from "./download-asks.ts";
import {
  type Entry,
  beginAgain,
  dueEntries,
  endAsAsked,
  hurry,
  hurryForRoom,
  isAgain,
  jobOf,
  hasFailed,
  newEntry,
  rest,
  steerAsRemembered,
  writeChange,
} from "./download-entry.ts";
import { cancelError, cancelledEnd, endedJob, newRow } from "./download-job.ts";
import { nextRetry, retryMessage } from "./download-retry.ts";
import type { DownloadChange } from "./download-rows.ts";
import { type DownloadEnd, DownloadRun, type FailedEnd } from "./download-run.ts";
import type { JobChange, SingleJobs } from "./jobs.ts";
import type { DownloadQueueOptions } from "./queue-options.ts";
import { endedProblem, unknownProblem } from "./run-jobs.ts";

export class DownloadQueue implements SingleJobs {
  readonly #options: DownloadQueueOptions;
  /** By id, in the order they were added. */
  #entries: Map<string, Entry>;
  readonly #stop = new AbortController();

  /** Reads what is remembered; nothing begins yet. */
  constructor(options: DownloadQueueOptions) {
    this.#options = options;
    const rows = options.rows.readAll();
    this.#entries = new Map(rows.map((row) => [row.id, newEntry(row)]));
    options.ledger.onFreed(() => {
      hurryForRoom(this.#open());
      this.#startDue();
    });
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
    for (const entry of this.#entries.values()) hurry(entry);
    await Promise.all([...this.#entries.values()].flatMap(({ run }) => (run ? [run.ended] : [])));
  }

  /**
   * Remembers all of these or none; what is on its way already is not taken up twice, and follows what is said now.
   * @throws Problem 409 where that contradicts what it began with; LuciError the disk's
   */
  add(asks: readonly DownloadAsk[]): Added[] {
    const { rows, nowMs, pid } = this.#options;
    // What has ended makes room for the same once that is written.
    for (const entry of this.#entries.values()) writeChange(entry, rows);
    const open = this.#open().map(({ row }) => row);
    const { fresh, meant } = sortAsks(asks, { open, make: (wish) => newRow(wish, { nowMs: nowMs(), pid }) });
    if (fresh.length > 0) rows.add(fresh);
    for (const row of fresh) this.#entries.set(row.id, newEntry(row));
    const kept = new Set(fresh.length > 0 ? rows.readAll().map(({ id }) => id) : this.#entries.keys());
    this.#entries = new Map([...this.#entries].filter(([id]) => kept.has(id)));
    for (const row of fresh) this.#tell(row.id);
    for (const { id, change } of meant) {
      hurry(this.#entry(id));
      this.#apply(this.#entry(id), change);
    }
    this.#startDue();
    return meant.map(({ id, isNew }) => ({ job: this.get(id), isNew }));
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
      hurry(entry);
      this.#options.steering.handle(id)?.pause();
      this.#tell(id);
    });
  }

  /** One that has failed is queued again, as it was asked. */
  resume(id: string): Job {
    if (hasFailed(this.#entry(id))) return this.#again(this.#entry(id));
    return this.#steer(id, (entry) => {
      hurry(entry);
      if (!entry.row.isPaused) return;
      this.#change(entry, { isPaused: false });
      this.#options.steering.handle(id)?.resume();
      this.#tell(id);
    });
  }

  change(id: string, change: JobChange): Job {
    return this.#steer(id, (entry) => this.#apply(entry, change));
  }

  /** Of one that has failed it is the news that goes. */
  cancel(id: string, partials: PartialsPolicy | null): Job {
    if (partials !== "delete" && hasFailed(this.#entry(id))) return this.#dismiss(this.#entry(id));
    return this.#steer(id, (entry) => {
      const { row, run } = entry;
      // Whoever has tried to delete in vain may still let them lie.
      if (row.cancel !== null && (partials !== "resume" || row.cancel === "resume")) return;
      const cancel = partials ?? row.partials ?? this.#options.partials;
      this.#change(entry, { cancel });
      hurry(entry);
      const handle = this.#options.steering.handle(id);
      if (handle) handle.cancel(cancel);
      // Only the plan tells which files are to be deleted: until then it goes on.
      else if (cancel === "resume" && run) run.abandon(cancelError(row));
      else if (cancel === "resume") this.#end(entry, cancelledEnd(row));
    });
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw unknownProblem(id);
  }

  #open(): Entry[] {
    return [...this.#entries.values()].filter(({ row }) => row.endedAt === null);
  }

  #again(entry: Entry): Job {
    for (const one of this.#entries.values()) writeChange(one, this.#options.rows);
    const { row } = entry;
    const [added] = this.#open().some((open) => open.row.ref === row.ref) ? this.add([row]) : [];
    // Whoever asked for the same meanwhile has it on its way.
    if (added) return added.job;
    this.#change(entry, { cancel: null, isPaused: false, endedAt: null });
    beginAgain(entry);
    this.#tell(row.id);
    this.#startDue();
    return this.#job(entry);
  }

  #dismiss(entry: Entry): Job {
    this.#change(entry, { job: endedJob(this.#job(entry), cancelledEnd(entry.row)) });
    this.#tell(entry.row.id);
    return this.#job(entry);
  }

  #job(entry: Entry): Job {
    return jobOf(entry, { nowMs: this.#options.nowMs(), pid: this.#options.pid });
  }

  #steer(id: string, act: (entry: Entry) => void): Job {
    const entry = this.#entry(id);
    const job = this.#job(entry);
    if (isEnded(job)) throw endedProblem(job);
    act(entry);
    this.#startDue();
    return this.#job(entry);
  }

  #apply(entry: Entry, { priority, limitBytesPerSec }: JobChange): void {
    if (priority === undefined && limitBytesPerSec === undefined) return;
    this.#change(entry, {
      ...(priority === undefined ? {} : { priority }),
      ...(limitBytesPerSec === undefined ? {} : { limitBytesPerSec }),
    });
    steerAsRemembered(entry, this.#options.steering);
    this.#tell(entry.row.id);
  }

  /** First on the disk, then in memory: what is answered is remembered. */
  #change(entry: Entry, change: DownloadChange): void {
    writeChange(entry, this.#options.rows, change);
  }

  /** As many as there are places begin, the most important first; which files get the places is the steering's to say. */
  #startDue(): void {
    if (this.#stop.signal.aborted) return;
    for (const entry of dueEntries(this.#open(), MOST_FILES)) if (!entry.run) void this.#carry(entry);
  }

  async #carry(entry: Entry): Promise<void> {
    const { contextFor, publish, ledger } = this.#options;
    const onCarried = (): void => {
      this.#note(entry, { job: this.#job(entry) });
      steerAsRemembered(entry, this.#options.steering);
    };
    const beforeBytes = entry.row.job.doneBytes;
    const { row, allowances } = entry;
    const scene = { row, allowances, stop: this.#stop.signal, contextFor, publish, ledger };
    entry.run = new DownloadRun({ ...scene, onCarried, onReady: () => this.#startDue() });
    const end = await entry.run.ended;
    if (end.state === "stopped") this.#note(entry, { job: this.#job(entry) });
    else if (end.state === "failed" && isAgain(entry.row, end)) this.#retry(entry, { end, beforeBytes });
    else this.#end(entry, end);
    entry.run = null;
    this.#startDue();
  }

  /** It stays in the queue, others get its place, and it is tried again. */
  #retry(entry: Entry, { end, beforeBytes }: { end: FailedEnd; beforeBytes: number }): void {
    const { publish, nowMs } = this.#options;
    const job = this.#job(entry);
    const { error } = endAsAsked(entry.row, end);
    const hasMoved = job.doneBytes > beforeBytes;
    const retry = nextRetry(entry.retry, { ...end, error, hasMoved, nowMs: nowMs() });
    rest(entry, retry, { onDue: () => this.#startDue() });
    this.#note(entry, { job });
    publish({ type: "notice", level: "warn", model: job.model, message: retryMessage(retry) });
    this.#tell(entry.row.id);
  }

  #end(entry: Entry, end: Exclude<DownloadEnd, { state: "stopped" }>): void {
    const asked = endAsAsked(entry.row, end);
    const endedAt = new Date(this.#options.nowMs()).toISOString();
    this.#note(entry, { endedAt, job: endedJob(this.#job(entry), asked) });
    this.#tell(entry.row.id);
  }

  /** What has happened is so, remembered or not: what is not is written with the next change, or begins again one day. */
  #note(entry: Entry, change: DownloadChange): void {
    try {
      this.#change(entry, change);
    } catch (thrown) {
      entry.row = { ...entry.row, ...change };
      entry.unwritten = { ...entry.unwritten, ...change };
      const message = `The queue could not be written: ${reportError(thrown).message}`;
      this.#options.publish({ type: "notice", level: "warn", message });
    }
  }

  #tell(id: string): void {
    const { ref, model, state } = this.get(id);
    this.#options.publish({ type: "download.changed", id, ref, model, state });
  }
}
