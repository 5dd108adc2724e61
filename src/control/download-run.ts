// One download under way: an install of its own, whose events become its progress. Knows no queue and no table.

import type { Context, SharedRoom } from "../app/context.ts";
import { install, type InstallOptions } from "../app/install.ts";
import type { JobAllowances } from "../app/job-allowances.ts";
import type { JobStart } from "../app/steering.ts";
import { type ErrorReport, type LuciError, reportError, toLuciError } from "../domain/errors.ts";
import type { Emit, LuciEvent, LuciEventBody } from "../domain/events.ts";
import { type Job, jobsOf } from "../domain/job.ts";
import { NO_PROGRESS, progressAt, reduceProgress } from "../domain/progress.ts";
import { parseRefs } from "../domain/ref.ts";
import type { Receipt } from "../domain/results.ts";
import type { DownloadRow } from "./download-rows.ts";
import type { RoomAccount, RoomLedger } from "./room-ledger.ts";

/** How a download ended; `stopped` when the daemon did, and it has to go on another time. */
export type DownloadEnd =
  | { readonly state: "done"; readonly receipt: Receipt }
  | { readonly state: "cancelled"; readonly error: ErrorReport }
  | FailedEnd
  | { readonly state: "stopped" };

export interface FailedEnd {
  readonly state: "failed";
  readonly error: ErrorReport;
  /** Whether the same may go well another time, with nothing changed here. */
  readonly isPassing: boolean;
  readonly retryAfterMs: number | null;
}

/** What the context of a download is made of. */
export interface RunScene {
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly room: SharedRoom;
}

export interface DownloadRunOptions {
  readonly row: DownloadRow;
  /** What its files may cost, over all attempts. */
  readonly allowances: JobAllowances;
  /** Aborts when the daemon is to end. */
  readonly stop: AbortSignal;
  /** Makes the context that the install works with. */
  contextFor(run: RunScene): Context;
  /** Where it takes its room on the disk. */
  readonly ledger: RoomLedger;
  /** Numbers an event and tells everybody. */
  publish(body: LuciEventBody): LuciEvent;
  /** It can be steered from now on. */
  onCarried(): void;
  /** The model is there, and needs no place any more. */
  onReady(): void;
}

/** What an install says of itself as a command is nobody's business here. */
const UNTOLD: ReadonlySet<LuciEventBody["type"]> = new Set(["run.started", "interrupted", "result"]);

export class DownloadRun {
  readonly ended: Promise<DownloadEnd>;
  readonly #options: DownloadRunOptions;
  readonly #own = new AbortController();
  readonly #room: RoomAccount;
  #progress = NO_PROGRESS;
  /** Told when it is sure that this was the last attempt. */
  #failure: LuciEventBody | null = null;
  #ready: Pick<Job, "state" | "model" | "path" | "endedAt"> | null = null;

  constructor(options: DownloadRunOptions) {
    this.#options = options;
    this.#room = options.ledger.open(() => [this.job(0, 0)].filter((job) => job !== null));
    this.ended = this.#run();
  }

  /** How far it is; null before its plan is known, and where all of it was there already. */
  job(nowMs: number, pid: number): Job | null {
    const atMs = Math.max(nowMs, this.#progress.atMs);
    return (
      jobsOf(progressAt(this.#progress, atMs), pid).find(({ id }) => id === this.#options.row.id) ?? null
    );
  }

  /** What is known of a model that is there, also of one that was before; what still runs is a hook. */
  get ready(): Pick<Job, "state" | "model" | "path" | "endedAt"> | null {
    return this.#ready;
  }

  /** Gives it up before it could be steered. */
  abandon(reason: Error): void {
    this.#own.abort(reason);
  }

  readonly #hear: Emit = (body) => {
    if (UNTOLD.has(body.type)) return;
    // Whether it has failed for good is known at its end; whoever tries it again says so.
    if (body.type === "model.failed") this.#failure = body;
    else this.#tell(body);
  };

  #tell(body: LuciEventBody): void {
    const event = this.#options.publish(body);
    this.#progress = reduceProgress(this.#progress, event);
    if (body.type === "model.queued") this.#options.onCarried();
    if (body.type !== "model.ready") return;
    const endedAt = new Date(event.atMs).toISOString();
    this.#ready = { state: "done", model: body.model, path: body.path, endedAt };
    this.#room.close();
    this.#options.onReady();
  }

  async #run(): Promise<DownloadEnd> {
    const { stop, contextFor } = this.#options;
    // Whoever made this run has to know it before it speaks.
    await Promise.resolve();
    try {
      const signal = AbortSignal.any([stop, this.#own.signal]);
      const context = contextFor({ emit: this.#hear, signal, room: this.#room });
      const end = await this.#install(context);
      if (this.#failure && !(end.state === "failed" && end.isPassing)) this.#tell(this.#failure);
      return end;
    } catch (thrown) {
      return stop.aborted ? { state: "stopped" } : failedEnd(toLuciError(thrown));
    } finally {
      this.#room.close();
    }
  }

  async #install(context: Context): Promise<DownloadEnd> {
    const { row, allowances } = this.#options;
    const reasons: LuciError[] = [];
    const {
      installed: [receipt],
    } = await install(context, {
      ...wishOf(row, context),
      job: { ...startOf(row), allowances },
      onFailed: (failure) => reasons.push(failure),
    });
    if (receipt) return { state: "done", receipt };
    const [reason] = reasons;
    if (!reason) throw new Error("an install of one model came to nothing");
    return failedEnd(reason);
  }
}

function startOf({ id, priority, limitBytesPerSec, isPaused }: DownloadRow): JobStart {
  return { id, priority, limitBytesPerSec, isPaused };
}

function wishOf(row: DownloadRow, { settings: { hubEndpoint } }: Context): InstallOptions {
  return {
    refs: parseRefs([row.ref], { hubEndpoint }),
    force: false,
    resume: true,
    dryRun: false,
    sha256: row.sha256,
    allowUnsafe: row.allowUnsafe,
    wait: true,
    confirm: async () => true,
  };
}

function failedEnd(reason: LuciError): DownloadEnd {
  const { code, retryable, retryAfterMs = null } = reason;
  const error = reportError(reason);
  if (code === "E_CANCELLED") return { state: "cancelled", error };
  return { state: "failed", error, isPassing: retryable, retryAfterMs };
}
