// What went wrong with an exchange that brought no answer: the runtime's codes become LuciErrors that name
// whoever failed, the host or the proxy before it. The runtime's messages are never shown: they carry whole
// addresses, signatures included.

import { type ErrorOptions, LuciError } from "../domain/errors.ts";
import { checkUrl } from "../domain/safe-url.ts";
import { HANDLE_HINT, HANDLE_REASONS } from "./disk-error.ts";
import type { Environment } from "./http-environment.ts";
import { type Proxy, proxyFor } from "./http-proxy.ts";

/** Whom we talk to: the host, and the proxy on the way where there is one. */
export interface Peer {
  readonly host: string;
  readonly proxy: Proxy | null;
}

const REFUSED = "refused the connection";
const CLOSED = "closed the connection before the end";
const UNKNOWN = "could not be found: its name does not resolve";
const LATE = "did not answer in time";

/** Failures of reaching somebody: behind a proxy, that is the proxy. */
const REACH_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: REFUSED,
  ConnectionRefused: REFUSED,
  ENOTFOUND: UNKNOWN,
  EAI_AGAIN: "could not be found: the name server does not answer",
  DNSResolveFailed: UNKNOWN,
  ETIMEDOUT: LATE,
  Timeout: LATE,
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached: no route to its network",
  ENETDOWN: "cannot be reached: the network is down",
  EADDRNOTAVAIL: "cannot be reached: no local address to use",
};
/** Failures on an open connection: which end it was cannot be told. */
const LOST_REASONS: Readonly<Record<string, string>> = {
  ECONNRESET: CLOSED,
  ConnectionClosed: CLOSED,
  EPIPE: CLOSED,
};
const TLS_CODE =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA|CRL_)/;
const PROXY_CODE = /proxy/i;
const PROTOCOL_CODE =
  /^(?:Invalid|ResponseHeaders|Malformed|HTTP|Zlib|Brotli|Zstd|UnrequestedUpgrade|RequestURLTooLong)/;

/** Turns what `fetch` threw into an error of ours; a LuciError is returned as it is. */
export function networkError(thrown: unknown, peer: Peer): LuciError {
  if (thrown instanceof LuciError) return thrown;
  const code = findCode(thrown) ?? "";
  const who = peerName(peer);
  const make = (
    kind: ConstructorParameters<typeof LuciError>[0],
    message: string,
    options: ErrorOptions = {},
  ) => new LuciError(kind, message, { cause: thrown, ...options });
  const handle = HANDLE_REASONS[code];
  if (handle !== undefined)
    return make("E_NETWORK", `No connection to ${who}: ${handle}`, { hint: HANDLE_HINT });
  const reach = REACH_REASONS[code];
  if (reach !== undefined && peer.proxy !== null) {
    const { name, variable } = peer.proxy;
    const hint = `Check ${variable} and whether that proxy runs, then run the same command again: what arrived is kept`;
    return make("E_PROXY", `The proxy ${name} on the way to ${peer.host} ${reach}`, {
      hint,
      retryable: true,
    });
  }
  const reason = reach ?? LOST_REASONS[code];
  if (reason !== undefined) return make("E_NETWORK", `${who} ${reason}`);
  if (PROXY_CODE.test(code)) return tunnelError(thrown, peer, code);
  if (TLS_CODE.test(code))
    return make("E_TLS", `No trusted connection to ${who}: ${tlsReason(code)}`, tlsHint(code));
  if (PROTOCOL_CODE.test(code)) return make("E_SERVER", `${who} does not answer in proper HTTP (${code})`);
  return make("E_NETWORK", `The connection to ${who} failed${code === "" ? "" : ` (${code})`}`);
}

/** A peer in words: `example.org`, or `example.org through the proxy 10.0.0.1:3128`. */
export function peerName({ host, proxy }: Peer): string {
  return proxy === null ? host : `${host} through the proxy ${proxy.name}`;
}

/** What to do about a proxy that wants a login, or another one. Never repeats the one it was given. */
export function loginHint(proxy: Proxy | null): { hint: string } {
  const variable = proxy?.variable ?? "HTTPS_PROXY";
  return { hint: `Set user name and password in ${variable}: http://user:password@host:port` };
}

/** The proxy answered, but opened no way to the host. */
function tunnelError(thrown: unknown, { host, proxy }: Peer, code: string): LuciError {
  const name = proxy === null ? "The proxy" : `The proxy ${proxy.name}`;
  const status = statusOf(thrown);
  // Some proxies answer a wrong password with 401.
  if (status === 407 || status === 401) {
    const reason =
      proxy?.hasLogin === true ? "does not accept the user name and password it was given" : "wants a login";
    return new LuciError("E_PROXY", `${name} on the way to ${host} ${reason} (${status})`, {
      ...loginHint(proxy),
      cause: thrown,
    });
  }
  if (status !== null && status >= 500) {
    const hint = "Try again later; if it repeats, ask whoever runs the proxy";
    return new LuciError("E_PROXY", `${name} could not connect to ${host} (${status})`, {
      hint,
      retryable: true,
      cause: thrown,
    });
  }
  return new LuciError("E_PROXY", `${name} refuses to connect to ${host} (${status ?? code})`, {
    hint: `Ask whoever runs the proxy to allow ${host}, or name it in NO_PROXY if it can be reached directly`,
    cause: thrown,
  });
}

function statusOf(thrown: unknown): number | null {
  const status = thrown instanceof Error && "status" in thrown ? thrown.status : null;
  if (typeof status === "number") return status;
  return thrown instanceof Error && thrown.cause instanceof Error ? statusOf(thrown.cause) : null;
}

function tlsReason(code: string): string {
  if (/EXPIRED/.test(code)) return `its certificate has expired (${code})`;
  if (/NOT_YET_VALID/.test(code)) return `its certificate is not valid yet (${code})`;
  if (/ALTNAME|HOSTNAME/.test(code)) return `its certificate is for another name (${code})`;
  if (/SELF_SIGNED|DEPTH_ZERO/.test(code))
    return `nobody we trust signed its certificate, only its owner did (${code})`;
  if (/UNABLE_TO/.test(code))
    return `nobody we trust signed its certificate, or a certificate in between is missing (${code})`;
  if (code === "EPROTO") return `it does not speak TLS on this port, or nothing newer than TLS 1.1 (${code})`;
  return `the handshake failed (${code})`;
}

function tlsHint(code: string): { hint?: string } {
  if (/EXPIRED|NOT_YET_VALID/.test(code))
    return { hint: "Check this machine's date; if it is right, the server needs a new certificate" };
  if (/ALTNAME|HOSTNAME/.test(code))
    return { hint: "Check the address: the server there is not the one you asked for" };
  if (code === "EPROTO") return { hint: "Check the address and its port" };
  return {};
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

/** The two parties an exchange with this address has. @throws LuciError E_UNSAFE_URL, E_PROXY */
export function peerOf(url: string, environment: Environment): Peer {
  return { host: checkUrl(url).host, proxy: proxyFor(url, environment) };
}
