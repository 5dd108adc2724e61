// Errors with better advice: the same failure, told by the source that knows what helps.

import { LuciError } from "../domain/errors.ts";
import { LONGEST_RETRY_AFTER_MS } from "../domain/retry.ts";

/** The same error with another hint; the same one when there is nothing better to say. */
export function withHint(error: LuciError, hint: string | null): LuciError {
  if (hint === null) return error;
  const { code, message, exit, retryable, retryAfterMs } = error;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new LuciError(code, message, { hint, exit, retryable, cause: error.cause ?? error, ...wait });
}

/** Whether the server asked for a wait that no run sits out: its own advice names it already. */
export function asksForLong({ retryAfterMs = 0 }: LuciError): boolean {
  return retryAfterMs > LONGEST_RETRY_AFTER_MS;
}
