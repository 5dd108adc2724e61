// Follows redirects by hand: who may be asked next, and what he may be told.

import { LuciError } from "../domain/errors.ts";
import { checkUrl, redactUrl } from "../domain/safe-url.ts";
import type { Rank } from "./http-address.ts";

const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];

/** One answer on the way: the first is the origin's, the last the one with the body. */
export interface Hop {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
}

export interface FollowOptions {
  /** Headers for every host. */
  readonly common: Readonly<Record<string, string>>;
  /** Headers for the first origin only: dropped for good once scheme, host or port change. */
  readonly own: Readonly<Record<string, string>>;
  readonly send: (url: string, headers: Headers) => Promise<Response>;
  readonly rankOf: (hostname: string) => Promise<Rank>;
}

/**
 * Asks a URL and follows up to ten redirects.
 * @throws LuciError E_UNSAFE_URL for a step that is not https, from https to http, or from a public
 *   to a private address; E_SERVER for a loop. What `send` throws passes through.
 */
export async function follow(
  start: string,
  options: FollowOptions,
): Promise<{ response: Response; hops: Hop[] }> {
  const hops: Hop[] = [];
  let url = checkUrl(start);
  let own = options.own;
  while (true) {
    const response = await options.send(url.href, new Headers({ ...options.common, ...own }));
    hops.push({ url: url.href, status: response.status, headers: response.headers });
    const location = REDIRECTS.includes(response.status) ? response.headers.get("location") : null;
    if (location === null) return { response, hops };
    await cancelBody(response);
    if (hops.length > MOST_REDIRECTS) {
      throw new LuciError(
        "E_SERVER",
        `${redactUrl(start)} redirects in circles: gave up after ${MOST_REDIRECTS} steps`,
        {
          retryable: false,
        },
      );
    }
    const next = nextUrl(url, location);
    if (next.origin !== url.origin) {
      own = {};
      await checkRank(url, next, options);
    }
    url = next;
  }
}

/** Gives up an answer's body so that its connection is freed. Never fails. */
export async function cancelBody(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

function nextUrl(from: URL, location: string): URL {
  const target = URL.parse(location, from.href);
  if (target === null)
    throw new LuciError("E_UNSAFE_URL", `${from.host} redirects to something that is no address`);
  if (from.protocol === "https:" && target.protocol === "http:") {
    throw new LuciError(
      "E_UNSAFE_URL",
      `${from.host} redirects from https to http: ${redactUrl(target.href)}`,
    );
  }
  return checkUrl(target.href);
}

async function checkRank(from: URL, to: URL, { rankOf }: FollowOptions): Promise<void> {
  if (to.hostname === from.hostname) return;
  const [fromRank, toRank] = await Promise.all([rankOf(from.hostname), rankOf(to.hostname)]);
  if (toRank <= fromRank) return;
  throw new LuciError(
    "E_UNSAFE_URL",
    `${from.host} redirects into a private network: ${redactUrl(to.href)}`,
    {
      hint: "A public server has no business there: do not trust it",
    },
  );
}
