// What an address may be, and what of it may be shown or stored. Pure: nothing is asked of any network.

import { LuciError } from "./errors.ts";
import { shorten } from "./text.ts";

/** Of an address in a sentence: names are rarely longer, signed addresses often are. */
const LONGEST_PATH = 300;

/** Query parameters that are or carry a secret: signed links and access tokens. */
const SECRET_PARAMETER = new RegExp(
  `^(?:${[
    "x-(?:amz|goog|oss|cos|bz)-.*",
    ".*(?:token|secret|password|passwd|signature|credential|accesskeyid|accessid)",
    "sig|policy|key-pair-id|jwt|session|key|api[-_]?key|auth|auth[-_]?key|authorization",
  ].join("|")})$`,
  "i",
);
/** Parameters that belong to a signature and change with it; harmless names when nothing is signed. */
const SIGNATURE_COMPANION = /^(?:expires?|exp|hash|algorithm|s[eprtv]|spr|skoid|sktid|skt|ske|sks|skv|sdd)$/i;

/**
 * Parses an address that may be fetched: https anywhere, http on this machine only. User name and
 * password are dropped.
 * @throws LuciError E_UNSAFE_URL
 */
export function checkUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new LuciError("E_UNSAFE_URL", `Not an address: ${redactUrl(text)}`);
  const isAllowed = url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname));
  if (!isAllowed) {
    throw new LuciError("E_UNSAFE_URL", `Refused an address that is not https: ${redactUrl(text)}`);
  }
  url.username = "";
  url.password = "";
  return url;
}

/** Whether a host name as `URL` normalises it is this machine by name or number. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** An address as people may see it: no user name, no password, no fragment, the query as `?…`. */
export function redactUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null)
    return JSON.stringify(
      text
        .replace(/[?#].*$/s, "")
        .replace(/\/\/.*@/s, "//")
        .slice(0, 80),
    );
  // An opaque address (data:, blob:, mailto:) is content, not a place.
  if (!/^(?:https?|ftp):$/.test(url.protocol)) return `${url.protocol}…`;
  return `${url.protocol}//${url.host}${shorten(url.pathname, LONGEST_PATH)}${url.search === "" ? "" : "?…"}`;
}

/** An address without what must not be stored: user name, password, fragment, signatures and tokens. */
export function withoutSecrets(text: string): string {
  const url = new URL(text);
  url.username = "";
  url.password = "";
  url.hash = "";
  const names = [...new Set(url.searchParams.keys())];
  if (!names.some((name) => SECRET_PARAMETER.test(name))) return url.href;
  for (const name of names) {
    if (SECRET_PARAMETER.test(name) || SIGNATURE_COMPANION.test(name)) url.searchParams.delete(name);
  }
  return url.href;
}
