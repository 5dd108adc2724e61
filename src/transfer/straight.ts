// A small file's first request: all of it, over one connection, without the machinery that a file of many spans needs.
// What goes wrong is not judged here: it is where `FileTransfer` begins.

import { LuciError } from "../domain/errors.ts";
import type { Partial } from "../domain/partial.ts";
import { type Located, isSmall } from "../domain/plan.ts";
import { runAttempt } from "./attempt.ts";
import type { Seat } from "./pool.ts";
import { watchRequest } from "./request-watch.ts";
import type { Span } from "./spans.ts";
import type { TransferOptions } from "./transfer-options.ts";

/** A request that failed, for whoever goes on. */
export interface FailedAttempt {
  readonly error: unknown;
  readonly located: Located;
}

/** Whether one request may ask for all of a file, and it is not worth sharing out. */
export function fitsOneRequest(partial: Partial, { limiter }: Pick<TransferOptions, "limiter">): boolean {
  const { sizeBytes } = partial;
  if (sizeBytes === null || !isSmall({ sizeBytes })) return false;
  const [gap] = partial.missing();
  if (!gap || gap.endBytes - gap.startBytes < sizeBytes) return false;
  return limiter.requestBytes === null || sizeBytes <= limiter.requestBytes;
}

/**
 * Asks for a whole small file once. Answers how that failed, or null: then it is there, or was not wanted any more.
 * @throws the signal's reason; what the source throws
 */
export async function fetchStraight(
  file: string,
  partial: Partial,
  options: TransferOptions,
): Promise<FailedAttempt | null> {
  const { signal } = options;
  signal.throwIfAborted();
  await options.gate.pass(signal);
  const located = await options.locate();
  const seat = options.pool.join(new URL(located.url).host, () => undefined);
  // The gate was shut, or the limit lowered: not the request's fault.
  const letGo = new LuciError("E_STALLED", `${file}: nothing is asked for now`);
  seat.opened(1);
  options.onConnections(1);
  try {
    await ask({ file, partial, located, seat, letGo }, options);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return error === letGo ? null : { error, located };
  } finally {
    seat.opened(-1);
    seat.leave();
    options.onConnections(0);
  }
}

interface Question {
  readonly file: string;
  readonly partial: Partial;
  readonly located: Located;
  readonly seat: Seat;
  /** Thrown once it is not wanted any more. */
  readonly letGo: LuciError;
}

/** Asks in its turn, for as long as it is wanted. @throws what the question says when it is not any more */
async function ask(
  { file, partial, located, seat, letGo }: Question,
  options: TransferOptions,
): Promise<void> {
  const { limiter } = options;
  const span = wholeSpan(partial);
  const giveUp = new AbortController();
  const stop = (): void => giveUp.abort(options.signal.reason);
  if (options.signal.aborted) stop();
  options.signal.addEventListener("abort", stop);
  let sendsWhole = false;
  const watch = watchRequest(options, {
    // Of what comes without a range, the rest cannot be asked for by itself.
    restBytes: () => (sendsWhole ? 0 : span.endBytes - span.positionBytes),
    giveUp: () => giveUp.abort(letGo),
  });
  try {
    // Either may have changed while the address was looked for.
    if (!watch.isWanted()) throw letGo;
    await limiter.take(span.endBytes, giveUp.signal);
    giveUp.signal.throwIfAborted();
    await runAttempt({
      ...options,
      located,
      span,
      file,
      partial,
      signal: giveUp.signal,
      onAccepted: ({ ranges }) => {
        sendsWhole = !ranges;
      },
      onBytes: (sizeBytes) => {
        span.positionBytes += sizeBytes;
        seat.moved(sizeBytes);
        options.onBytes(sizeBytes);
      },
      onBlocked: (waitMs) => seat.blocked(waitMs),
    });
  } finally {
    options.signal.removeEventListener("abort", stop);
    watch.stop();
  }
}

function wholeSpan({ sizeBytes }: Partial): Span {
  return {
    startBytes: 0,
    endBytes: sizeBytes ?? 0,
    positionBytes: 0,
    startedMs: 0,
    lastByteMs: 0,
    cancel: null,
  };
}
