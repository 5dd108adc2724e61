// When a download that failed for a reason that passes is tried again: soon at first, then less and less often. Pure.

import type { ErrorReport } from "../domain/errors.ts";

const FIRST_MS = 2_000;
const LONGEST_MS = 5 * 60_000;
/** Who counts requests counts these as well. */
const RATE_LIMITED_MS = 60_000;
/** A server's wish is heard up to here. */
const LONGEST_WISH_MS = 60 * 60_000;

/** A download that waits for its next attempt, or is at it. */
export interface Retry {
  /** Attempts that failed one after the other, without a byte in between. */
  readonly failures: number;
  readonly waitMs: number;
  /** Why, and when it is tried again. */
  readonly error: ErrorReport;
}

export interface RetryOptions {
  readonly error: ErrorReport;
  /** What the server wished, where it did. */
  readonly retryAfterMs: number | null;
  /** Whether bytes arrived this time. */
  readonly hasMoved: boolean;
  readonly nowMs: number;
}

/** The next attempt after one that failed. */
export function nextRetry(
  before: Retry | null,
  { error, retryAfterMs, hasMoved, nowMs }: RetryOptions,
): Retry {
  const failures = (hasMoved ? 0 : (before?.failures ?? 0)) + 1;
  const leastMs = error.code === "E_RATE_LIMITED" ? RATE_LIMITED_MS : 0;
  const ownMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  const waitMs = Math.max(ownMs, leastMs, Math.min(retryAfterMs ?? 0, LONGEST_WISH_MS));
  const at = new Date(nowMs + waitMs).toISOString().replace(/\.\d+Z$/, "Z");
  const hint = `Nothing has to be done: it is tried again by itself at ${at}, and at once when it is resumed`;
  return { failures, waitMs, error: { ...error, hint } };
}

/** What is told of an attempt that failed. */
export function retryMessage({ error, waitMs }: Retry): string {
  return `${error.message} (${error.code}): trying again in ${Math.ceil(waitMs / 1_000)} s`;
}
