// An answer whose body can be read once, watched, and given up at any time.

import { LuciError } from "../domain/errors.ts";
import type { Proxy } from "./http-proxy.ts";
import type { Hop } from "./http-redirect.ts";
import { cancelBody } from "./http-redirect.ts";
import type { Watchdog } from "./http-watchdog.ts";

/** What `Content-Range` says, half-open; for a 416, which names no interval, an empty one with the total. */
export interface ContentRange {
  readonly startBytes: number;
  readonly endBytes: number;
  readonly totalBytes: number | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Of the last hop. */
  readonly url: string;
  /** All hops: the first is the origin's own answer. */
  readonly hops: readonly Hop[];
  /** The proxy that may have written this answer instead of the server; null where none could. */
  readonly proxy: Proxy | null;
  /** Null when absent or not to be understood. */
  readonly contentRange: ContentRange | null;
  readonly contentLengthBytes: number | null;
  /**
   * The body's bytes as the network brings them; can be read once. Leaving the loop gives the rest up. A chunk
   * belongs to whoever reads it, its memory included.
   * @throws the signal's reason, LuciError E_STALLED, E_NETWORK and the like
   */
  body(): AsyncIterable<Uint8Array>;
  /** Gives the body up and frees the connection. Always safe to call, never fails. */
  discard(): Promise<void>;
}

interface AnswerParts {
  readonly response: Response;
  readonly hops: readonly Hop[];
  readonly watchdog: Watchdog;
  readonly proxy: Proxy | null;
  /** Told of every chunk. */
  readonly onReceived: (sizeBytes: number) => void;
}

/** Wraps a response. The answer closes the watchdog once its body is read or discarded. */
export function makeAnswer({ response, hops, watchdog, proxy, onReceived }: AnswerParts): Answer {
  const { status, headers } = response;
  const stream: ReadableStream<Uint8Array> | null = response.body;
  const reader = stream?.getReader();
  const discard = async (): Promise<void> => {
    watchdog.close();
    await reader?.cancel().catch(() => undefined);
  };
  return {
    status,
    headers,
    hops,
    proxy,
    url: hops.at(-1)?.url ?? response.url,
    contentRange: parseContentRange(headers.get("content-range")),
    contentLengthBytes: parseBytes(headers.get("content-length")),
    discard,
    async *body() {
      try {
        while (reader !== undefined) {
          const { done, value } = await watchdog.wait(reader.read());
          if (done) return;
          watchdog.moved(value.length);
          onReceived(value.length);
          yield value;
        }
      } finally {
        await discard();
      }
    },
  };
}

/**
 * Refuses a successful answer that is compressed: its bytes are not the file's.
 * @throws LuciError E_MALFORMED; the body is given up
 */
export async function refuseEncoded(response: Response, host: string): Promise<void> {
  const encoding = response.headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (!response.ok || encoding === "" || encoding === "identity") return;
  await cancelBody(response);
  throw new LuciError("E_MALFORMED", `${host} sends the file compressed although it was asked not to`);
}

/** Whether an answer is a page for people although the file asked for is none. */
export function isWebPage(headers: Headers, file: string): boolean {
  const isPage = /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(headers.get("content-type") ?? "");
  return isPage && !/\.x?html?$/i.test(file);
}

/** Reads `bytes a-b/n` with either side of the slash unknown; null for anything else. */
export function parseContentRange(text: string | null): ContentRange | null {
  const parts = /^bytes (?:(\d+)-(\d+)|\*)\/(?:(\d+)|\*)$/i.exec(text?.trim() ?? "");
  if (parts === null) return null;
  const [, first, last, total] = parts;
  const totalBytes = total === undefined ? null : parseBytes(total);
  if (total !== undefined && totalBytes === null) return null;
  if (first === undefined || last === undefined) return { startBytes: 0, endBytes: 0, totalBytes };
  const [startBytes, lastBytes] = [parseBytes(first), parseBytes(last)];
  if (startBytes === null || lastBytes === null || lastBytes < startBytes) return null;
  if (totalBytes !== null && lastBytes >= totalBytes) return null;
  return { startBytes, endBytes: lastBytes + 1, totalBytes };
}

/** A number of bytes as headers spell it; null when absent, odd or too large to count exactly. */
export function parseBytes(text: string | null): number | null {
  if (text === null || !/^\d{1,16}$/.test(text)) return null;
  const bytes = Number(text);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
