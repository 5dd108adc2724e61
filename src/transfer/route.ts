// Where to ask for a file: at its origin first, then straight at the address the origin redirects to, until that
// one has had its day. Every question to the origin counts against its quota.

import { type ErrorCode, LuciError } from "../domain/errors.ts";
import type { Located } from "../domain/plan.ts";
import type { Answer } from "../platform/http-answer.ts";

/** How often a signed address may be fetched anew without progress. */
const MAX_RELOCATIONS = 3;
/** What a redirect target answers when its signature has run out. */
const EXPIRED = new Set<ErrorCode>(["E_AUTH", "E_GATED", "E_NOT_FOUND", "E_GONE"]);

export class Route {
  readonly #locate: () => Promise<Located>;
  readonly #signal: AbortSignal;
  /** Addresses the origin has sent us to in this pass. */
  readonly #directs = new WeakSet<Located>();
  #direct: Located | null = null;
  /** The one question that is out at an origin known to redirect. */
  #question: { readonly answered: PromiseWithResolvers<void>; located: Located | null } | null = null;
  #redirects = false;
  #relocations = 0;

  constructor(locate: () => Promise<Located>, signal: AbortSignal) {
    this.#locate = locate;
    this.#signal = signal;
  }

  /** The address for the next attempt. While one connection asks the origin anew, the others wait for its answer. */
  async next(): Promise<Located> {
    while (!this.#direct && this.#question) await this.#question.answered.promise;
    this.#signal.throwIfAborted();
    if (this.#direct) return this.#direct;
    const question = this.#redirects ? { answered: Promise.withResolvers<void>(), located: null } : null;
    this.#question = question;
    const located = await this.#locate();
    if (question) Object.assign(question, { located });
    return located;
  }

  /** An attempt at this address has ended, one way or the other: whoever waited for it goes on. */
  ended(located: Located): void {
    if (this.#question?.located !== located) return;
    this.#question.answered.resolve();
    this.#question = null;
  }

  /** Remembers where the origin sent us. */
  learn(answer: Answer): void {
    if (answer.hops.length < 2) return;
    this.#redirects = true;
    this.#direct = { url: answer.url, headers: {} };
    this.#directs.add(this.#direct);
    if (this.#question?.located) this.ended(this.#question.located);
  }

  /** Bytes arrive: whatever failed before is over. */
  works(): void {
    this.#relocations = 0;
  }

  /**
   * Judges a failure at an address. "elsewhere": the address had its day, ask again at once, the origin gives a
   * fresh one. Otherwise the error to go by: a redirect target that refuses says nothing of the file or the token.
   */
  judge(error: LuciError, used: Located): LuciError | "elsewhere" {
    const isRefusal = EXPIRED.has(error.code) || (error.code === "E_SERVER" && !error.retryable);
    if (!this.#directs.has(used)) return error;
    // Another connection may have noticed before.
    if (this.#direct !== used) return isRefusal ? "elsewhere" : error;
    if (isRefusal && this.#relocations >= MAX_RELOCATIONS) {
      return new LuciError("E_SERVER", error.message, { cause: error });
    }
    // Whatever its trouble is, the origin may know a better place by now.
    this.#direct = null;
    if (!isRefusal) return error;
    this.#relocations += 1;
    return "elsewhere";
  }
}
