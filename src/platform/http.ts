// The only place that fetches. Metadata (`json`, `probe`) is retried here; bodies (`open`) are one attempt,
// because what to ask for next depends on which bytes arrived. Nothing here knows a vendor or a disk path.

import { ofetch } from "ofetch";
import type { Range } from "../domain/range.ts";
import { checkUrl, redactUrl } from "../domain/safe-url.ts";
import { abortable } from "./clock.ts";
import type { Lookup } from "./http-address.ts";
import { rankOfHost, systemLookup } from "./http-address.ts";
import type { Answer } from "./http-answer.ts";
import { makeAnswer, refuseEncoded } from "./http-answer.ts";
import type { Environment } from "./http-environment.ts";
import { readSurroundings } from "./http-environment.ts";
import { statusError } from "./http-errors.ts";
import { readJson } from "./http-json.ts";
import { peerOf } from "./http-network-errors.ts";
import { type Proxy, type ProxyOption, proxyFor, proxyOption } from "./http-proxy.ts";
import type { Hop } from "./http-redirect.ts";
import { cancelBody, follow } from "./http-redirect.ts";
import type { RetryInfo } from "./http-retry.ts";
import { withRetries } from "./http-retry.ts";
import { type Trust, createTrust } from "./http-trust.ts";
import type { Watchdog } from "./http-watchdog.ts";
import { createWatchdog } from "./http-watchdog.ts";
import { createMemoryRelief } from "./memory.ts";

const JSON_MAX_BYTES = 16 * 1_024 * 1_024;
const JSON_LIMIT_MS = 30_000;

export interface HttpOptions {
  readonly userAgent: string;
  /** No byte for this long is a stall. */
  readonly stallMs: number;
  /** Attempts after the first, for metadata. */
  readonly retries: number;
  /** PEM file of certificates to trust besides the built-in ones. */
  readonly caFile?: string | null;
  readonly onRetry?: (info: RetryInfo) => void;
  /** Where proxy settings are read; the process's own unless given. */
  readonly environment?: Environment;
  /** Resolves host names for the check of redirects; the system's unless given. */
  readonly lookup?: Lookup;
}

export interface RequestOptions {
  /** For this URL's origin only: a redirect to another one does not carry them. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface JsonOptions extends RequestOptions {
  /** 16 MiB unless given. */
  readonly maxBytes?: number;
  /** Names what is asked for in errors; the address without its query unless given. */
  readonly what?: string;
}

export interface OpenOptions extends RequestOptions {
  readonly range?: Range;
  /** A strong ETag: the range is wanted of this version only, of another one all of it. */
  readonly ifRange?: string | null;
}

export interface Http {
  /**
   * Whether anything may be asked at all, said before the first question and once for a whole run. Asks nobody.
   * @throws LuciError E_PROXY (socks), E_TLS (verification switched off), E_CONFIG (certificates of no use)
   */
  ready(): Promise<void>;
  /**
   * Asks for JSON, with retries. The data is not validated.
   * @throws LuciError by status (see `statusError`), E_MALFORMED, E_STALLED, network codes; the signal's reason
   */
  json(url: string, options: JsonOptions): Promise<{ data: unknown; headers: Headers; status: number }>;
  /**
   * Asks for the first byte of a file, with retries, to learn what the server says of it. The body is given up.
   * @throws LuciError by status, E_STALLED, network codes; the signal's reason
   */
  probe(url: string, options: RequestOptions): Promise<Answer>;
  /**
   * Asks for a body, once. Resolves with the headers of any status: the caller judges it, and reads or
   * discards the body.
   * @throws LuciError E_UNSAFE_URL, E_MALFORMED (compressed), E_STALLED, network codes; the signal's reason
   */
  open(url: string, options: OpenOptions): Promise<Answer>;
}

/** Makes the door to the network. Nothing is read or asked before the first request. */
export function createHttp(options: HttpOptions): Http {
  const { retries, onRetry, stallMs, environment = process.env } = options;
  const trust = createTrust(options.caFile ?? null, environment);
  let read: Environment | null = null;
  const surroundings = (): Environment => (read ??= readSurroundings(environment));
  const line = createLine(options, { trust, surroundings });
  const onReceived = createMemoryRelief();
  const open: Http["open"] = async (url, { headers = {}, range, ifRange = null, signal }) => {
    const watchdog = createWatchdog({ signal, stallMs, peer: peerOf(url, surroundings()) });
    const common = { ...rangeHeader(range), ...(ifRange === null ? {} : { "if-range": ifRange }) };
    try {
      const { response, hops } = await line(url, { common, own: headers, watchdog, send: sendBody });
      const proxy = writerProxy(hops.at(-1)?.url ?? url, surroundings());
      return makeAnswer({ response, hops, watchdog, proxy, onReceived });
    } catch (thrown) {
      watchdog.close();
      throw thrown;
    }
  };
  return {
    ready: async () => {
      surroundings();
      await trust();
    },
    open,
    json: (url, request) =>
      withRetries(() => readOnce(url, { line, stallMs, surroundings, ...request }), {
        retries,
        onRetry,
        signal: request.signal,
      }),
    probe: (url, request) =>
      withRetries(
        async () => {
          const answer = await open(url, { ...request, range: { startBytes: 0, endBytes: 1 } });
          await answer.discard();
          if (answer.status >= 300) throw statusError(answer, { what: redactUrl(url) });
          return answer;
        },
        { retries, onRetry, signal: request.signal },
      ),
  };
}

