// A daemon: one queue for everybody of this user, reached at a port and at its socket. One per home. It has no face:
// what there is to say it tells through `onListening` and `onNotice`.

import { join } from "node:path";
import { type Context, createContext, type SharedRoom } from "../app/context.ts";
import { Steering } from "../app/steering.ts";
import { LuciError } from "../domain/errors.ts";
import type { Emit, LuciEvent, LuciEventBody } from "../domain/events.ts";
import { formatRate } from "../domain/size.ts";
import { isLoopbackHost } from "../domain/safe-url.ts";
import { type Database, openDatabase } from "../platform/database.ts";
import type { HttpServer } from "../platform/http-server.ts";
import { listenHttp } from "../platform/http-server.ts";
import { type Lock, tryLock } from "../platform/lock.ts";
import { readOrMakeToken } from "../platform/token-file.ts";
import { createDoors, type Doors } from "./daemon-doors.ts";
import { createDaemonSettings, type DaemonSettings } from "./daemon-settings.ts";
import { createDaemonJobs } from "./daemon-jobs.ts";
import { downloadRows } from "./download-rows.ts";
import { DownloadQueue } from "./download-queue.ts";
import { EventLog } from "./event-log.ts";
import { RoomLedger } from "./room-ledger.ts";
import { ownSocketPath, runFolder } from "./run-folder.ts";
import { settingRows } from "./setting-rows.ts";
import { DATABASE_NAME, SCHEMA_STEPS } from "./schema.ts";

export interface DaemonOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly tokenFile: string;
  /** Further names by which it may be asked. */
  readonly allowedHosts: readonly string[];
  /** Whether a more important download takes the places of less important ones. */
  readonly preempt: boolean;
  /** Whether the speed limit comes from the command line: then it goes before what was said by hand. */
  readonly isLimitTyped: boolean;
  onListening(at: { readonly url: string; readonly token: string; readonly isLoopback: boolean }): void;
  onNotice(level: "info" | "warn", message: string): void;
}

/** What of the queue is left when a daemon ends. */
export interface DaemonEnd {
  readonly url: string;
  readonly openDownloads: number;
}

/**
 * Runs until the context's signal aborts; then everything is put in order, and what was not done stays queued.
 * @throws LuciError E_LOCKED where one runs already or the port is taken, E_CONFIG, and the disk's
 */
export async function runDaemon(context: Context, options: DaemonOptions): Promise<DaemonEnd> {
  const { settings, files } = context;
  await files.makeFolder(runFolder(settings.homeFolder));
  const lock = await takeLock(settings.homeFolder);
  try {
    const token = readOrMakeToken(options.tokenFile);
    const database = openQueue(context, options);
    try {
      return await serve(context, { ...options, token, database });
    } finally {
      database.close();
    }
  } finally {
    lock.release();
  }
}

async function takeLock(homeFolder: string): Promise<Lock> {
  const taken = await tryLock(join(runFolder(homeFolder), "serve.lock"));
  if ("release" in taken) return taken;
  const pid = taken.holder?.pid;
  throw new LuciError("E_LOCKED", `\`luci serve\` runs already${pid ? ` (process ${pid})` : ""}`, {
    hint: "`luci ps` shows what it is at; another LUCI_HOME can have one of its own",
  });
}

function openQueue({ settings }: Context, { onNotice }: DaemonOptions): Database {
  return openDatabase({
    path: join(settings.homeFolder, DATABASE_NAME),
    steps: SCHEMA_STEPS,
    nowMs: Date.now(),
    onDamaged: (path) =>
      onNotice("warn", `The queue was damaged and begins empty; the old one is at ${path}`),
  });
}

interface Opened extends DaemonOptions {
  readonly token: string;
  readonly database: Database;
}

