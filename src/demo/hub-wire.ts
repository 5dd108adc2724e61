// The hub's sockets: listens on loopback, turns replies into bytes with a proper Content-Length,
// back-pressure and an optional rate, and counts what goes out.
// node:http and not Bun.serve, which sends every stream chunked: a hub's CDN announces lengths.

import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { readPieces } from "./content.ts";
import type { HubLog } from "./hub-log.ts";
import { readRequest } from "./hub-request.ts";
import type { HubRequest, Reply } from "./hub-request.ts";
import { troubledReply, troubledRequest } from "./hub-trouble.ts";
import type { Intercept, Trouble } from "./hub-trouble.ts";

const LARGEST_PIECE_BYTES = 256 * 1024;
/** A throttled body is sent in this many pieces a second. */
const PIECES_PER_SEC = 20;
/** How often a body that waits for its time looks whether the rate is another one. */
const LOOK_MS = 100;
const LEAST_WAIT_MS = 25;

/** What can be changed while the hub runs. */
export interface Behaviour {
  intercept: Intercept | null;
  /** Bytes per second for each answer of the CDN; null for as fast as it goes. */
  rateBytesPerSec: number | null;
}

/** A listening origin. */
export interface Origin {
  readonly url: string;
  stop(): Promise<void>;
}

export interface OriginOptions {
  readonly origin: "hub" | "cdn";
  readonly log: HubLog;
  readonly behaviour: Behaviour;
  readonly answer: (request: HubRequest) => Reply | Promise<Reply>;
}

type OpenEntry = ReturnType<HubLog["open"]>;

/** Listens on a free port of 127.0.0.1. */
export async function listen(options: OriginOptions): Promise<Origin> {
  const server = createServer((message, response) => {
    handle(message, response, options).catch((error: unknown) => {
      // A handler that fails is a mistake in a test: show it to the client instead of hanging.
      if (!response.headersSent) response.writeHead(500, { "Content-Type": "text/plain" });
      response.end(error instanceof Error ? error.stack : String(error));
    });
  });
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the hub has no port");
  return { url: `http://127.0.0.1:${address.port}`, stop: () => stop(server) };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

async function handle(
  message: IncomingMessage,
  response: ServerResponse,
  options: OriginOptions,
): Promise<void> {
  const request = readRequest(message, options.origin);
  const entry = options.log.open(request);
  const ordered = await options.behaviour.intercept?.(request);
  if (ordered instanceof Response) {
    const reply = await replyFrom(ordered);
    return send(response, { request, entry, reply, trouble: {}, ...options });
  }
  const trouble = ordered ?? {};
  if (trouble.waitMs !== undefined) await wait(trouble.waitMs);
  const proper = await options.answer(troubledRequest(request, trouble));
  await send(response, { request, entry, reply: troubledReply(proper, trouble), trouble, ...options });
}

/** A ready-made Response; its body is taken into memory. */
async function replyFrom(response: Response): Promise<Reply> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const content = { sizeBytes: bytes.length, sha256: "", read: bytes.subarray.bind(bytes) };
  return { status: response.status, headers: Object.fromEntries(response.headers), content };
}

interface Sending extends OriginOptions {
  readonly request: HubRequest;
  readonly entry: OpenEntry;
  readonly reply: Reply;
  readonly trouble: Trouble;
}

async function send(response: ServerResponse, sending: Sending): Promise<void> {
  const { request, entry, reply, trouble } = sending;
  entry.status = reply.status;
  if (trouble.cutAfterBytes === 0) {
    response.destroy();
    return;
  }
  const range = reply.slice ?? { startBytes: 0, endBytes: reply.content?.sizeBytes ?? 0 };
  const headers: Record<string, string> = { ...reply.headers };
  if (trouble.framing === "close") {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
    headers["Connection"] = "close";
  } else if (trouble.framing === undefined && !hasHeader(headers, "content-length")) {
    headers["Content-Length"] = String(range.endBytes - range.startBytes);
  }
  response.writeHead(reply.status, headers);
  if (request.method !== "HEAD" && reply.content !== null) await sendBody(response, sending);
  if (response.destroyed) return;
  entry.isComplete = true;
  response.end();
}

function hasHeader(headers: Record<string, string>, name: string): boolean {
  return Object.keys(headers).some((known) => known.toLowerCase() === name);
}

async function sendBody(response: ServerResponse, sending: Sending): Promise<void> {
  const { reply, trouble, entry, log, behaviour, origin } = sending;
  const { content } = reply;
  if (content === null) return;
  const range = reply.slice ?? { startBytes: 0, endBytes: content.sizeBytes };
  const pace = new Pace(origin === "cdn" ? behaviour : null);
  let atBytes = range.startBytes;
  response.flushHeaders();
  for (const whole of readPieces(content, { range, stepBytes: pace.stepBytes() })) {
    const piece = cutPiece(whole, { trouble, sentBytes: atBytes - range.startBytes });
    if (piece.length > 0) {
      await write(response, trouble.corrupt?.(piece, atBytes) ?? piece);
      if (response.destroyed) return;
      log.served(entry, piece.length);
      await pace.after(piece.length, response);
      atBytes += piece.length;
    }
    if (piece.length < whole.length) {
      if (trouble.cutAfterBytes === undefined)
        await Promise.race([closed(response), trouble.stallUntil ?? closed(response)]);
      response.destroy();
      return;
    }
    if (response.destroyed) return;
  }
}

/** What of a piece may still go out before the ordered cut or stall. */
function cutPiece(piece: Uint8Array, options: { trouble: Trouble; sentBytes: number }): Uint8Array {
  const { trouble, sentBytes } = options;
  const limitBytes = Math.min(trouble.cutAfterBytes ?? Infinity, trouble.stallAfterBytes ?? Infinity);
  return limitBytes - sentBytes >= piece.length
    ? piece
    : piece.subarray(0, Math.max(0, limitBytes - sentBytes));
}

/** Resolves when the socket takes more, or is gone. */
async function write(response: ServerResponse, piece: Uint8Array): Promise<void> {
  if (response.destroyed || response.write(piece)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

async function closed(response: ServerResponse): Promise<void> {
  if (!response.destroyed) await once(response, "close");
}

/** Keeps an answer at the rate that is set at the moment; it may change while the body goes out. */
class Pace {
  readonly #behaviour: Behaviour | null;
  /** Sent, and not waited for. */
  #owedBytes = 0;

  constructor(behaviour: Behaviour | null) {
    this.#behaviour = behaviour;
  }

  stepBytes(): number {
    const rate = this.#behaviour?.rateBytesPerSec ?? null;
    if (rate === null) return LARGEST_PIECE_BYTES;
    return Math.max(1, Math.min(LARGEST_PIECE_BYTES, Math.floor(rate / PIECES_PER_SEC)));
  }

  async after(bytes: number, response: { readonly destroyed: boolean }): Promise<void> {
    this.#owedBytes += bytes;
    for (;;) {
      const rate = this.#behaviour?.rateBytesPerSec ?? null;
      if (rate === null) this.#owedBytes = 0;
      // Pieces that were cut for a slower rate are too many to wait for each of them.
      const owedMs = (this.#owedBytes / (rate ?? 1)) * 1000;
      if (owedMs < LEAST_WAIT_MS || response.destroyed) return;
      const waitMs = Math.min(LOOK_MS, owedMs);
      await wait(waitMs);
      this.#owedBytes = Math.max(0, this.#owedBytes - ((rate ?? 0) * waitMs) / 1000);
    }
  }
}
