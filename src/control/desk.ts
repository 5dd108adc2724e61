// The desk of a run: as soon as it has jobs, other terminals can see and steer them. A run without jobs has none,
// and a desk that cannot be opened is no reason to stop.

import type { Steering } from "../app/steering.ts";
import { reportError } from "../domain/errors.ts";
import type { LuciEvent } from "../domain/events.ts";
import { NO_PROGRESS, reduceProgress } from "../domain/progress.ts";
import type { Files } from "../platform/files.ts";
import type { HttpServer } from "../platform/http-server.ts";
import { EventLog } from "./event-log.ts";
import { liveSockets, ownSocketPath } from "./run-folder.ts";
import { createRunJobs } from "./run-jobs.ts";

/** A run that is over sooner needs no desk. */
const OPEN_AFTER_MS = 100;

export interface DeskOptions {
  readonly homeFolder: string;
  readonly files: Files;
  readonly steering: Steering;
  readonly version: string;
  /** Told once when the desk could not be opened. */
  onFailure(message: string): void;
}

export interface Desk {
  /** Takes note of every event; the first job opens the desk. */
  hear(event: LuciEvent): void;
  /** Closes it, in whatever state it is. */
  close(): Promise<void>;
}

/** The desk of this process. */
export function createDesk(options: DeskOptions): Desk {
  const log = new EventLog();
  let progress = NO_PROGRESS;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let opened: Promise<Opened | null> | null = null;
  const jobs = createRunJobs({
    steering: options.steering,
    pid: process.pid,
    progress: () => progress,
    nowMs: Date.now,
  });
  const open = (): void => {
    opened = openSocket(options, { jobs, log }).catch((error: unknown) => {
      options.onFailure(`Other terminals cannot steer this run: ${reportError(error).message}`);
      return null;
    });
  };
  return {
    hear: (event) => {
      if (!timer && event.type !== "model.queued") return;
      progress = reduceProgress(progress, event);
      log.add(event);
      timer ??= setTimeout(open, OPEN_AFTER_MS);
    },
    close: async () => {
      if (timer) clearTimeout(timer);
      await (await opened)?.close();
    },
  };
}

type Opened = Pick<HttpServer, "close">;

async function openSocket(
  { homeFolder, files, version }: DeskOptions,
  { jobs, log }: { jobs: ReturnType<typeof createRunJobs>; log: EventLog },
): Promise<Opened> {
  const [{ listenHttp }, { createRouter }, { jobRoutes }, { createEventFeed }] = await Promise.all([
    import("../platform/http-server.ts"),
    import("./router.ts"),
    import("./api.ts"),
    import("./event-feed.ts"),
  ]);
  const feed = createEventFeed({ log, list: jobs.list });
  const handle = createRouter(jobRoutes({ jobs, feed, version, pid: process.pid }));
  // Whoever comes clears away what dead ones left.
  await liveSockets(homeFolder, files);
  const server = await listenHttp({ at: { socketPath: ownSocketPath(homeFolder) }, handle });
  return {
    close: async () => {
      await feed.close();
      await server.close();
    },
  };
}
