// Where to ask for a file: at its origin first, then straight at the address the origin redirects to, until that
// one has had its day. Every question to the origin counts against its quota.

import { type ErrorCode, LuciError } from "../domain/errors.ts";
import type { Located } from "../domain/plan.ts";
import type { Answer } from "../platform/http-answer.ts";

/** How often a signed address may be fetched anew without progress. */
const MAX_RELOCATIONS = 3;
/** So many bytes from one address are progress; what trickles in buys no further addresses. */
const PROGRESS_BYTES = 64 * 1024;
/** What a redirect target answers when its signature has run out. */
const EXPIRED = new Set<ErrorCode>(["E_AUTH", "E_GATED", "E_NOT_FOUND", "E_GONE"]);

interface Question {
  readonly answered: PromiseWithResolvers<void>;
  located: Located | null;
}

export class Route {
  readonly #locate: () => Promise<Located>;
  readonly #signal: AbortSignal;
  /** Addresses the origin has sent us to in this pass. */
  readonly #directs = new WeakSet<Located>();
  #direct: Located | null = null;
  /** The one question that is out at an origin known to redirect. */
  #question: Question | null = null;
  #redirects = false;
  #relocations = 0;
  #movedBytes = 0;

  constructor(locate: () => Promise<Located>, signal: AbortSignal) {
    this.#locate = locate;
    this.#signal = signal;
  }

  /**
   * The address for the next attempt. While one connection asks the origin anew, the others wait for its answer.
   * @throws the signal's reason; what the source throws
   */
  async next(): Promise<Located> {
    while (!this.#direct && this.#question && !this.#signal.aborted) await this.#wait(this.#question);
    this.#signal.throwIfAborted();
    if (this.#direct) return this.#direct;
    if (!this.#redirects) return this.#locate();
    const question: Question = { answered: Promise.withResolvers<void>(), located: null };
    this.#question = question;
    try {
      return (question.located = await this.#locate());
    } catch (error) {
      this.#end(question);
      throw error;
    }
  }

  /** Waits until a question has its answer, or the signal aborts. */
  async #wait({ answered }: Question): Promise<void> {
    const wake = (): void => answered.resolve();
    this.#signal.addEventListener("abort", wake, { once: true });
    await answered.promise;
    this.#signal.removeEventListener("abort", wake);
  }

  #end(question: Question): void {
    question.answered.resolve();
    if (this.#question === question) this.#question = null;
  }

  /** An attempt at this address has ended, one way or the other: whoever waited for it goes on. */
  ended(located: Located): void {
    if (this.#question?.located === located) this.#end(this.#question);
  }

  /** Remembers where the origin sent us. */
  learn(answer: Answer): void {
    if (answer.hops.length < 2) return;
    this.#redirects = true;
    this.#direct = { url: answer.url, headers: {} };
    this.#directs.add(this.#direct);
    if (this.#question) this.#end(this.#question);
  }

  /** Bytes arrive: with enough of them, whatever failed before is over. */
  works(sizeBytes: number): void {
    this.#movedBytes += sizeBytes;
    if (this.#movedBytes >= PROGRESS_BYTES) this.#relocations = 0;
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
    // Whatever its trouble is, the origin may know a better place by now.
    this.#direct = null;
    if (!isRefusal) return error;
    if (this.#relocations >= MAX_RELOCATIONS)
      return new LuciError("E_SERVER", error.message, { cause: error });
    this.#relocations += 1;
    this.#movedBytes = 0;
    return "elsewhere";
  }
}
