// Answers for the hostile server: proper ones, and the pieces to spoil them with.

import type { Content } from "../../src/demo/content.ts";
import { type Answer, type HostileRequest, STALL, type Step } from "./hostile-server.ts";

const STEP_BYTES = 128 * 1024;

/** Header lines by name; an array sends the line several times, null leaves it out. */
export type HeaderLines = Readonly<Record<string, string | number | readonly string[] | null>>;

/** A head: status line and header lines. */
export function head(status: string | number, headers: HeaderLines = {}): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => {
    if (value === null) return [];
    return (Array.isArray(value) ? value : [value]).map((one) => `${name}: ${one}\r\n`);
  });
  const line = typeof status === "number" ? `HTTP/1.1 ${status} Status` : status;
  return `${line}\r\n${lines.join("")}\r\n`;
}

/** A whole answer with a short body of text and its length. */
export function text(status: number, body = "", headers: HeaderLines = {}): Answer {
  return [head(status, { "Content-Length": Buffer.byteLength(body), ...headers }), body];
}

export function json(value: unknown, headers: HeaderLines = {}): Answer {
  return text(200, JSON.stringify(value), { "Content-Type": "application/json", ...headers });
}

/** A body in steps small enough to be counted well. */
export function* slice(content: Content, startBytes: number, endBytes: number): Generator<Uint8Array> {
  for (let atBytes = startBytes; atBytes < endBytes; atBytes += STEP_BYTES)
    yield content.read(atBytes, Math.min(endBytes, atBytes + STEP_BYTES));
}

/** The same body with chunk lengths around the steps, without the last one. */
export function* chunks(body: Iterable<Uint8Array>): Generator<Step> {
  for (const bytes of body) {
    yield `${bytes.length.toString(16)}\r\n`;
    yield bytes;
    yield "\r\n";
  }
}

export const LAST_CHUNK = "0\r\n\r\n";

/** What comes of a body without an end before its server waits for the client to go. */
export const ENDLESS_BYTES = 1024 * 1024;

/**
 * Bytes of nothing, and never an end: nobody stops at once, so they come at the speed of a line rather than of memory,
 * and of so many that a machine which is late in everything is sent no more either. Who reads on waits for ever.
 */
export function* endless(): Generator<Step> {
  for (let sentBytes = 0; sentBytes < ENDLESS_BYTES; sentBytes += STEP_BYTES) {
    yield new Uint8Array(STEP_BYTES);
    yield { pauseMs: 20 };
  }
  yield STALL;
}

/** How a proper answer is to differ. */
export interface FileAnswer {
  readonly status?: number | string;
  /** Put over the proper ones, null to leave one out. */
  readonly headers?: HeaderLines;
  /** Answer 200 with all of it, whatever range was asked for. */
  readonly whole?: boolean;
  /** What is sent in place of the range asked for. */
  readonly from?: { readonly startBytes: number; readonly endBytes: number };
  /** Only so many bytes of the body. */
  readonly cutBytes?: number;
  /** Content-Length and body in chunks. */
  readonly chunked?: boolean;
  /** After the body. */
  readonly after?: Answer;
}

/** The file, properly: the range that was asked for or all of it, with a strong ETag, and by If-Range. */
export function* file(
  content: Content,
  request: Pick<HostileRequest, "range"> & Partial<Pick<HostileRequest, "headers">>,
  options: FileAnswer = {},
): Generator<Step> {
  const { headers = {}, cutBytes, chunked = false } = options;
  const etag = `"${content.sha256.slice(0, 16)}"`;
  const current = "ETag" in headers ? headers["ETag"] : etag;
  const isOther = (request.headers?.get("if-range") ?? current) !== current;
  const asked = options.whole === true || isOther ? null : request.range;
  const endBytes = Math.min(content.sizeBytes, asked?.endBytes ?? content.sizeBytes);
  const range = options.from ?? { startBytes: asked?.startBytes ?? 0, endBytes };
  const sizeBytes = range.endBytes - range.startBytes;
  const contentRange = `bytes ${range.startBytes}-${range.endBytes - 1}/${content.sizeBytes}`;
  yield head(options.status ?? (asked ? 206 : 200), {
    "Content-Type": "application/octet-stream",
    ETag: etag,
    ...(chunked ? { "Transfer-Encoding": "chunked" } : { "Content-Length": sizeBytes }),
    ...(asked ? { "Content-Range": contentRange } : { "Accept-Ranges": "bytes" }),
    ...headers,
  });
  const body = slice(
    content,
    range.startBytes,
    range.startBytes + Math.min(sizeBytes, cutBytes ?? sizeBytes),
  );
  yield* chunked ? chunks(body) : body;
  if (chunked && cutBytes === undefined) yield LAST_CHUNK;
  yield* options.after ?? [];
}

/** A page for people. */
export function page(bodyBytes: number): string {
  const text = "<!doctype html><html><title>Log in</title><p>Please log in to this network.</p>";
  return text.padEnd(bodyBytes, " ").slice(0, bodyBytes);
}
