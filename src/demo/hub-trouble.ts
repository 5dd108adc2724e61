// Faults a test may order instead of a proper answer. The proper answer is made first, then spoiled.

import { bytesContent } from "./content.ts";
import type { HubRequest, Reply } from "./hub-request.ts";

/** How a proper answer is to go wrong. All are optional and can be combined. */
export interface Trouble {
  /** Another status: one that refuses has a sentence for a body, any other the proper one. */
  readonly status?: number;
  /** Headers to set, or with null to leave out. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Answer 200 with the whole file although a range was asked for. */
  readonly ignoresRange?: boolean;
  /** Send bytes (and a Content-Range) that begin this many bytes later than asked. */
  readonly shiftBytes?: number;
  /** Change bytes on their way; `atBytes` is their offset in the file. */
  readonly corrupt?: (piece: Uint8Array, atBytes: number) => Uint8Array;
  /** Close the connection after this many body bytes; 0 closes it before the headers go out. */
  readonly cutAfterBytes?: number;
  /** Say nothing more after this many body bytes, until the client gives up … */
  readonly stallAfterBytes?: number;
  /** … or this has come: then the connection is closed. */
  readonly stallUntil?: Promise<unknown>;
  /** `chunked`: no Content-Length. `close`: none either, the end of the connection ends the body. */
  readonly framing?: "chunked" | "close";
  /** Wait before the headers. */
  readonly waitMs?: number;
}

/** What an interceptor may answer: a whole response of its own, a fault, or nothing to let the request pass. */
export type Intercepted = Response | Trouble | undefined;
export type Intercept = (request: HubRequest) => Intercepted | Promise<Intercepted>;

/** The request as the handlers shall see it. */
export function troubledRequest(request: HubRequest, trouble: Trouble): HubRequest {
  return trouble.ignoresRange === true ? { ...request, range: null } : request;
}

/** The proper reply, spoiled. */
export function troubledReply(proper: Reply, trouble: Trouble): Reply {
  const reply = (trouble.status ?? 0) >= 400 ? refusal(proper) : proper;
  const headers: Record<string, string> = { ...reply.headers };
  const shifted = shiftSlice(reply, trouble.shiftBytes ?? 0);
  if (shifted.slice && reply.content) {
    const { startBytes, endBytes } = shifted.slice;
    headers["Content-Range"] = `bytes ${startBytes}-${endBytes - 1}/${reply.content.sizeBytes}`;
  }
  for (const [name, value] of Object.entries(trouble.headers ?? {})) {
    for (const known of Object.keys(headers)) {
      if (known.toLowerCase() === name.toLowerCase()) delete headers[known];
    }
    if (value !== null) headers[name] = value;
  }
  return { ...shifted, status: trouble.status ?? reply.status, headers };
}

function refusal({ headers }: Reply): Reply {
  const { "Content-Range": _, ...kept } = headers;
  return { status: 400, headers: kept, content: bytesContent("Refused") };
}

function shiftSlice(reply: Reply, shiftBytes: number): Reply {
  if (!reply.slice || !reply.content || shiftBytes === 0) return reply;
  const startBytes = reply.slice.startBytes + shiftBytes;
  const endBytes = Math.min(reply.content.sizeBytes, reply.slice.endBytes + shiftBytes);
  return { ...reply, slice: { startBytes, endBytes } };
}
