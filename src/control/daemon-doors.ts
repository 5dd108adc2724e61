// The two doors of a daemon and what is behind them: the port, where a gatekeeper stands, and the socket, which only
// this user can reach.

import type { Context, SharedRoom } from "../app/context.ts";
import type { Emit } from "../domain/events.ts";
import type { Connection } from "../platform/http-server.ts";
import { everyIn, jobRoutes, sinceIn } from "./api.ts";
import type { DaemonJobs } from "./daemon-jobs.ts";
import { downloadRoutes } from "./download-routes.ts";
import type { DownloadQueue } from "./download-queue.ts";
import { createEventFeed } from "./event-feed.ts";
import type { EventLog } from "./event-log.ts";
import { eventSocket } from "./event-socket.ts";
import { createGatekeeper } from "./gatekeeper.ts";
import { historyRoutes } from "./history-routes.ts";
import { modelRoutes } from "./model-routes.ts";
import { openapiRoutes } from "./openapi-routes.ts";
import { pageRoutes } from "./page-routes.ts";
import { Problem, problemResponse } from "./problem.ts";
import { roomRoutes } from "./room-routes.ts";
import { assertBodySize, createRouter } from "./router.ts";

/** Streams of events at once, by who opens one more: strangers cannot keep out who has the token, nor anybody this user's own programs. */
const MOST_STREAMS = { stranger: 192, known: 240, own: 256 } as const;
const EVENTS_PATH = "/v1/events";
/** On every answer at the port. */
const SAFETY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};

type Asker = keyof typeof MOST_STREAMS;
type Answer = (
  request: Request,
  by: { readonly connection: Connection; readonly asker: Asker },
) => Promise<Response | null>;
type Handle = (request: Request, connection: Connection) => Promise<Response | null>;

export interface Doors {
  /** What is answered at the port. */
  readonly web: Handle;
  /** What is answered at the socket. */
  readonly local: Handle;
  /** Ends every stream, with what is left to tell. */
  close(): Promise<void>;
}

export interface DoorsOptions {
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly token: string;
  readonly version: string;
  readonly queue: DownloadQueue;
  readonly log: EventLog;
  readonly all: DaemonJobs;
  readonly stop: AbortSignal;
  contextFor(run: { readonly emit: Emit; readonly signal: AbortSignal; readonly room?: SharedRoom }): Context;
}

/** What a request's context is made of. */
interface Asking {
  readonly signal: AbortSignal;
  readonly emit?: Emit;
  readonly room?: SharedRoom;
}

const untold: Emit = () => undefined;

/** Opens nothing yet: these are the handlers. */
export function createDoors(options: DoorsOptions): Doors {
  const { queue, all, log, stop, version, contextFor } = options;
  const feed = createEventFeed({ log, list: all.jobs.list });
  const page = pageRoutes();
  const context = ({ signal, emit: told = untold, room }: Asking): Context =>
    contextFor({ emit: told, signal: AbortSignal.any([signal, stop]), ...(room ? { room } : {}) });
  const route = createRouter([
    ...jobRoutes({ jobs: all.jobs, feed, version, pid: process.pid, role: "serve" }),
    ...downloadRoutes({ queue, context: () => context({ signal: stop }) }),
    ...modelRoutes({ context, begin: all.begin }),
    ...roomRoutes({ context, list: all.jobs.list }),
    ...historyRoutes(context),
    ...openapiRoutes(version),
    ...page,
  ]);
  const streams = { count: 0 };
  const answer: Answer = async (request, { connection, asker }) => {
    const { pathname } = new URL(request.url);
    if (isLasting(request.method, pathname)) connection.keepOpen();
    if (pathname !== EVENTS_PATH || request.method !== "GET") return route(request);
    if (streams.count >= MOST_STREAMS[asker]) return problemResponse(tooManyStreams(asker));
    if (isSocketRequest(request)) return upgrade(request, { connection, feed, streams });
    const response = await route(request);
    if (response.ok) countUntilGone(request, streams);
    return response;
  };
  const local: Handle = async (request, connection) => {
    try {
      return await answer(request, { connection, asker: "own" });
    } catch (thrown) {
      return problemResponse(thrown);
    }
  };
  const keep = createGatekeeper({ ...options, openPaths: new Set(page.map(({ path }) => path)) });
  const web: Handle = async (request, connection) => {
    try {
      // Also whoever is refused has to stop sending.
      assertBodySize(request);
      const asker = keep(request) ? "known" : "stranger";
      return withHeaders(await answer(request, { connection, asker }));
    } catch (thrown) {
      return withHeaders(problemResponse(thrown));
    }
  };
  return { web, local, close: feed.close };
}

/** What takes as long as the disk needs: reading, counting or deleting models. */
function isLasting(method: string, path: string): boolean {
  if (method === "POST") return path.endsWith("/verify") || path === "/v1/cleanup";
  return path === "/v1/usage" || (method === "DELETE" && path.startsWith("/v1/models/"));
}

function withHeaders(response: Response | null): Response | null {
  for (const [name, value] of Object.entries(SAFETY_HEADERS)) response?.headers.set(name, value);
  return response;
}

function isSocketRequest({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

function countUntilGone({ signal }: Request, streams: { count: number }): void {
  streams.count += 1;
  signal.addEventListener("abort", () => (streams.count -= 1), { once: true });
}

interface Upgrade {
  readonly connection: Connection;
  readonly feed: ReturnType<typeof createEventFeed>;
  readonly streams: { count: number };
}

/** From a request to a WebSocket. @throws Problem 400 */
function upgrade(request: Request, { connection, feed, streams }: Upgrade): null {
  const ask = { request, query: new URL(request.url).searchParams };
  const [sinceSeq, everyMs] = [sinceIn(ask), everyIn(ask)];
  streams.count += 1;
  const onEnd = (): void => {
    streams.count -= 1;
  };
  if (connection.upgrade(eventSocket({ feed, sinceSeq, everyMs, onEnd }))) return null;
  onEnd();
  throw new Problem({
    status: 400,
    code: "E_USAGE",
    detail: "This is no proper WebSocket handshake",
    hint: "Without `Upgrade: websocket` the same address streams server-sent events",
  });
}

function tooManyStreams(asker: Asker): Problem {
  return new Problem({
    status: 503,
    code: "E_LOCKED",
    detail: `${MOST_STREAMS[asker]} event streams are open already`,
    hint: "Close some, then try again",
  });
}
