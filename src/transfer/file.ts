// Moving the bytes of one file: several connections, each asking for bounded spans until nothing is missing.
// The only loop: ranges left → attempts. Knows no vendor and no path.

import { type ErrorCode, LuciError, toLuciError } from "../domain/errors.ts";
import type { Partial } from "../domain/partial.ts";
import type { Located, Validator } from "../domain/plan.ts";
import type { Range } from "../domain/range.ts";
import { decide } from "../domain/retry.ts";
import { sleep } from "../platform/clock.ts";
import type { Answer } from "../platform/http-answer.ts";
import type { Http } from "../platform/http.ts";
import { type AttemptOptions, runAttempt } from "./attempt.ts";
import type { Limiter } from "./limiter.ts";
import { nextSpan } from "./span.ts";

/** Failures in a row are forgotten once this much has moved since the last one. */
const PROGRESS_BYTES = 1024 * 1024;
/** How often a signed address may be fetched anew without progress. */
const MAX_RELOCATIONS = 3;
/** What a redirect target answers when its signature has run out; or 400, which is no code of its own. */
const REFUSALS = new Set<ErrorCode>(["E_AUTH", "E_GATED", "E_NOT_FOUND", "E_GONE"]);

function refusesAddress(error: LuciError): boolean {
  return REFUSALS.has(error.code) || (error.code === "E_SERVER" && !error.retryable);
}

export interface TransferOptions {
  readonly http: Http;
  readonly limiter: Limiter;
  readonly connections: number;
  readonly retries: number;
  readonly signal: AbortSignal;
  /** Fresh URL and headers from the source. */
  locate(): Promise<Located>;
  /** What an answer says of the file's version. */
  validatorOf(answer: Answer): Validator;
  onRetry(info: { attempt: number; waitMs: number; error: LuciError }): void;
  /** Bytes that arrived from the network. */
  onBytes(sizeBytes: number): void;
  /** How many connections are open now. */
  onConnections(count: number): void;
}

/**
 * Fetches what a partial misses. Resolves when nothing is missing and the hash has read it all.
 * @throws LuciError the first failure that no retry mends; the signal's reason. What arrived stays in the partial.
 */
export async function transferFile(file: string, partial: Partial, options: TransferOptions): Promise<void> {
  for (let restarts = 0; ;) {
    try {
      while (partial.sizeBytes === null || partial.missing().length > 0) {
        // An interrupt between two attempts leaves no attempt that could fail of it.
        options.signal.throwIfAborted();
        await new FileTransfer(file, partial, options).run();
      }
      await partial.settle(options.signal);
      if (partial.missing().length === 0) return;
    } catch (error) {
      // The version changed under us: begin again with the new one, once.
      if (!(error instanceof LuciError) || !isOtherVersion(error) || restarts > 0) throw error;
      restarts += 1;
      await partial.restart("it changed at its source");
    }
  }
}

/** Only this E_CHANGED is worth another try; a source that contradicts the plan is not. */
function isOtherVersion(error: LuciError): boolean {
  return error.code === "E_CHANGED" && error.retryable;
}

class FileTransfer {
  readonly #file: string;
  readonly #partial: Partial;
  readonly #options: TransferOptions;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #busy = new Set<Range>();
  #direct: Located | null = null;
  #relocations = 0;
  #movedBytes = 0;
  #open = 0;
  #mode: "unknown" | "ranges" | "whole" = "unknown";
  #wholeBusy = false;
  #failure: LuciError | null = null;
  #followers: Promise<void>[] = [];

  constructor(file: string, partial: Partial, options: TransferOptions) {
    this.#file = file;
    this.#partial = partial;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#abort.signal]);
  }

