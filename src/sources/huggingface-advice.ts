// What to tell people when the hub says no: where to accept terms, when a token helps.

import type { LuciError } from "../domain/errors.ts";
import { asksForLong, withHint } from "./advice.ts";

/** A hub and who we are to it. */
export interface HubAccess {
  /** Base URL without a trailing slash. */
  readonly endpoint: string;
  readonly token: string | null;
}

/** The same error with advice that names the repository's page and what the token has to do with it. */
export function explainHub(
  error: LuciError,
  { endpoint, token, repo }: HubAccess & { repo: string },
): LuciError {
  return withHint(error, adviceFor(error, { page: `${endpoint}/${repo}`, hasToken: token !== null }));
}

function adviceFor(error: LuciError, { page, hasToken }: { page: string; hasToken: boolean }): string | null {
  switch (error.code) {
    case "E_GATED":
      return hasToken
        ? `Accept the terms at ${page} with the account of your HF_TOKEN`
        : `Accept the terms at ${page}, then set HF_TOKEN`;
    case "E_AUTH":
      return hasToken
        ? `Your HF_TOKEN may not read ${page}: is it still valid?`
        : `Set HF_TOKEN to a token that may read ${page}`;
    case "E_NOT_FOUND":
      return hasToken
        ? `Check the spelling: ${page}`
        : `Check the spelling: ${page} (if it is private, set HF_TOKEN)`;
    case "E_RATE_LIMITED":
      return hasToken && !asksForLong(error) ? "Wait a few minutes and run the same command again" : null;
    default:
      return null;
  }
}
