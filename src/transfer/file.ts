// One pass over a file: connections take spans until nothing is missing. The only loop: ranges left → attempts.
// Knows no vendor and no path.

import { LuciError, toLuciError } from "../domain/errors.ts";
import type { Partial } from "../domain/partial.ts";
import type { Located } from "../domain/plan.ts";
import { decide } from "../domain/retry.ts";
import { sleep } from "../platform/clock.ts";
import type { Answer } from "../platform/http-answer.ts";
import { isOtherVersion, runAttempt } from "./attempt.ts";
import { isWhole, missingOf } from "./missing.ts";
import type { Seat } from "./pool.ts";
import { watchRequest } from "./request-watch.ts";
import { KEPT_HINT, lastWord } from "./refusal.ts";
import { Route } from "./route.ts";
import type { FailedAttempt } from "./straight.ts";
import { type Span, SpanBoard } from "./spans.ts";
import type { TransferOptions } from "./transfer-options.ts";

/** Failures in a row are forgotten once this much more is there; bytes that come again are no progress. */
const PROGRESS_BYTES = 1024 * 1024;
/** How often an idle connection looks for work. */
const LOOK_MS = 250;

/** One pass over what is missing, with as many connections as the pool grants. */
export class FileTransfer {
  readonly #file: string;
  readonly #partial: Partial;
  readonly #options: TransferOptions;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  /** Wakes idle connections for the end. */
  readonly #end = new AbortController();
  readonly #untilEnd: AbortSignal;
  readonly #board: SpanBoard;
  readonly #route: Route;
  readonly #workers = new Set<Promise<void>>();
  #seat: Seat | null = null;
  #open = 0;
  #mode: "unknown" | "ranges" | "whole" = "unknown";
  /** The attempt that fetches all of the file, by the span it began with. */
  #whole: { readonly span: Span | null } | null = null;
  #failure: LuciError | null = null;

