// The two doors of a daemon and what is behind them: the port, where a gatekeeper stands, and the socket, which only
// this user can reach.

import type { Context } from "../app/context.ts";
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
import { createRouter } from "./router.ts";

/** Streams of events at once. */
const MOST_STREAMS = 256;
const EVENTS_PATH = "/v1/events";
/** On every answer at the port. */
const SAFETY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};

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
  contextFor(run: { readonly emit: Emit; readonly signal: AbortSignal }): Context;
}

const untold: Emit = () => undefined;

/** Opens nothing yet: these are the handlers. */
export function createDoors(options: DoorsOptions): Doors {
  const { queue, all, log, stop, version, contextFor } = options;
  const feed = createEventFeed({ log, list: all.jobs.list });
  const page = pageRoutes();
  const context = ({ signal, emit: told = untold }: { signal: AbortSignal; emit?: Emit }): Context =>
    contextFor({ emit: told, signal: AbortSignal.any([signal, stop]) });
  const route = createRouter([
    ...jobRoutes({ jobs: all.jobs, feed, version, pid: process.pid, role: "serve" }),
    ...downloadRoutes({ queue, context: () => context({ signal: stop }) }),
    ...modelRoutes({ context, begin: all.begin }),
    ...roomRoutes(context),
    ...historyRoutes(context),
    ...openapiRoutes(version),
    ...page,
  ]);
  const streams = { count: 0 };
  const answer = async (request: Request, connection: Connection): Promise<Response | null> => {
    const { pathname } = new URL(request.url);
    // A verification takes as long as the disk needs.
    if (pathname.endsWith("/verify")) connection.keepOpen();
    if (pathname !== EVENTS_PATH || request.method !== "GET") return route(request);
    if (streams.count >= MOST_STREAMS) return problemResponse(tooManyStreams());
    if (isSocketRequest(request)) return upgrade(request, { connection, feed, streams });
    const response = await route(request);
    if (response.ok) countUntilGone(request, streams);
    return response;
  };
  const local: Handle = async (request, connection) => {
    try {
      return await answer(request, connection);
    } catch (thrown) {
      return problemResponse(thrown);
    }
  };
  const keep = createGatekeeper({ ...options, openPaths: new Set(page.map(({ path }) => path)) });
  const web: Handle = async (request, connection) => {
    try {
      keep(request);
      return withHeaders(await local(request, connection));
    } catch (thrown) {
      return withHeaders(problemResponse(thrown));
    }
  };
  return { web, local, close: feed.close };
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

function tooManyStreams(): Problem {
  return new Problem({
    status: 503,
    code: "E_LOCKED",
    detail: `${MOST_STREAMS} event streams are open already`,
    hint: "Close some, then try again",
  });
}
