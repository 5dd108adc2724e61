// What an answer's status means, in our own words: statuses become LuciErrors. Nothing here knows why an
// exchange may fail without an answer.

import type { ErrorCode, ErrorOptions } from "../domain/errors.ts";
import { LuciError } from "../domain/errors.ts";
import { LONGEST_RETRY_AFTER_MS } from "../domain/retry.ts";
import { redactUrl } from "../domain/safe-url.ts";
import { loginHint } from "./http-network-errors.ts";
import type { Proxy } from "./http-proxy.ts";

const LONGEST_CLOCK_WAIT_MS = 24 * 3_600_000;
const LONGEST_WAIT_MS = 365 * 24 * 3_600_000;

/** What of an answer tells why it failed. */
export interface FailedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  /** The proxy that may have written this answer instead of the server; null where there is none. */
  readonly proxy?: Proxy | null;
}

/**
 * The error a status of 300 or more means. `what` names what was asked for. Query strings are never
 * shown. The hub's own codes come from its `X-Error-Code` header.
 */
export function statusError(answer: FailedAnswer, { what }: { what: string }): LuciError {
  const { status, headers, url, proxy = null } = answer;
  const host = URL.parse(url)?.host ?? redactUrl(url);
  const asHub = hubError(answer, { what, host });
  if (asHub !== null) return asHub;
  const answered = `${host}${proxy === null ? "" : ` through the proxy ${proxy.name}`} answered ${status}`;
  const retryAfterMs = status === 429 || status === 503 ? readRetryAfter(headers) : undefined;
  const make = (code: ErrorCode, reason: string, options: ErrorOptions = {}): LuciError =>
    new LuciError(code, `${what}: ${answered}, ${reason}`, {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs, ...comeBack(retryAfterMs) }),
      ...options,
    });
  const login = { hint: "Check the address and whether it needs a login; for Hugging Face set HF_TOKEN" };
  if (status === 407 || (status === 401 && isProxyLogin(answer)))
    return make("E_PROXY", proxyLogin(proxy), loginHint(proxy));
  if (status === 401) return make("E_AUTH", "it wants a login", login);
  if (status === 403) return make("E_AUTH", "it does not let us in", login);
  if (status === 404) return make("E_NOT_FOUND", "it is not there");
  if (status === 410) return make("E_GONE", "it was withdrawn");
  if (status === 451) return make("E_GONE", "it was withdrawn for legal reasons");
  if (status === 416) return make("E_SIZE", "the file is shorter than expected");
  if (status === 429) return make("E_RATE_LIMITED", `too many requests${waitWords(retryAfterMs)}`);
  if (status === 408 || status === 425 || status >= 500)
    return make("E_SERVER", `the server is in trouble${waitWords(retryAfterMs)}`);
  return make("E_SERVER", "which luci did not expect", { retryable: false });
}

/**
 * How long a server asks us to wait, in milliseconds: `Retry-After` in seconds or as a date (held
 * against the server's own clock), else the `t=` of `RateLimit`. Undefined when it does not say.
 */
export function readRetryAfter(headers: Headers): number | undefined {
  const retryAfter = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(retryAfter)) return Math.min(LONGEST_WAIT_MS, Number(retryAfter) * 1_000);
  // `Date.parse` alone takes almost any number for a year.
  const untilMs = /^[a-z]{3,9}, .* GMT$/i.test(retryAfter) ? Date.parse(retryAfter) : Number.NaN;
  if (!Number.isNaN(untilMs)) {
    const serverNowMs = Date.parse(headers.get("date") ?? "");
    // Held against another clock than the server's, a date may mean anything.
    const [nowMs, mostMs] = Number.isNaN(serverNowMs)
      ? [Date.now(), LONGEST_CLOCK_WAIT_MS]
      : [serverNowMs, LONGEST_WAIT_MS];
    return Math.min(mostMs, Math.max(0, untilMs - nowMs));
  }
  const window = /(?:^|;)\s*t=(\d{1,9})\b/.exec(headers.get("ratelimit") ?? "")?.[1];
  return window === undefined ? undefined : Number(window) * 1_000;
}

function hubError(
  { status, headers }: FailedAnswer,
  names: { what: string; host: string },
): LuciError | null {
  if (status < 400 || status >= 500) return null;
  const { what, host } = names;
  switch (headers.get("x-error-code")) {
    case "GatedRepo":
      return new LuciError("E_GATED", `${what} is gated: its authors want its terms accepted first`);
    case "RepoNotFound":
      return new LuciError(
        "E_NOT_FOUND",
        `${what}: ${host} has no such repository, or does not show it to us`,
      );
    case "RevisionNotFound":
      return new LuciError("E_NOT_FOUND", `${what}: ${host} has no such revision of it`);
    case "EntryNotFound":
      return new LuciError("E_NOT_FOUND", `${what}: ${host} has no such file in that revision`);
    case "DisabledRepo":
      return new LuciError("E_GONE", `${what} was disabled on ${host}`);
    default:
      return null;
  }
}

/** Some proxies answer a wrong password with 401 instead of 407; luci itself logs in nowhere by Basic. */
function isProxyLogin({ headers, proxy }: FailedAnswer): boolean {
  return proxy?.hasLogin === true && /^basic\b/i.test(headers.get("www-authenticate") ?? "");
}

function proxyLogin(proxy: Proxy | null): string {
  return proxy?.hasLogin === true
    ? "the proxy does not accept the user name and password it was given"
    : "the proxy wants a login";
}

function waitWords(retryAfterMs: number | undefined): string {
  return retryAfterMs === undefined ? "" : `: it asks to wait ${inWords(retryAfterMs)}`;
}

/** What to do about a wait that no run sits out. */
function comeBack(retryAfterMs: number): { hint?: string } {
  if (retryAfterMs <= LONGEST_RETRY_AFTER_MS) return {};
  return { hint: `Run the same command again in ${inWords(retryAfterMs)}: what arrived is kept` };
}

function inWords(waitMs: number): string {
  const seconds = Math.ceil(waitMs / 1_000);
  if (seconds <= 120) return `${seconds} s`;
  if (seconds <= 120 * 60) return `${Math.ceil(seconds / 60)} min`;
  return seconds <= 48 * 3_600 ? `${Math.ceil(seconds / 3_600)} h` : `${Math.ceil(seconds / 86_400)} days`;
}
