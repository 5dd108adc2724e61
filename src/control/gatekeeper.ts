// Who may ask a daemon for what. Other programs' web pages reach a local port too: by a name that is made to point
// here (DNS rebinding), or across origins. Neither gets an answer, and whoever changes something shows the token.

import { createHash, timingSafeEqual } from "node:crypto";
import { isLoopbackHost } from "../domain/safe-url.ts";
import { Problem } from "./problem.ts";

const READS = new Set(["GET", "HEAD"]);
/** How browsers, which cannot set a header there, bring the token to a WebSocket. */
const TOKEN_PROTOCOL = "luci.bearer.";
/** An address as the URL standard writes it: what else ends in figures is no host for it. */
const ADDRESS = /^(?:\[.+\]|\d+(?:\.\d+){3})$/;
const ANY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "[::]"]);
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

export interface GatekeeperOptions {
  readonly token: string;
  /** The address that is listened at. */
  readonly host: string;
  /** Further names that this daemon is called by. */
  readonly allowedHosts: readonly string[];
  /** Paths of a page that holds nothing of anybody's. */
  readonly openPaths: ReadonlySet<string>;
}

/** Lets a request pass and says whether it showed the token, or throws. @throws Problem 401, 403 */
export type Gatekeeper = (request: Request) => boolean;

/** The gatekeeper of a port. */
export function createGatekeeper({ token, host, allowedHosts, openPaths }: GatekeeperOptions): Gatekeeper {
  const names = new Set([...LOOPBACK_NAMES, nameOf(host), ...allowedHosts.map(nameOf)]);
  const isPrivate = isLoopbackHost(nameOf(host));
  const isEverywhere = ANY_ADDRESS.has(nameOf(host));
  const digest = digestOf(token);
  return (request) => {
    checkHost(request, { names, isEverywhere });
    checkOrigin(request);
    const isPage = READS.has(request.method) && openPaths.has(new URL(request.url).pathname);
    if (isPage) return false;
    const shown = tokenIn(request);
    if (shown === null && isPrivate && READS.has(request.method)) return false;
    if (shown !== null && timingSafeEqual(digestOf(shown), digest)) return true;
    throw unauthorized(shown !== null);
  };
}

/** A host as the URL standard writes it: lower case, an IPv6 address in brackets. */
function nameOf(host: string): string {
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return URL.parse(`http://${bracketed}`)?.hostname ?? host.toLowerCase();
}

/** Digests are of one length, so that how long the comparison takes tells nothing. */
function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

interface Called {
  readonly names: ReadonlySet<string>;
  /** Whether it listens at every address of this machine. */
  readonly isEverywhere: boolean;
}

/** What nobody can point elsewhere is no rebinding: an address in figures is one of this machine's. */
function checkHost({ headers }: Request, { names, isEverywhere }: Called): void {
  const host = headers.get("host") ?? "";
  const url = /^[\w.:[\]-]+$/.test(host) ? URL.parse(`http://${host}`) : null;
  const name = url?.hostname.replace(/\.$/, "") ?? "";
  if (names.has(name) || (isEverywhere && ADDRESS.test(name))) return;
  throw forbidden(
    "This is not a name of this machine's luci",
    "Use the address it listens at, or start it with `--allow-host NAME`",
  );
}

function checkOrigin({ headers, method }: Request): void {
  const origin = headers.get("origin");
  const host = headers.get("host") ?? "";
  const isOwn = origin === null || isSameOrigin(origin, host);
  // A link from elsewhere may open the page; nothing else may come from there.
  const site = headers.get("sec-fetch-site") ?? "none";
  const isLink = method === "GET" && headers.get("sec-fetch-mode") === "navigate";
  if (isOwn && (site === "none" || site === "same-origin" || isLink)) return;
  throw forbidden("This request comes from another website's page", "Open luci's own page, or use a program");
}

function isSameOrigin(origin: string, host: string): boolean {
  return ["http:", "https:"].some((scheme) => URL.parse(`${scheme}//${host}`)?.origin === origin);
}

/** The token a request shows; null where it shows none. */
function tokenIn({ headers }: Request): string | null {
  const authorization = headers.get("authorization");
  if (authorization !== null) return /^Bearer +(\S+)$/i.exec(authorization.trim())?.[1] ?? "";
  const isSocket = headers.get("upgrade")?.toLowerCase() === "websocket";
  const protocols = isSocket ? (headers.get("sec-websocket-protocol") ?? "") : "";
  const bearer = protocols.split(",").find((protocol) => protocol.trim().startsWith(TOKEN_PROTOCOL));
  return bearer === undefined ? null : bearer.trim().slice(TOKEN_PROTOCOL.length);
}

function forbidden(detail: string, hint: string): Problem {
  return new Problem({ status: 403, code: "E_AUTH", detail, hint });
}

function unauthorized(isWrong: boolean): Problem {
  return new Problem({
    status: 401,
    code: "E_AUTH",
    detail: isWrong ? "This is not the token of this luci" : "This needs the token of this luci",
    hint: "`luci serve --print-token` shows it; send it as `Authorization: Bearer TOKEN`",
    headers: { "WWW-Authenticate": 'Bearer realm="luci"' },
  });
}
