// The one retry policy, for metadata and bodies alike. Pure: no clock, no sleep.

import { toLuciError } from "./errors.ts";

const BASE_WAIT_MS = 1_000;
const FACTOR = 2;
const CAP_WAIT_MS = 60_000;
/** A server may ask for a longer pause than our cap, but not for an unreasonable one. */
export const LONGEST_RETRY_AFTER_MS = 15 * 60_000;

export interface RetryState {
  /** Failures in a row, this one included; resets once bytes have moved. */
  readonly failures: number;
  /** How many times to try again. */
  readonly retries: number;
  /** A number in [0, 1), for the jitter. */
  readonly random: number;
}

/** What to do after a failure. */
export type Decision = { readonly waitMs: number } | "stop";

/**
 * Decides whether and when to try again: exponential back-off (1 s, factor 2, cap 60 s) with full
 * jitter over its upper half, never sooner than the server's Retry-After. Errors the table calls
 * final, too many failures and a Retry-After above 15 minutes stop.
 */
export function decide(thrown: unknown, state: RetryState): Decision {
  const error = toLuciError(thrown);
  if (!error.retryable || state.failures > state.retries) return "stop";
  const askedMs = error.retryAfterMs ?? 0;
  if (askedMs > LONGEST_RETRY_AFTER_MS) return "stop";
  const backoffMs = Math.min(CAP_WAIT_MS, BASE_WAIT_MS * FACTOR ** (state.failures - 1));
  const jitteredMs = backoffMs * (0.5 + 0.5 * state.random);
  return { waitMs: Math.round(Math.max(askedMs, jitteredMs)) };
}
