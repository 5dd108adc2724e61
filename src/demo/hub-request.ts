// One request to the embedded hub and what is to be answered, before it becomes bytes on a socket.

import type { IncomingMessage } from "node:http";
import type { Range } from "../domain/range.ts";
import { bytesContent } from "./content.ts";
import type { Content } from "./content.ts";

const LONGEST_BODY_BYTES = 1024 * 1024;

/** A request as handlers and `intercept` see it. */
export interface HubRequest {
  readonly origin: "hub" | "cdn";
  readonly method: string;
  /** As sent, without the query: nothing is normalised, so that hostile names stay what they are. */
  readonly path: string;
  /** The path's decoded segments. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  /** The Range header, as sent. */
  readonly range: string | null;
  header(name: string): string | null;
  /** The body as text, at most 1 MiB. */
  text(): Promise<string>;
}

/** What is to be sent. Without `slice` the whole content is meant; `content: null` sends no body. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Content | null;
  readonly slice?: Range;
}

/** Reads a request's line and headers. */
export function readRequest(message: IncomingMessage, origin: "hub" | "cdn"): HubRequest {
  const target = message.url ?? "/";
  const questionMark = target.indexOf("?");
  const path = questionMark === -1 ? target : target.slice(0, questionMark);
  const header = (name: string): string | null => {
    const value = message.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(", ") : (value ?? null);
  };
  return {
    origin,
    method: message.method ?? "GET",
    path,
    segments: path.slice(1).split("/").map(decodeSegment),
    query: new URLSearchParams(questionMark === -1 ? "" : target.slice(questionMark + 1)),
    range: header("range"),
    header,
    text: () => readText(message),
  };
}

/** A JSON reply. */
export function jsonReply(
  data: unknown,
  options: { status?: number; headers?: Record<string, string> } = {},
): Reply {
  return {
    status: options.status ?? 200,
    headers: { "Content-Type": "application/json; charset=utf-8", ...options.headers },
    content: bytesContent(JSON.stringify(data)),
  };
}

/** The hub's way to say no: a code in a header, a sentence in a header and in the body. */
export function errorReply(status: number, options: { code?: string; message: string }): Reply {
  const headers = {
    "X-Error-Message": options.message,
    ...(options.code === undefined ? {} : { "X-Error-Code": options.code }),
    ...(status === 401 ? { "WWW-Authenticate": 'Bearer realm="Authentication required"' } : {}),
  };
  return jsonReply({ error: options.message }, { status, headers });
}

/** Sends elsewhere. */
export function redirectReply(
  status: number,
  options: { to: string; headers?: Record<string, string> },
): Reply {
  const headers = { Location: options.to, "Content-Type": "text/plain; charset=utf-8", ...options.headers };
  return { status, headers, content: bytesContent(`Redirecting to ${options.to}`) };
}

/**
 * Serves content with the range that was asked for: 206, 200 (no range, a form we do not know, several
 * ranges, or an If-Range that does not match) or 416. RFC 9110, section 14.
 */
export function contentReply(
  request: HubRequest,
  options: { content: Content; headers: Record<string, string> },
): Reply {
  const { content } = options;
  const headers = { "Accept-Ranges": "bytes", ...options.headers };
  const ifRange = request.header("if-range");
  const isStale = ifRange !== null && ifRange !== options.headers["ETag"];
  const asked = isStale ? null : parseRange(request.range, content.sizeBytes);
  if (asked === null) return { status: 200, headers, content };
  if (asked === "unsatisfiable") {
    const refusal = { ...headers, "Content-Range": `bytes */${content.sizeBytes}` };
    return { status: 416, headers: refusal, content: bytesContent("") };
  }
  const contentRange = `bytes ${asked.startBytes}-${asked.endBytes - 1}/${content.sizeBytes}`;
  return { status: 206, headers: { ...headers, "Content-Range": contentRange }, content, slice: asked };
}

/** The range that a Range header asks for, within the content; null where it asks for all of it. */
export function parseRange(header: string | null, sizeBytes: number): Range | "unsatisfiable" | null {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header?.trim() ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (match === null || (first === "" && last === "")) return null;
  if (first === "") {
    const startBytes = Math.max(0, sizeBytes - Number(last));
    return startBytes < sizeBytes ? { startBytes, endBytes: sizeBytes } : "unsatisfiable";
  }
  const startBytes = Number(first);
  if (last !== "" && Number(last) < startBytes) return null;
  if (startBytes >= sizeBytes) return "unsatisfiable";
  return { startBytes, endBytes: last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1) };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

async function readText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message) {
    const piece = Buffer.from(chunk as Uint8Array);
    bytes += piece.length;
    if (bytes > LONGEST_BODY_BYTES) break;
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString("utf8");
}
