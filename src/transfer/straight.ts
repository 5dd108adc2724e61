// A small file's first request: all of it, over one connection, without the machinery that a file of many spans needs.
// What goes wrong is not judged here: it is where `FileTransfer` begins.

import { LuciError } from "../domain/errors.ts";
import type { Partial } from "../domain/partial.ts";
import { type Located, isSmall } from "../domain/plan.ts";
import { runAttempt } from "./attempt.ts";
import type { Span } from "./spans.ts";
import type { TransferOptions } from "./transfer-options.ts";

/** The gate was shut: not the request's fault. */
const LET_GO = new LuciError("E_STALLED", "nothing is asked for now");

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
 * Asks for a whole small file once. Answers how that failed, or null: then it is there, or the gate was shut on it.
 * @throws the signal's reason; what the source throws
 */
export async function fetchStraight(
  file: string,
  partial: Partial,
  options: TransferOptions,
): Promise<FailedAttempt | null> {
  const { signal, gate, limiter, pool } = options;
  signal.throwIfAborted();
  await gate.pass(signal);
  const located = await options.locate();
  // It may have been shut while the address was looked for.
  if (!gate.isOpen) return null;
  const span = wholeSpan(partial);
  await limiter.take(span.endBytes, signal);
  const giveUp = new AbortController();
  const stop = (): void => giveUp.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  const stopListening = gate.onShut(() => giveUp.abort(LET_GO));
  const seat = pool.join(new URL(located.url).host, () => undefined);
  seat.opened(1);
  options.onConnections(1);
  try {
    await runAttempt({
      http: options.http,
      limiter,
      located,
      span,
      file,
      partial,
      signal: giveUp.signal,
      validatorOf: options.validatorOf,
      onAccepted: () => undefined,
      onBytes: (sizeBytes) => {
        seat.moved(sizeBytes);
        options.onBytes(sizeBytes);
      },
      onBlocked: (waitMs) => seat.blocked(waitMs),
    });
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return error === LET_GO ? null : { error, located };
  } finally {
    signal.removeEventListener("abort", stop);
    stopListening();
    seat.opened(-1);
    seat.leave();
    options.onConnections(0);
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
