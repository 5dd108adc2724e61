// The only place that listens: on a local socket or a port. Hands over requests; knows no routes.

import type { Server, ServerWebSocket } from "bun";
import { ERROR_TABLE } from "../domain/errors.ts";
import { keepUntilEnd, makeSocketFolder, protectSocket } from "./socket-file.ts";

/** The runtime would refuse a large body with an empty page. Who handles a request bounds what is read of it: what nobody reads is not kept. */
const BODY_MAX_BYTES = Number.MAX_SAFE_INTEGER;
const MESSAGE_MAX_BYTES = 64 * 1024;
/** A request that is not complete by then is given up, however slowly it goes on. */
const REQUEST_SECONDS = 10;

/** What nobody expected, in the shape of every other error (RFC 9457). */
const ACCIDENT = {
  type: "about:blank",
  title: "Internal Server Error",
  status: 500,
  detail: "Something went wrong in luci",
  code: "E_INTERNAL",
  hint: ERROR_TABLE.E_INTERNAL.hint,
};
const PROBLEM_HEADERS = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };

/** A local socket is for this user alone. Its path may be longer than the system's 108 bytes. */
export type ListenAt = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** What a handler may do with the connection a request came on. */
export interface Connection {
  /** Until the answer the connection may be silent for long: that takes its time. */
  keepOpen(): void;
  /** Turns the connection into a WebSocket; the response is then not sent. False where that cannot be. */
  upgrade(hooks: SocketHooks): boolean;
}

/** A WebSocket's life. `send` answers false while the client does not keep up. */
export interface SocketHooks {
  open(socket: LocalSocket): void;
  message(text: string): void;
  /** The client keeps up again. */
  drain(): void;
  close(): void;
}

export interface LocalSocket {
  send(text: string): boolean;
  close(code: number, reason: string): void;
}

export interface HttpServerOptions {
  readonly at: ListenAt;
  /** Must not reject: what it throws becomes a 500 that tells nothing of it. Null after an upgrade. */
  handle(request: Request, connection: Connection): Promise<Response | null>;
}

export interface HttpServer {
  /** The port that was chosen, where one was asked for. */
  readonly port: number | null;
  /** Stops listening, closes every connection and removes the socket. */
  close(): Promise<void>;
}

/** Listens until it is closed, and keeps the process alive as long. @throws the system's error */
export async function listenHttp({ at, handle }: HttpServerOptions): Promise<HttpServer> {
  const socketPath = "socketPath" in at ? at.socketPath : null;
  if (socketPath !== null) await makeSocketFolder(socketPath);
  const answer = async (request: Request, server: Server<SocketHooks>): Promise<Response | undefined> => {
    const response = await handle(request, connectionOf(request, server));
    if (!response) return undefined;
    // Only a stream is kept: a connection that was, for its answer, may not then be silent for ever.
    const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") === true;
    server.timeout(request, isStream ? 0 : REQUEST_SECONDS);
    return response;
  };
  // The runtime's own page for an error would show the stack to whoever asks.
  const error = (): Response => Response.json(ACCIDENT, { status: 500, headers: PROBLEM_HEADERS });
  const common = {
    fetch: answer,
    error,
    development: false,
    websocket: WEBSOCKET,
    maxRequestBodySize: BODY_MAX_BYTES,
  } as const;
  const server =
    "socketPath" in at
      ? Bun.serve<SocketHooks>({ ...common, unix: at.socketPath })
      : Bun.serve<SocketHooks>({
          ...common,
          hostname: at.host,
          port: at.port,
          idleTimeout: REQUEST_SECONDS,
          // With `development: false` the runtime would share the port with whoever else listens there.
          reusePort: false,
        });
  const remove = socketPath === null ? null : keepUntilEnd(socketPath);
  if (socketPath !== null) protectSocket(socketPath);
  return {
    port: server.port ?? null,
    close: async () => {
      await server.stop(true);
      remove?.();
    },
  };
}

function connectionOf(request: Request, server: Server<SocketHooks>): Connection {
  return {
    keepOpen: () => server.timeout(request, 0),
    upgrade: (hooks) => server.upgrade(request, { data: hooks }),
  };
}

const WEBSOCKET = {
  maxPayloadLength: MESSAGE_MAX_BYTES,
  open: (socket: ServerWebSocket<SocketHooks>) =>
    socket.data.open({
      // -1: taken, but the client lags; 0: it is gone.
      send: (text) => socket.send(text) > 0,
      close: (code, reason) => socket.close(code, reason),
    }),
  message: (socket: ServerWebSocket<SocketHooks>, text: string | Buffer) => {
    if (typeof text === "string") socket.data.message(text);
  },
  drain: (socket: ServerWebSocket<SocketHooks>) => socket.data.drain(),
  close: (socket: ServerWebSocket<SocketHooks>) => socket.data.close(),
};