  constructor(file: string, partial: Partial, options: TransferOptions) {
    this.#file = file;
    this.#partial = partial;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#abort.signal]);
    this.#untilEnd = AbortSignal.any([this.#signal, this.#end.signal]);
    this.#route = new Route(options.locate, this.#signal);
    this.#board = new SpanBoard(
      () => missingOf(partial),
      () => performance.now(),
    );
  }

  /**
   * One connection leads; the others follow once the server has shown that it can do ranges. An attempt that
   * failed before counts as the first.
   */
  async run(failed: FailedAttempt | null = null): Promise<void> {
    const { host } = new URL((await this.#options.locate()).url);
    this.#seat = this.#options.pool.join(host, () => this.#fill());
    try {
      if (failed) await this.#recover(failed.error, { failures: 1, located: failed.located });
      this.#hire(failed ? 1 : 0);
      while (this.#workers.size > 0) await Promise.all(this.#workers);
    } finally {
      this.#seat.leave();
    }
    if (this.#failure) throw this.#failure;
  }

  #hire(failures = 0): void {
    const worker: Promise<void> = this.#work(failures).finally(() => this.#workers.delete(worker));
    this.#workers.add(worker);
  }

  /** Opens connections up to the file's share. */
  #fill(): void {
    if (this.#mode !== "ranges" || this.#untilEnd.aborted) return;
    while (this.#workers.size < (this.#seat?.share() ?? 1)) this.#hire();
  }

  /** One connection's life: span after span, until there is none left or its place is needed elsewhere. */
  async #work(failuresBefore: number): Promise<void> {
    try {
      for (let failures = failuresBefore; this.#mayStay();) {
        const span = await this.#next();
        if (span === undefined) break;
        failures = await this.#fetch(span, failures);
      }
    } catch (error) {
      this.#failure ??= toLuciError(this.#options.signal.aborted ? this.#options.signal.reason : error);
      this.#abort.abort(this.#failure);
    }
    if (this.#board.isDone) this.#end.abort();
  }

  /** Behind a shut gate nobody leaves: the last one there sees to what has come. */
  #mayStay(): boolean {
    return !this.#options.gate.isOpen || this.#workers.size <= (this.#seat?.share() ?? 1);
  }

  /** The next span; null for "all of it, without a range"; undefined when there is nothing more to do. */
  async #next(): Promise<Span | null | undefined> {
    while (!this.#untilEnd.aborted) {
      await this.#pass();
      if (this.#untilEnd.aborted) return undefined;
      if (this.#mode === "whole") return this.#takeWhole();
      const span = this.#board.next(this.#options.limiter.requestBytes);
      if (span) return span;
      if (this.#board.isDone) return undefined;
      // Others are still at it: one of them may need help, or give its span back.
      await sleep(LOOK_MS, this.#untilEnd).catch(() => undefined);
    }
    return undefined;
  }

  /** Waits while nothing may be fetched; whatever may come meanwhile, what is here is kept. */
  async #pass(): Promise<void> {
    if (this.#options.gate.isOpen) return;
    this.#seat?.rest();
    if (this.#open === 0) await this.#partial.checkpoint();
    await this.#options.gate.pass(this.#untilEnd).catch(() => undefined);
    if (!this.#untilEnd.aborted) this.#seat?.back();
  }

  #takeWhole(): null | undefined {
    if (isWhole(this.#partial) || this.#whole) return undefined;
    this.#whole = { span: null };
    return null;
  }

  #giveBack(span: Span | null): void {
    if (span) this.#board.giveBack(span);
    if (this.#whole?.span === span) this.#whole = null;
    if (this.#board.isDone) this.#end.abort();
  }

  /** Fetches one span and answers how many failures in a row that makes. */
  async #fetch(span: Span | null, failures: number): Promise<number> {
    const beforeBytes = this.#partial.doneBytes;
    const located = await this.#route.next();
    try {
      await this.#attempt(span, located);
      this.#giveBack(span);
      return 0;
    } catch (error) {
      this.#giveBack(span);
      this.#signal.throwIfAborted();
      const inARow = this.#partial.doneBytes - beforeBytes >= PROGRESS_BYTES ? 1 : failures + 1;
      await this.#recover(error, { failures: inARow, located });
      return inARow;
    } finally {
      this.#route.ended(located);
    }
  }

  async #attempt(span: Span | null, located: Located): Promise<void> {
    const giveUp = new AbortController();
    // Somebody else has the rest of this span, or nobody shall have it now.
    const letGo = new LuciError("E_STALLED", `${this.#file}: the rest is not asked for here`);
    const watch = watchRequest(this.#options, {
      // A server that sends the whole file is slowed down by reading it slowly.
      restBytes: () => (span && this.#mode !== "whole" ? span.endBytes - span.positionBytes : 0),
      giveUp: () => giveUp.abort(letGo),
    });
    this.#count(1);
    try {
      // Either may have changed while the address was looked for.
      if (!watch.isWanted()) return;
      await this.#ask(located, { span, giveUp, letGo });
    } catch (error) {
      // What came before is written, and that is all.
      if (error !== letGo) throw error;
    } finally {
      watch.stop();
      this.#count(-1);
    }
  }

  async #ask(
    located: Located,
    { span, giveUp, letGo }: { span: Span | null; giveUp: AbortController; letGo: LuciError },
  ): Promise<void> {
    const signal = AbortSignal.any([this.#signal, giveUp.signal]);
    if (span) {
      await this.#options.limiter.take(span.endBytes - span.startBytes, signal);
      this.#board.asked(span, () => giveUp.abort(letGo));
    }
    await runAttempt({
      ...this.#options,
      located,
      span,
      file: this.#file,
      partial: this.#partial,
      signal,
      onAccepted: ({ ranges, answer }) => {
        if (ranges) this.#acceptedRange(answer);
        else if (!this.#acceptedWhole(span)) throw letGo;
      },
      onBytes: (sizeBytes) => this.#arrived(span, sizeBytes),
      onBlocked: (waitMs) => this.#seat?.blocked(waitMs),
    });
  }

  #arrived(span: Span | null, sizeBytes: number): void {
    if (span) this.#board.arrived(span, sizeBytes);
    this.#route.works(sizeBytes);
    this.#seat?.moved(sizeBytes);
    this.#options.onBytes(sizeBytes);
  }

  /** Whether this attempt may read all of the file: one at a time does. */
  #acceptedWhole(span: Span | null): boolean {
    this.#mode = "whole";
    this.#whole ??= { span };
    return this.#whole.span === span;
  }

  #acceptedRange(answer: Answer): void {
    this.#route.learn(answer);
    if (this.#mode !== "unknown") return;
    this.#mode = "ranges";
    this.#fill();
  }

  /** Waits for the next attempt, or throws when there is none. */
  async #recover(
    thrown: unknown,
    { failures, located }: { failures: number; located: Located },
  ): Promise<void> {
    const error = this.#route.judge(toLuciError(thrown), located);
    if (error === "elsewhere") return;
    // Whatever follows the last byte that was missing: the digest has the word.
    if (isWhole(this.#partial) && !isOtherVersion(error)) return;
    if (this.#options.allowance.isSpent) throw isOtherVersion(error) ? error : lastWord(error, KEPT_HINT);
    if (error.code === "E_MALFORMED" && this.#mode !== "whole") {
      // A server that mixes up ranges may still send the whole file.
      this.#mode = "whole";
      return;
    }
    if (error.retryable && error.code !== "E_STALLED") this.#seat?.pushedBack();
    const decision = isOtherVersion(error)
      ? "stop"
      : decide(error, { failures, retries: this.#options.retries, random: Math.random() });
    if (decision === "stop") throw error;
    this.#options.onRetry({ attempt: failures, waitMs: decision.waitMs, error });
    await sleep(decision.waitMs, this.#signal);
  }

  #count(change: 1 | -1): void {
    this.#open += change;
    this.#seat?.opened(change);
    this.#options.onConnections(this.#open);
  }
}
