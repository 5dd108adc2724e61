// The hands on everything that runs: what all models share (gate, speed limit, places, connections), and a handle
// for each of them. Knows no files and no network; who steers, and from where, is others' business.

import { LuciError } from "../domain/errors.ts";
import type { Emit } from "../domain/events.ts";
import type { RateTimetable } from "../domain/rate-timetable.ts";
import type { PartialsPolicy } from "../domain/settings.ts";
import { every } from "../platform/clock.ts";
import { Gate } from "../transfer/gate.ts";
import { type ChangeableLimiter, createLimiter } from "../transfer/limiter.ts";
import { type ConnectionPool, createConnectionPool } from "../transfer/pool.ts";
import { type Lane, TaskQueue } from "../transfer/queue.ts";
import type { JobAllowances } from "./job-allowances.ts";
import { RateSchedule } from "./rate-schedule.ts";

/** Places for files: every file has a connection of its own, no host is asked for more at once. */
export const MOST_FILES = 16;
/** Why a job's gate is shut. */
const PAUSED = "paused";
/** How often the clock is looked at, where there is a timetable. */
const CLOCK_MS = 500;

export interface SteeringOptions {
  /** For everything together; null for none. */
  readonly limitBytesPerSec: number | null;
  /** The limit by hours, in whose gaps the other one holds. */
  readonly limitTimetable?: RateTimetable | null;
  /** Connections for each file; null to adapt. */
  readonly connections: number | null;
  /** Whether a more important model takes the places of less important ones. */
  readonly preempt?: boolean;
  readonly pid: number;
  readonly emit: Emit;
  /** The wall clock and its ticks; the machine's own unless given. */
  readonly clock?: { now(): Date; readonly every: typeof every };
}

/** How a job begins. What is not said is as usual. */
export interface JobStart {
  readonly id?: string;
  readonly priority?: number;
  readonly limitBytesPerSec?: number | null;
  readonly isPaused?: boolean;
}

/** A job that may be somebody's queue's. */
export interface QueuedJob extends JobStart {
  /** Only where the queue tries again by itself what passes: what the files may cost over all attempts. */
  readonly allowances?: JobAllowances;
}

/** A model that is about to be carried. */
export interface JobWish extends JobStart {
  readonly model: string;
  readonly ref: string;
  readonly files: number;
  readonly totalBytes: number | null;
  readonly presentBytes: number;
  readonly emit: Emit;
  /** Of the run it belongs to; the one above all runs unless given. */
  readonly gate?: Gate;
}

/** What the jobs of one process share, and a handle for each that has not ended. */
export class Steering {
  /** Shut while nothing at all may be fetched. */
  readonly gate = new Gate();
  readonly limiter: ChangeableLimiter;
  readonly pool: ConnectionPool;
  readonly queue: TaskQueue;
  readonly #options: SteeringOptions;
  readonly #handles = new Map<string, JobHandle>();
  readonly #schedule: RateSchedule | null;
  #isTicking = false;
  #count = 0;

