// Whether the hub can be reached and takes the token: one small question, nothing retried, nothing installed.

import type { Http } from "../platform/http.ts";
import { statusError } from "../platform/http-errors.ts";
import { authorization } from "./huggingface-api.ts";

/** How the hub is. */
export interface HubHealth {
  /** From the question to the headers of its answer, connecting included. */
  readonly elapsedMs: number;
  /** This machine's clock less the hub's; null where the hub did not say. Exact to a second or so. */
  readonly clockAheadMs: number | null;
  /** `unknown` where the hub answered something else than yes or no. */
  readonly token: "absent" | "accepted" | "refused" | "unknown";
}

/**
 * Asks the hub whose token this is: `GET /api/whoami-v2`, as the hub's own clients do. Without a token the
 * answer is 401, which is an answer too.
 * @throws LuciError network codes, E_TLS, E_PROXY, E_SERVER; the signal's reason
 */
export async function askHub(
  http: Http,
  options: { endpoint: string; token: string | null; signal: AbortSignal },
): Promise<HubHealth> {
  const { endpoint, token, signal } = options;
  const startMs = performance.now();
  const answer = await http.open(`${endpoint}/api/whoami-v2`, { headers: authorization(token), signal });
  const elapsedMs = performance.now() - startMs;
  await answer.discard();
  if (answer.status >= 500 || answer.status === 407) throw statusError(answer, { what: "The hub" });
  const dateMs = Date.parse(answer.headers.get("date") ?? "");
  return {
    elapsedMs,
    clockAheadMs: Number.isNaN(dateMs) ? null : Date.now() - dateMs,
    token: token === null ? "absent" : judgeToken(answer.status),
  };
}

function judgeToken(status: number): HubHealth["token"] {
  if (status === 200) return "accepted";
  return status === 401 || status === 403 ? "refused" : "unknown";
}
