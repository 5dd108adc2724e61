// Errors with better advice: the same failure, told by the source that knows what helps.

import { LuciError } from "../domain/errors.ts";

/** The same error with another hint; the same one when there is nothing better to say. */
export function withHint(error: LuciError, hint: string | null): LuciError {
  if (hint === null) return error;
  const { code, message, exit, retryable, retryAfterMs } = error;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new LuciError(code, message, { hint, exit, retryable, cause: error.cause ?? error, ...wait });
}