interface SendInit {
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly redirect: "manual";
  readonly decompress: false;
  readonly tls: { readonly rejectUnauthorized: true; readonly ca?: string[] };
  readonly proxy: ProxyOption;
}

type Send = (url: string, init: SendInit) => Promise<Response>;

const sendBody: Send = (url, init) => fetch(url, { ...init, timeout: false });

// ofetch keeps `timeout` to itself, hence none is given: the watchdog bounds every exchange.
const sendMetadata: Send = (url, init) =>
  ofetch.raw(url, { ...init, retry: 0, ignoreResponseError: true, responseType: "stream" });

interface LineOptions {
  readonly common: Readonly<Record<string, string>>;
  readonly own: Readonly<Record<string, string>>;
  readonly watchdog: Watchdog;
  readonly send: Send;
}

type Line = (url: string, options: LineOptions) => Promise<{ response: Response; hops: Hop[] }>;

/** One exchange with all redirects: the same rules for bodies and metadata. */
function createLine(
  { userAgent, lookup = systemLookup }: HttpOptions,
  { trust, surroundings }: { trust: Trust; surroundings: () => Environment },
): Line {
  return async (url, { common, own, watchdog, send }) => {
    const ca = await trust();
    const fixed = {
      redirect: "manual",
      decompress: false,
      signal: watchdog.signal,
      tls: { rejectUnauthorized: true, ...(ca === null ? {} : { ca: [...ca] }) },
    } as const;
    const { response, hops } = await follow(url, {
      common: { "user-agent": userAgent, "accept-encoding": "identity", ...common },
      own,
      send: (href, headers) => {
        const peer = peerOf(href, surroundings());
        watchdog.face(peer);
        return watchdog.wait(send(href, { ...fixed, headers, proxy: proxyOption(peer.proxy) }));
      },
      rankOf: (hostname) => {
        // A proxy resolves names itself, and may know other ones.
        const resolver = proxyFor(`https://${hostname}/`, surroundings()) === null ? lookup : null;
        return watchdog.wait(abortable(rankOfHost(hostname, resolver), watchdog.signal));
      },
    });
    if (response.headers.has("content-encoding")) await refuseEncoded(response, hostOf(response.url || url));
    return { response, hops };
  };
}

interface ReadOnceOptions extends JsonOptions {
  readonly line: Line;
  readonly stallMs: number;
  surroundings(): Environment;
}

async function readOnce(url: string, options: ReadOnceOptions): ReturnType<Http["json"]> {
  const { line, stallMs, surroundings, signal } = options;
  const { headers = {}, maxBytes = JSON_MAX_BYTES, what = redactUrl(url) } = options;
  const host = hostOf(url);
  const watchdog = createWatchdog({
    signal,
    stallMs,
    peer: peerOf(url, surroundings()),
    limitMs: JSON_LIMIT_MS,
  });
  try {
    const common = { accept: "application/json" };
    const { response, hops } = await line(url, { common, own: headers, watchdog, send: sendMetadata });
    if (response.status >= 300) {
      await cancelBody(response);
      const { status, headers: answered } = response;
      const last = hops.at(-1)?.url ?? url;
      const proxy = writerProxy(last, surroundings());
      throw statusError({ status, headers: answered, url: last, proxy }, { what });
    }
    const data = await readJson(response.body, { watchdog, maxBytes, host });
    return { data, headers: response.headers, status: response.status };
  } finally {
    watchdog.close();
  }
}

function rangeHeader(range: Range | undefined): Record<string, string> {
  return range === undefined ? {} : { range: `bytes=${range.startBytes}-${range.endBytes - 1}` };
}

/** The proxy that may have written an answer itself: inside a tunnel it cannot. */
function writerProxy(url: string, environment: Environment): Proxy | null {
  return url.startsWith("http:") ? proxyFor(url, environment) : null;
}

function hostOf(url: string): string {
  return checkUrl(url).host;
}
