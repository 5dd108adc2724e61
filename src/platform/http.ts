// The only place that fetches. Metadata (`json`, `probe`) is retried here; bodies (`open`) are one attempt,
// because what to ask for next depends on which bytes arrived. Nothing here knows a vendor or a disk path.

import { ofetch } from "ofetch";
import { LuciError } from "../domain/errors.ts";
import type { Range } from "../domain/range.ts";
import { checkUrl, redactUrl } from "../domain/safe-url.ts";
import type { Lookup } from "./http-address.ts";
import { rankOfHost, systemLookup } from "./http-address.ts";
import type { Answer } from "./http-answer.ts";
import { makeAnswer, refuseEncoded } from "./http-answer.ts";
import type { Environment } from "./http-environment.ts";
import { checkEnvironment, hasProxy } from "./http-environment.ts";
import { statusError } from "./http-errors.ts";
import { readJson } from "./http-json.ts";
import type { Hop } from "./http-redirect.ts";
import { cancelBody, follow } from "./http-redirect.ts";
import type { RetryInfo } from "./http-retry.ts";
import { withRetries } from "./http-retry.ts";
import type { Watchdog } from "./http-watchdog.ts";
import { createMemoryRelief } from "./memory.ts";
import { createWatchdog } from "./http-watchdog.ts";

const JSON_MAX_BYTES = 16 * 1_024 * 1_024;
const JSON_LIMIT_MS = 30_000;

export interface HttpOptions {
  readonly userAgent: string;
  /** No byte for this long is a stall. */
  readonly stallMs: number;
  /** Attempts after the first, for metadata. */
  readonly retries: number;
  /** PEM file of certificates to trust besides the built-in ones. */
  readonly caFile?: string;
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
}

export interface Http {
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
  const { retries, onRetry, stallMs } = options;
  const line = createLine(options);
  const onReceived = createMemoryRelief();
  const open: Http["open"] = async (url, { headers = {}, range, signal }) => {
    const watchdog = createWatchdog({ signal, stallMs, host: hostOf(url) });
    const common = rangeHeader(range);
    try {
      const { response, hops } = await line(url, { common, own: headers, watchdog, send: sendBody });
      return makeAnswer({ response, hops, watchdog, onReceived });
    } catch (thrown) {
      watchdog.close();
      throw thrown;
    }
  };
  return {
    open,
    json: (url, request) =>
      withRetries(() => readOnce(url, { line, stallMs, ...request }), {
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
  readonly tls?: { ca: string[] };
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
function createLine({
  userAgent,
  caFile,
  environment = process.env,
  lookup = systemLookup,
}: HttpOptions): Line {
  let tls: { tls?: { ca: string[] } } | undefined;
  let resolver: Lookup | null | undefined;
  return async (url, { common, own, watchdog, send }) => {
    if (resolver === undefined) {
      checkEnvironment(environment);
      resolver = hasProxy(environment) ? null : lookup;
    }
    const resolveWith = resolver;
    tls ??= caFile === undefined ? {} : { tls: { ca: await readCertificates(caFile) } };
    const fixed = { redirect: "manual", decompress: false, signal: watchdog.signal, ...tls } as const;
    const { response, hops } = await follow(url, {
      common: { "user-agent": userAgent, "accept-encoding": "identity", ...common },
      own,
      send: (href, headers) => watchdog.wait(send(href, { ...fixed, headers })),
      rankOf: (hostname) => watchdog.wait(abortable(rankOfHost(hostname, resolveWith), watchdog.signal)),
    });
    if (response.headers.has("content-encoding")) await refuseEncoded(response, hostOf(response.url || url));
    return { response, hops };
  };
}

interface ReadOnceOptions extends JsonOptions {
  readonly line: Line;
  readonly stallMs: number;
}

async function readOnce(url: string, options: ReadOnceOptions): ReturnType<Http["json"]> {
  const { line, stallMs, headers = {}, signal, maxBytes = JSON_MAX_BYTES, what = redactUrl(url) } = options;
  const host = hostOf(url);
  const watchdog = createWatchdog({ signal, stallMs, host, limitMs: JSON_LIMIT_MS });
  try {
    const common = { accept: "application/json" };
    const { response } = await line(url, { common, own: headers, watchdog, send: sendMetadata });
    if (response.status >= 300) {
      await cancelBody(response);
      throw statusError(
        { status: response.status, headers: response.headers, url: response.url || url },
        { what },
      );
    }
    const data = await readJson(response.body, { watchdog, maxBytes, host });
    return { data, headers: response.headers, status: response.status };
  } finally {
    watchdog.close();
  }
}

/** Settles like a promise that cannot be stopped, or rejects as soon as the signal aborts. */
function abortable<Value>(pending: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const stop = (): void => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  pending.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  return promise;
}

function rangeHeader(range: Range | undefined): Record<string, string> {
  return range === undefined ? {} : { range: `bytes=${range.startBytes}-${range.endBytes - 1}` };
}

/** @throws LuciError E_CONFIG */
async function readCertificates(caFile: string): Promise<string[]> {
  const { rootCertificates } = await import("node:tls");
  try {
    return [...rootCertificates, await Bun.file(caFile).text()];
  } catch (cause) {
    throw new LuciError("E_CONFIG", `Cannot read the certificates of ${caFile}`, { cause });
  }
}

function hostOf(url: string): string {
  return checkUrl(url).host;
}