async function serve(base: Context, options: Opened): Promise<DaemonEnd> {
  const { signal } = base;
  const log = new EventLog({ startSeq: Date.now() });
  const publish = numbered(log, options.onNotice);
  const emit: Emit = (body) => void publish(body);
  const contexts = contextsOf(base, { emit, preempt: options.preempt });
  const ledger = new RoomLedger();
  const queue = new DownloadQueue({
    ledger,
    rows: downloadRows(options.database),
    steering: contexts.steering,
    partials: base.settings.partials,
    pid: process.pid,
    nowMs: Date.now,
    contextFor: contexts.make,
    publish,
  });
  const settings = restoreSettings(base, { ...options, steering: contexts.steering });
  const doors = createDoors({
    ...options,
    version: base.version,
    queue,
    log,
    all: createDaemonJobs({
      queue,
      settings,
      ledger,
      steering: contexts.steering,
      pid: process.pid,
      nowMs: Date.now,
      publish,
    }),
    contextFor: contexts.make,
    stop: signal,
  });
  const servers = await listen(base, { doors, options });
  try {
    const url = urlOf(options.host, servers.port);
    const isLoopback = isLoopbackHost(new URL(url).hostname);
    options.onListening({ url, token: options.token, isLoopback });
    queue.start();
    await aborted(signal);
    return { url, openDownloads: queue.openCount };
  } finally {
    await Promise.all([doors.close().then(servers.close), queue.stop()]);
  }
}

/** What was said by hand in a life before holds again, and that is said: config.toml tells something else. */
function restoreSettings(
  { settings }: Context,
  { steering, database, isLimitTyped, onNotice }: Opened & { readonly steering: Steering },
): DaemonSettings {
  const all = createDaemonSettings({
    steering,
    rows: settingRows(database),
    timetable: settings.limitTimetable,
    isLimitTyped,
    nowMs: Date.now,
  });
  if (all.restore()) {
    const { limitBytesPerSec } = all.settings();
    const limit = limitBytesPerSec === null ? "no limit" : `at most ${formatRate(limitBytesPerSec)}`;
    onNotice("info", `Speed: ${limit}, as said before; \`luci limit default\` goes back to the settings`);
  }
  return all;
}

/** Every install has a context of its own; claims, hash workers, places, limits and connections are shared by all. */
function contextsOf(base: Context, { emit, preempt }: { emit: Emit; preempt: boolean }) {
  const { version, files, store } = base;
  // Whoever is interrupted here goes on later: only a cancel says that bytes are to be deleted.
  const settings = { ...base.settings, partials: "resume" } as const;
  const steering = new Steering({ ...settings, preempt, pid: process.pid, emit });
  return {
    steering,
    make: (run: { readonly emit: Emit; readonly signal: AbortSignal; readonly room?: SharedRoom }): Context =>
      createContext({ settings, version, files, steering, store, ...run }),
  };
}

/** Events are numbered on from a life before: no daemon tells a thousand of them a second for long. */
function numbered(log: EventLog, onNotice: DaemonOptions["onNotice"]): (body: LuciEventBody) => LuciEvent {
  return (body) => {
    const event = { v: 1, seq: log.lastSeq + 1, atMs: Date.now(), ...body } as const;
    log.add(event);
    if (body.type === "model.ready") onNotice("info", `${body.model} is ready: ${body.path}`);
    if (body.type === "model.failed") onNotice("warn", `${body.model} failed: ${body.error.message}`);
    if (body.type === "notice" && body.level === "warn")
      onNotice("warn", body.model === undefined ? body.message : `${body.model}: ${body.message}`);
    if (body.type === "model.cancelled") onNotice("info", `${body.model} was cancelled`);
    return event;
  };
}

async function listen(
  { settings }: Context,
  { doors, options: { host, port } }: { doors: Doors; options: Opened },
): Promise<{ port: number; close(): Promise<void> }> {
  const socketPath = ownSocketPath(settings.homeFolder);
  const socket = await listenHttp({ at: { socketPath }, handle: doors.local });
  let web: HttpServer;
  try {
    web = await listenHttp({ at: { host, port }, handle: doors.web });
  } catch (thrown) {
    await socket.close();
    throw portError(thrown, { host, port });
  }
  return {
    port: web.port ?? port,
    close: async () => {
      await Promise.all([web.close(), socket.close()]);
    },
  };
}

function portError(thrown: unknown, { host, port }: { host: string; port: number }): unknown {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : null;
  const at = urlOf(host, port);
  if (code === "EADDRINUSE")
    return new LuciError("E_LOCKED", `Something else listens at ${at}`, {
      hint: "`--port 0` takes any that is free, `--port N` another one",
    });
  if (code === "EACCES" || code === "EPERM")
    return new LuciError("E_PERMISSION", `The system does not let luci listen at ${at}`, {
      hint: "Choose a port above 1023 with `--port`",
    });
  return new LuciError("E_USAGE", `luci cannot listen at ${at}`, {
    hint: "`--host` is an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them",
    cause: thrown,
  });
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
