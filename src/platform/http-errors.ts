// What went wrong with an exchange, in our own words: runtime codes and statuses become LuciErrors.
// The runtime's messages are never shown: they carry whole addresses, signatures included.

import type { ErrorCode, ErrorOptions } from "../domain/errors.ts";
import { LuciError } from "../domain/errors.ts";
import { redactUrl } from "../domain/safe-url.ts";

const LONGEST_CLOCK_WAIT_MS = 24 * 3_600_000;

/** What of an answer tells why it failed. */
export interface FailedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
}

const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ConnectionRefused: "refused the connection",
  ECONNRESET: "closed the connection before the end",
  ConnectionClosed: "closed the connection before the end",
  EPIPE: "closed the connection before the end",
  ENOTFOUND: "could not be found: its name does not resolve",
  EAI_AGAIN: "could not be found: the name server does not answer",
  DNSResolveFailed: "could not be found: its name does not resolve",
  ETIMEDOUT: "did not answer in time",
  Timeout: "did not answer in time",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached: no route to its network",
  ENETDOWN: "cannot be reached: the network is down",
  EADDRNOTAVAIL: "cannot be reached: no local address to use",
};
const TLS_CODE =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA|CRL_)/;
const PROXY_CODE = /proxy/i;
const PROTOCOL_CODE = /^(?:Invalid|Malformed|HTTP|Zlib|Brotli|Zstd|UnrequestedUpgrade|RequestURLTooLong)/;

/** Turns what `fetch` threw into an error of ours; a LuciError is returned as it is. */
export function networkError(thrown: unknown, host: string): LuciError {
  if (thrown instanceof LuciError) return thrown;
  const code = findCode(thrown);
  const reason = code === null ? undefined : NETWORK_REASONS[code];
  if (reason !== undefined) return new LuciError("E_NETWORK", `${host} ${reason}`, { cause: thrown });
  if (code !== null && PROXY_CODE.test(code)) {
    return new LuciError("E_PROXY", `The proxy on the way to ${host} refused the connection (${code})`, {
      cause: thrown,
    });
  }
  if (code !== null && TLS_CODE.test(code)) {
    return new LuciError("E_TLS", `No trusted connection to ${host}: ${tlsReason(code)}`, { cause: thrown });
  }
  if (code !== null && PROTOCOL_CODE.test(code)) {
    return new LuciError("E_SERVER", `${host} does not answer in proper HTTP (${code})`, { cause: thrown });
  }
  const detail = code === null ? "" : ` (${code})`;
  return new LuciError("E_NETWORK", `The connection to ${host} failed${detail}`, { cause: thrown });
}

/**
 * The error a status of 300 or more means. `what` names what was asked for. Query strings are never
 * shown. The hub's own codes come from its `X-Error-Code` header.
 */
export function statusError(answer: FailedAnswer, { what }: { what: string }): LuciError {
  const { status, headers, url } = answer;
  const host = URL.parse(url)?.host ?? redactUrl(url);
  const asHub = hubError(answer, { what, host });
  if (asHub !== null) return asHub;
  const answered = `${host} answered ${status}`;
  const retryAfterMs = status === 429 || status === 503 ? readRetryAfter(headers) : undefined;
  const make = (code: ErrorCode, reason: string, options: ErrorOptions = {}): LuciError =>
    new LuciError(code, `${what}: ${answered}, ${reason}`, {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...options,
    });
  const login = { hint: "Check the address and whether it needs a login; for Hugging Face set HF_TOKEN" };
  if (status === 401) return make("E_AUTH", "it wants a login", login);
  if (status === 403) return make("E_AUTH", "it does not let us in", login);
  if (status === 404) return make("E_NOT_FOUND", "it is not there");
  if (status === 407) return make("E_PROXY", "the proxy wants a login");
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
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1_000;
  // `Date.parse` alone takes almost any number for a year.
  const untilMs = /^[a-z]{3,9}, .* GMT$/i.test(retryAfter) ? Date.parse(retryAfter) : Number.NaN;
  if (!Number.isNaN(untilMs)) {
    const serverNowMs = Date.parse(headers.get("date") ?? "");
    const waitMs = untilMs - (Number.isNaN(serverNowMs) ? Date.now() : serverNowMs);
    return Math.min(LONGEST_CLOCK_WAIT_MS, Math.max(0, waitMs));
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

function waitWords(retryAfterMs: number | undefined): string {
  return retryAfterMs === undefined ? "" : `: it asks to wait ${Math.ceil(retryAfterMs / 1_000)} s`;
}

function tlsReason(code: string): string {
  if (/EXPIRED/.test(code)) return `its certificate has expired (${code})`;
  if (/ALTNAME|HOSTNAME/.test(code)) return `its certificate is for another name (${code})`;
  if (/SELF_SIGNED|UNABLE_TO|DEPTH_ZERO/.test(code))
    return `nobody we trust signed its certificate (${code})`;
  return `the handshake failed (${code})`;
}

/** The runtime's code, from the error itself or from what caused it. */
function findCode(thrown: unknown): string | null {
  let current = thrown;
  for (let depth = 0; depth < 4 && current instanceof Error; depth += 1) {
    if ("code" in current && typeof current.code === "string" && /^\w{1,60}$/.test(current.code))
      return current.code;
    current = current.cause;
  }
  return null;
}
