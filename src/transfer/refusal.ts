// Answers that are not what was asked for: what their bodies cost although nobody reads them, and when it is enough.

import { type ErrorCode, LuciError, toLuciError } from "../domain/errors.ts";
import type { Answer } from "../platform/http-answer.ts";
import { type Allowance, UNREAD_BYTES } from "./allowance.ts";

/** A page for people that says why is not longer than this, and comes with its head. */
const SHORT_BYTES = 64 * 1024;
const SOON_MS = 200;
/** What came while this process had no turn is read before it is called late. */
const TURN_MS = 50;
/** The answer's fault, and not the connection's, the disk's or the user's. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "E_AUTH",
  "E_CHANGED",
  "E_GATED",
  "E_GONE",
  "E_MALFORMED",
  "E_NOT_FOUND",
  "E_PROXY",
  "E_RATE_LIMITED",
  "E_SERVER",
  "E_SIZE",
  "E_UNVERIFIED",
]);

/**
 * Counts what an answer costs that failed with an error, and answers the error to go by. Whoever goes on sending what
 * is no file until the allowance is gone is not in trouble: it lies.
 */
export async function countRefused(answer: Answer, error: unknown, allowance: Allowance): Promise<unknown> {
  if (!(error instanceof LuciError) || !REFUSALS.has(error.code)) return error;
  allowance.wasted(await countUnread(answer));
  if (!allowance.isSpent || error.code !== "E_SERVER" || answer.status >= 300) return error;
  return new LuciError("E_MALFORMED", error.message, { cause: error });
}

async function countUnread(answer: Answer): Promise<number> {
  const { contentLengthBytes, status } = answer;
  if (contentLengthBytes !== null) return Math.min(contentLengthBytes, UNREAD_BYTES);
  return status >= 400 ? await countPage(answer) : UNREAD_BYTES;
}

/**
 * What a page of unknown length costs: nothing if it is short and at its end already. Of one that is short so far and
 * ends late, or never, nothing waits unread: only so many of them make a lie.
 */
async function countPage(answer: Answer): Promise<number> {
  let isLate = false;
  const giveUp = (): void => {
    isLate = true;
    void answer.discard();
  };
  let timer = setTimeout(() => (timer = setTimeout(giveUp, TURN_MS)), SOON_MS);
  let sizeBytes = 0;
  try {
    for await (const chunk of answer.body()) {
      sizeBytes += chunk.length;
      if (sizeBytes > SHORT_BYTES) return UNREAD_BYTES;
    }
    return isLate ? SHORT_BYTES : 0;
  } catch (error) {
    // A connection that breaks or falls silent brings nothing more.
    return ["E_NETWORK", "E_STALLED"].includes(toLuciError(error).code) ? SHORT_BYTES : UNREAD_BYTES;
  } finally {
    clearTimeout(timer);
  }
}

/** More came than was announced. */
export function tooMuch(file: string): LuciError {
  return new LuciError("E_SERVER", `${file}: the server sends more bytes than it announced`);
}

/** What to do where a file has cost what it may. */
export const KEPT_HINT = "What arrived is kept: run the same command again when the connection is better";

/** The failure as it is told where nothing more may be asked for: whoever tries again by himself is told not to. */
export function lastWord(error: LuciError, hint = error.hint): LuciError {
  if (!error.retryable) return error;
  return new LuciError(error.code, error.message, { hint, exit: error.exit, retryable: false, cause: error });
}

/** The same bytes came so often that it does not pay to ask again. */
export function tooOften(file: string): LuciError {
  return new LuciError(
    "E_NETWORK",
    `${file}: its server cannot continue a download, and what is here already came again as often as it may`,
    {
      retryable: false,
      hint: KEPT_HINT,
    },
  );
}
