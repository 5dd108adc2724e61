// What every use-case works with: settings, the doors to disk and network, the store, and where to say what happens.

import type { Emit } from "../domain/events.ts";
import type { Settings } from "../domain/settings.ts";
import type { Files } from "../platform/files.ts";
import { nodeFiles } from "../platform/node-files.ts";
import { type Http, createHttp } from "../platform/http.ts";
import type { Catalog } from "../sources/catalog.ts";
import { Steering } from "./steering.ts";
import { type Store, openStore, shareStore } from "../store/store.ts";

export interface Context {
  readonly settings: Settings;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly files: Files;
  readonly http: Http;
  readonly store: Store;
  /** What runs, and how it can be steered. */
  readonly steering: Steering;
  /** Who else is going to write, as far as this process knows. */
  readonly room: SharedRoom;
  readonly version: string;
  /** The catalog with the user's own files over it, read on first use. @throws LuciError E_CONFIG */
  catalog(): Promise<Catalog>;
}

/** Room on a disk that runs of one process share. */
export interface SharedRoom {
  /** Bytes that others have taken and not written yet. */
  othersBytes(): number;
  /** The bytes this run is going to write. */
  take(bytes: number): void;
}

export interface ContextOptions {
  readonly settings: Settings;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly version: string;
  /** The real disk unless given. */
  readonly files?: Files;
  /** A store of its own unless given: all runs of one process that share a models folder share its claims. */
  readonly store?: Store;
  /** A steering of its own, as the settings say, unless given: for several runs in one process. */
  readonly steering?: Steering;
  /** Nobody else is, unless given. */
  readonly room?: SharedRoom;
}

/** The same trouble is told again after this time. */
const SAID_AGAIN_MS = 60_000;
const MAX_CATALOG_BYTES = 16 * 1024 * 1024;

/** Makes the context of one run. Touches neither disk nor network. */
export function createContext({
  settings,
  emit,
  signal,
  version,
  files = nodeFiles(),
  store,
  steering,
  room = { othersBytes: () => 0, take: () => undefined },
}: ContextOptions): Context {
  let catalog: Promise<Catalog> | null = null;
  const saidMs = new Map<string, number>();
  const onRetry = ({ code, waitMs, message }: { code: string; waitMs: number; message: string }): void => {
    // A hub that is away is away for all models of a batch: each would say the same.
    const nowMs = performance.now();
    if (nowMs - (saidMs.get(message) ?? Number.NEGATIVE_INFINITY) < SAID_AGAIN_MS) return;
    saidMs.set(message, nowMs);
    const seconds = Math.max(1, Math.round(waitMs / 1000));
    emit({ type: "notice", level: "warn", message: `${message} (${code}): trying again in ${seconds} s` });
  };
  return {
    settings,
    emit,
    signal,
    files,
    room,
    version,
    http: createHttp({
      userAgent: `luci/${version}`,
      stallMs: settings.stallMs,
      retries: settings.retries,
      caFile: settings.caFile,
      onRetry,
    }),
    steering: steering ?? new Steering({ ...settings, pid: process.pid, emit }),
    store: store
      ? shareStore(store)
      : openStore({ files, modelsFolder: settings.modelsFolder, hasher: settings.hasher }),
    catalog: () => (catalog ??= readCatalog(settings, files)),
  };
}

async function readCatalog(settings: Settings, files: Files): Promise<Catalog> {
  // Not before a name is asked for: checking all models costs more than the rest of the start.
  const { loadCatalog } = await import("../sources/catalog.ts");
  const texts = await Promise.all(
    settings.catalogFiles.map(async (path) => ({
      path,
      text: await files.readText(path, { maxBytes: MAX_CATALOG_BYTES }),
    })),
  );
  return loadCatalog({ files: texts.flatMap(({ path, text }) => (text === null ? [] : [{ path, text }])) });
}
