// Tells an address something, as JSON, with retries. What is answered is not read, and nobody sends us elsewhere.

import { LuciError } from "../domain/errors.ts";
import { checkUrl } from "../domain/safe-url.ts";
import { type Environment, readSurroundings } from "./http-environment.ts";
import { statusError } from "./http-errors.ts";
import { type Peer, peerOf } from "./http-network-errors.ts";
import { proxyOption } from "./http-proxy.ts";
import { cancelBody } from "./http-redirect.ts";
import { withRetries } from "./http-retry.ts";
import { createTrust } from "./http-trust.ts";
import { createWatchdog } from "./http-watchdog.ts";

/** One attempt takes this long at most. */
const LIMIT_MS = 15_000;

export interface PostOptions {
  readonly body: unknown;
  readonly userAgent: string;
  /** No byte for this long is a stall. */
  readonly stallMs: number;
  /** Attempts after the first. */
  readonly retries: number;
  readonly signal: AbortSignal;
  /** PEM file of certificates to trust besides the usual ones; null for none. */
  readonly caFile: string | null;
  /** Where proxy settings are read; the process's own unless given. */
  readonly environment?: Environment;
}

/**
 * Posts JSON until somebody takes it or the retry policy says stop: it may arrive more than once. A redirect is not
 * followed, so that no server can point luci into a private network. Errors name the host only: an address that is
 * posted to is often a secret.
 * @throws LuciError E_UNSAFE_URL for an address that may not be asked and for a redirect, by status, E_STALLED,
 *   network codes; the signal's reason
 */
export async function postJson(url: string, options: PostOptions): Promise<void> {
  const { retries, signal, caFile, environment = process.env } = options;
  const { href } = checkUrl(url);
  const peer = peerOf(href, readSurroundings(environment));
  const ca = await createTrust(caFile, environment)();
  await withRetries(() => postOnce(href, { ...options, peer, ca }), { retries, signal });
}

interface Way {
  readonly peer: Peer;
  readonly ca: readonly string[] | null;
}

async function postOnce(url: string, options: PostOptions & Way): Promise<void> {
  const { body, userAgent, stallMs, signal, peer, ca } = options;
  const { host, proxy } = peer;
  const watchdog = createWatchdog({ signal, stallMs, peer, limitMs: LIMIT_MS });
  try {
    const response = await watchdog.wait(
      fetch(url, {
        method: "POST",
        redirect: "manual",
        timeout: false,
        proxy: proxyOption(proxy),
        tls: { rejectUnauthorized: true, ...(ca === null ? {} : { ca: [...ca] }) },
        signal: watchdog.signal,
        headers: { "user-agent": userAgent, "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
    await cancelBody(response);
    const { status, headers } = response;
    if (status >= 300 && status < 400)
      throw new LuciError("E_UNSAFE_URL", `${host} wants to send it elsewhere, which luci does not follow`, {
        hint: "Give the address that takes it in the end",
      });
    if (status >= 400) throw statusError({ status, headers, url: `https://${host}`, proxy }, { what: host });
  } finally {
    watchdog.close();
  }
}