  constructor(options: SteeringOptions) {
    const { connections: fixed, limitBytesPerSec, limitTimetable: timetable, preempt = false } = options;
    this.#options = options;
    const now = options.clock?.now ?? (() => new Date());
    this.#schedule = timetable
      ? new RateSchedule({ timetable, plainBytesPerSec: limitBytesPerSec, now })
      : null;
    this.limiter = createLimiter(this.#schedule ? this.#schedule.look().bytesPerSec : limitBytesPerSec);
    this.pool = createConnectionPool({ fixed, now: () => performance.now(), every });
    this.queue = new TaskQueue({ capacity: MOST_FILES, preempt });
  }

  /** The handle of a job, or null if there is none that has not ended. */
  handle(id: string): JobHandle | null {
    return this.#handles.get(id) ?? null;
  }

  /** A model becomes a job: it is said, and can be steered until it is closed. */
  open(wish: JobWish): JobHandle {
    this.#followClock();
    this.#count += 1;
    const id = wish.id ?? `${this.#options.pid}-${this.#count}`;
    const { emit, model, ref, files, totalBytes, presentBytes, priority = 0, limitBytesPerSec = null } = wish;
    const limiter = createLimiter(limitBytesPerSec, this.limiter);
    const lane = this.queue.lane(priority);
    const handle = new JobHandle({ id, model, emit, lane, limiter, gate: new Gate(wish.gate ?? this.gate) });
    this.#handles.set(id, handle);
    const counts = { files, totalBytes, presentBytes };
    emit({ type: "model.queued", model, id, ref, ...counts, priority, limitBytesPerSec });
    if (wish.isPaused) handle.pause();
    return handle;
  }

  /** A job has ended: nobody can steer it any more. */
  close({ id }: JobHandle): void {
    this.#handles.delete(id);
  }

  /** The speed limit of everything together, and who decides it; `settings` where there is no timetable. */
  get limit(): { readonly bytesPerSec: number | null; readonly by: "hand" | "timetable" | "settings" } {
    this.#applyHour();
    return this.#schedule?.look() ?? { bytesPerSec: this.limiter.bytesPerSec, by: "settings" };
  }

  /** The speed limit of everything together, null for none; where there is a timetable, until its next boundary. */
  setLimit(limitBytesPerSec: number | null): void {
    this.#schedule?.override(limitBytesPerSec);
    this.limiter.setRate(limitBytesPerSec);
    this.#options.emit({ type: "run.limited", limitBytesPerSec });
  }

  /** Back to what it began with: the timetable where there is one, else the limit of its settings. */
  resetLimit(): void {
    if (this.#schedule) return this.followTimetable();
    this.setLimit(this.#options.limitBytesPerSec);
  }

  /** Back to the timetable. @throws LuciError E_CONFIG where there is none */
  followTimetable(): void {
    if (!this.#schedule)
      throw new LuciError("E_CONFIG", "There is no timetable to follow", {
        hint: "`[limit]` in config.toml makes one, for what is started without `--limit-rate`",
      });
    this.#schedule.follow();
    this.#applyHour();
  }

  #followClock(): void {
    if (!this.#schedule || this.#isTicking) return;
    this.#isTicking = true;
    const tick = this.#options.clock?.every ?? every;
    // Ends with the process: what it steers does, too.
    tick(CLOCK_MS, () => this.#applyHour());
    this.#applyHour();
  }

  #applyHour(): void {
    const choice = this.#schedule?.look();
    if (!choice || choice.bytesPerSec === this.limiter.bytesPerSec) return;
    this.limiter.setRate(choice.bytesPerSec);
    this.#options.emit({ type: "run.limited", limitBytesPerSec: choice.bytesPerSec, by: "timetable" });
  }
}

interface Parts {
  readonly id: string;
  readonly model: string;
  readonly emit: Emit;
  readonly lane: Lane;
  readonly gate: Gate;
  readonly limiter: ChangeableLimiter;
}

/** One model's reins. Everything may be said twice: the second time it changes nothing. */
export class JobHandle {
  readonly id: string;
  readonly model: string;
  /** Its files' part of the queue. */
  readonly lane: Lane;
  /** Shut while the model is paused. */
  readonly gate: Gate;
  /** The model's own limit, under the run's. */
  readonly limiter: ChangeableLimiter;
  readonly #emit: Emit;
  readonly #abort = new AbortController();
  #isPaused = false;
  #partials: PartialsPolicy | null = null;

  constructor({ id, model, emit, lane, gate, limiter }: Parts) {
    this.id = id;
    this.model = model;
    this.lane = lane;
    this.gate = gate;
    this.limiter = limiter;
    this.#emit = emit;
  }

  /** Aborts when the model is given up, with the reason. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What a cancel does with unfinished files, where it said so. */
  get partials(): PartialsPolicy | null {
    return this.#partials;
  }

  get isCancelled(): boolean {
    return this.signal.reason instanceof LuciError && this.signal.reason.code === "E_CANCELLED";
  }

  /** Requests under way are given up, what arrived becomes durable, and others get the model's places. */
  pause(): void {
    if (this.#isPaused || this.signal.aborted) return;
    this.#isPaused = true;
    // In this order: what is written when the requests end is not to start anew.
    this.gate.shut(PAUSED);
    this.lane.hold();
    this.#emit({ type: "model.paused", model: this.model });
  }

  /** It goes on as soon as there is a place for it. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#emit({ type: "model.resumed", model: this.model });
    this.gate.reopen(PAUSED);
    this.lane.release();
  }

  /** The model is given up; its unfinished files are kept or deleted as said here, else as the settings say. */
  cancel(partials: PartialsPolicy | null = null): void {
    this.#partials ??= partials;
    this.giveUp(new LuciError("E_CANCELLED", `${this.model} was cancelled`));
  }

  /** The model cannot become whole any more. The first reason counts. */
  giveUp(reason: LuciError): void {
    this.#abort.abort(reason);
  }

  /** Higher ones start first; what runs already goes on. */
  setPriority(priority: number): void {
    if (priority === this.lane.priority) return;
    this.lane.setPriority(priority);
    this.#tell();
  }

  /** The model's own speed limit; null for none. */
  setLimit(limitBytesPerSec: number | null): void {
    if (limitBytesPerSec === this.limiter.bytesPerSec) return;
    this.limiter.setRate(limitBytesPerSec);
    this.#tell();
  }

  #tell(): void {
    const { priority } = this.lane;
    const limitBytesPerSec = this.limiter.bytesPerSec;
    this.#emit({ type: "model.steered", model: this.model, priority, limitBytesPerSec });
  }
}