  /** One connection leads; the others follow once the server has shown that it can do ranges. */
  async run(): Promise<void> {
    await this.#work();
    while (this.#followers.length > 0) await Promise.all(this.#followers.splice(0));
    if (this.#failure) throw this.#failure;
  }

  /** One connection's life: span after span until none is left. */
  async #work(): Promise<void> {
    try {
      let failures = 0;
      for (let span = this.#take(); span !== undefined; span = this.#take()) {
        const beforeBytes = this.#movedBytes;
        const direct = this.#direct;
        try {
          await this.#attempt(span, direct);
          failures = 0;
        } catch (error) {
          this.#signal.throwIfAborted();
          if (this.#movedBytes - beforeBytes >= PROGRESS_BYTES) failures = 0;
          failures += 1;
          this.#giveBack(span);
          await this.#recover(error, { failures, direct });
        } finally {
          this.#giveBack(span);
        }
      }
    } catch (error) {
      this.#failure ??= toLuciError(this.#options.signal.aborted ? this.#options.signal.reason : error);
      this.#abort.abort(this.#failure);
    }
  }

  /** The next span; null for "all of it, without a range"; undefined when there is nothing to do. */
  #take(): Range | null | undefined {
    if (this.#signal.aborted) return undefined;
    const { sizeBytes } = this.#partial;
    if (this.#mode === "whole") return this.#takeWhole();
    const wanted =
      sizeBytes === null ? [{ startBytes: 0, endBytes: Number.MAX_SAFE_INTEGER }] : this.#partial.missing();
    const span = nextSpan(wanted, { busy: [...this.#busy], connections: this.#options.connections });
    if (span) this.#busy.add(span);
    return span ?? undefined;
  }

  #takeWhole(): null | undefined {
    const isDone = this.#partial.sizeBytes !== null && this.#partial.missing().length === 0;
    if (isDone || this.#wholeBusy) return undefined;
    this.#wholeBusy = true;
    return null;
  }

  #giveBack(span: Range | null): void {
    if (span) this.#busy.delete(span);
    else this.#wholeBusy = false;
  }

  async #attempt(range: Range | null, direct: Located | null): Promise<void> {
    const located = direct ?? (await this.#options.locate());
    const { http, limiter, validatorOf } = this.#options;
    const attempt: AttemptOptions = {
      http,
      limiter,
      located,
      range,
      file: this.#file,
      partial: this.#partial,
      signal: this.#signal,
      validatorOf,
      onAccepted: (accepted) => this.#accepted(accepted),
      onBytes: (sizeBytes) => {
        this.#movedBytes += sizeBytes;
        this.#relocations = 0;
        this.#options.onBytes(sizeBytes);
      },
    };
    this.#count(1);
    try {
      await runAttempt(attempt);
    } finally {
      this.#count(-1);
    }
  }

  #accepted({ ranges, answer }: { ranges: boolean; answer: Answer }): void {
    if (!ranges) {
      this.#mode = "whole";
      return;
    }
    // Every resolve counts against the hub's quota: go straight to where it sent us, while that works.
    if (answer.hops.length > 1) this.#direct = { url: answer.url, headers: {} };
    if (this.#mode !== "unknown") return;
    this.#mode = "ranges";
    for (let follower = 1; follower < this.#options.connections; follower += 1)
      this.#followers.push(this.#work());
  }

  /** Waits for the next attempt, or throws when there is none. */
  async #recover(
    thrown: unknown,
    { failures, direct }: { failures: number; direct: Located | null },
  ): Promise<void> {
    const refused = direct !== null && refusesAddress(toLuciError(thrown));
    // A redirect target that refuses says nothing of the file or the token: the origin does.
    const error = refused
      ? new LuciError("E_SERVER", toLuciError(thrown).message, { cause: thrown })
      : toLuciError(thrown);
    if (direct && error.code === "E_SERVER" && this.#relocate(direct) && refused) return;
    if (error.code === "E_MALFORMED" && this.#mode !== "whole") {
      // A server that mixes up ranges may still send the whole file.
      this.#mode = "whole";
      return;
    }
    const decision = isOtherVersion(error)
      ? "stop"
      : decide(error, { failures, retries: this.#options.retries, random: Math.random() });
    if (decision === "stop") throw error;
    this.#options.onRetry({ attempt: failures, waitMs: decision.waitMs, error });
    await sleep(decision.waitMs, this.#signal);
  }

  /** Goes back to the origin for a fresh address; answers whether that may be done at once. */
  #relocate(used: Located): boolean {
    // Another connection may have done it already.
    if (this.#direct !== used) return true;
    this.#direct = null;
    this.#relocations += 1;
    return this.#relocations <= MAX_RELOCATIONS;
  }

  #count(change: 1 | -1): void {
    this.#open += change;
    this.#options.onConnections(this.#open);
  }
}
