// Watches the room on the disk while files are carried: too little of it pauses every transfer until there is
// room again, or until the user's patience ends. Knows no file and no model.

import { LuciError, reportError } from "../domain/errors.ts";
import type { Emit } from "../domain/events.ts";
import { formatBytes, formatDuration } from "../domain/size.ts";
import type { Gate } from "../transfer/gate.ts";

/** How often the disk is asked. */
const POLL_MS = 1_000;
/** Room that does not last this long was none. */
const STEADY_MS = 30_000;
/** A disk that refuses bytes though it has room (a quota) is tried this seldom at most. */
const LONGEST_TRIAL_MS = 15_000;
/** What others take and give back in the meantime must not open and shut the gate every second. */
const CLEAR = 1.1;
const REASON = "disk";

export interface DiskWatchOptions {
  /** The models folder, for people. */
  readonly folder: string;
  readonly gate: Gate;
  /** How long to wait for room; 0 ends at once. */
  readonly waitMs: number;
  readonly emit: Emit;
  freeBytes(): Promise<number>;
}

/** One per run: it shuts the run's gate with the reason `disk`. */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #end = new AbortController();
  #reserveBytes = 0;
  #looking = false;
  #isStopped = false;
  #isIdle = (): boolean => false;
  #lookedMs = 0;
  #paused = false;
  /** What the disk refused last; null while it is only short of room. */
  #refusal: LuciError | null = null;
  #refusals = 0;
  #trialMs = 0;
  #reopenedMs = Number.NEGATIVE_INFINITY;
  /** Spent in pauses since there was lasting room. */
  #waitedMs = 0;
  #told = new Set<"paused" | "resumed">();

  constructor(options: DiskWatchOptions) {
    this.#options = options;
  }

  /** Aborts with E_NO_SPACE once there was no room for too long. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /**
   * Looks about once a second whether the reserve is still free; returns how to stop. Keeps the process alive.
   * While `isIdle`, nobody waits for the disk: there is no new pause, and none gets longer.
   */
  start(reserveBytes: number, { isIdle }: { isIdle(): boolean } = { isIdle: () => false }): () => void {
    this.#reserveBytes = reserveBytes;
    this.#isIdle = isIdle;
    this.#lookedMs = performance.now();
    const timer = setInterval(() => void this.#look(), POLL_MS);
    return () => {
      this.#isStopped = true;
      clearInterval(timer);
    };
  }

  /**
   * After the disk refused bytes: pauses every transfer and resolves when it is worth another try.
   * @throws the refusal itself where nobody wants to wait, E_NO_SPACE after the wait, the signal's reason
   */
  async waitForRoom(refusal: LuciError, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.signal.throwIfAborted();
    if (this.#options.waitMs === 0) throw refusal;
    if (!this.#paused) {
      this.#refusals += 1;
      this.#trialMs = performance.now() + Math.min(LONGEST_TRIAL_MS, POLL_MS * 2 ** (this.#refusals - 1));
      this.#refusal = refusal;
      this.#pause(refusal.message);
    }
    await this.#options.gate.pass(AbortSignal.any([signal, this.signal]));
  }

  /** Runs an act; where the disk is full, waits for room and runs it again. @throws as `waitForRoom` */
  async patiently<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof LuciError) || error.code !== "E_NO_SPACE") throw error;
        await this.waitForRoom(error, signal);
      }
    }
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#end.signal.aborted) return;
    this.#looking = true;
    // A disk that does not even tell its room says so elsewhere.
    const freeBytes = await this.#options.freeBytes().catch(() => null);
    this.#looking = false;
    if (this.#isStopped) return;
    const nowMs = performance.now();
    const isIdle = this.#isIdle();
    // A machine that slept has not waited.
    const passedMs = isIdle ? 0 : Math.min(nowMs - this.#lookedMs, 2 * POLL_MS);
    this.#lookedMs = nowMs;
    if (this.#paused) this.#judgePause({ freeBytes, nowMs, passedMs });
    else if (!isIdle) this.#judgeRoom(freeBytes, nowMs);
  }

  #judgeRoom(freeBytes: number | null, nowMs: number): void {
    if (nowMs - this.#reopenedMs > STEADY_MS) {
      this.#waitedMs = 0;
      this.#refusals = 0;
      this.#told.clear();
    }
    if (freeBytes === null || freeBytes >= this.#reserveBytes) return;
    this.#refusal = null;
    this.#trialMs = 0;
    const { folder, waitMs } = this.#options;
    const short = `${folder}: only ${formatBytes(freeBytes)} free, and others are using it up`;
    if (waitMs === 0) return this.#giveUp(short);
    this.#pause(short);
  }

  #judgePause({
    freeBytes,
    nowMs,
    passedMs,
  }: {
    freeBytes: number | null;
    nowMs: number;
    passedMs: number;
  }): void {
    this.#waitedMs += passedMs;
    const hasRoom = freeBytes !== null && freeBytes > 0 && freeBytes >= this.#reserveBytes * CLEAR;
    const { folder, waitMs } = this.#options;
    if (hasRoom && nowMs >= this.#trialMs) return this.#resume(nowMs);
    if (this.#waitedMs < waitMs) return;
    const why = this.#refusal?.message ?? `${folder}: only ${formatBytes(freeBytes ?? 0)} free`;
    this.#giveUp(`${why}, and no room came within ${formatDuration(waitMs)}`);
  }

  #pause(why: string): void {
    const { gate, emit, waitMs } = this.#options;
    this.#paused = true;
    const patience = formatDuration(Math.max(0, waitMs - this.#waitedMs));
    this.#tell(
      "paused",
      `Paused: ${why}. It goes on by itself when there is room, and ends after ${patience}`,
    );
    const hint = "It goes on by itself when there is room: `luci cleanup` and `luci usage` show what can go";
    emit({
      type: "run.paused",
      reason: REASON,
      error: reportError(new LuciError("E_NO_SPACE", why, { hint })),
    });
    gate.shut(REASON);
  }

  #resume(nowMs: number): void {
    const { gate, emit } = this.#options;
    this.#paused = false;
    this.#reopenedMs = nowMs;
    this.#tell("resumed", "There is room on the disk again: going on");
    emit({ type: "run.resumed", reason: REASON });
    gate.reopen(REASON);
  }

  /** Once each while the trouble lasts. */
  #tell(what: "paused" | "resumed", message: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#options.emit({ type: "notice", level: what === "paused" ? "warn" : "info", message });
  }

  #giveUp(message: string): void {
    this.#end.abort(
      new LuciError("E_NO_SPACE", `${message}; what arrived is kept`, {
        hint: "Free some space (`luci cleanup`, `luci usage`), then run the same command again to go on",
        ...(this.#refusal ? { cause: this.#refusal } : {}),
      }),
    );
  }
}
