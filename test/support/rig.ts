// Drives installs in this process, against an embedded hub or any address, with a disk that may fail.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Context, createContext } from "../../src/app/context.ts";
import { type InstallOptions, install } from "../../src/app/install.ts";
import type { Content } from "../../src/demo/content.ts";
import { makeGguf } from "../../src/demo/gguf-writer.ts";
import { type Hub, type HubOptions, startHub } from "../../src/demo/hub.ts";
import type { HubLogEntry } from "../../src/demo/hub-log.ts";
import type { HubRequest } from "../../src/demo/hub-request.ts";
import type { Intercept, Intercepted } from "../../src/demo/hub-trouble.ts";
import type { LuciEventBody } from "../../src/domain/events.ts";
import { LuciError } from "../../src/domain/errors.ts";
import { parseRefs } from "../../src/domain/ref.ts";
import type { ErrorReport } from "../../src/domain/errors.ts";
import type { InstallResult } from "../../src/domain/results.ts";
import type { Settings } from "../../src/domain/settings.ts";
import type { Files } from "../../src/platform/files.ts";
import { endOwnership } from "./owner-tags.ts";
import { tempHome } from "./temp-home.ts";

const MIB = 1024 * 1024;
const contents = new Map<number, Promise<Content>>();

/** A model of this size; the same one for every test that asks. */
export function modelContent(sizeBytes: number): Promise<Content> {
  const known = contents.get(sizeBytes) ?? bufferedGguf(sizeBytes);
  contents.set(sizeBytes, known);
  return known;
}

/** In memory, so that many hubs can serve it at once without computing it again. */
async function bufferedGguf(sizeBytes: number): Promise<Content> {
  const made = await makeGguf({ name: "m", sizeBytes, seed: sizeBytes });
  const bytes = made.read(0, sizeBytes);
  return { sizeBytes, sha256: made.sha256, read: (start, end) => bytes.subarray(start, end) };
}

/** An odd size of several requests: 8 MiB and more each. */
export const LARGE = 20 * MIB + 13;
/** An odd size of one request. */
export const SMALL = 3 * MIB + 13;

export interface RunOptions {
  readonly settings?: Partial<Settings>;
  readonly files?: Files;
  readonly signal?: AbortSignal;
  readonly refs?: readonly string[];
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly sha256?: string;
  readonly onEvent?: (event: LuciEventBody) => void;
}

/** How a run ended: the result of an install, or what it threw. */
export interface RigRun {
  readonly result: InstallResult | null;
  /** The one model's failure, or what the run threw. */
  readonly error: Pick<ErrorReport, "code" | "exit" | "message"> | null;
  readonly events: readonly LuciEventBody[];
}

export interface Rig extends AsyncDisposable {
  readonly hub: Hub;
  readonly content: Content;
  readonly home: string;
  readonly models: string;
  /** Where the one model lies once it is installed. */
  readonly finalPath: string;
  context(options?: RunOptions): Context;
  install(options?: RunOptions): Promise<RigRun>;
  /** The final file's SHA-256, or null if there is none. */
  finalSha256(): Promise<string | null>;
}

/** The final's name, which is the name of the file in the repository. */
const MODEL_FILE = "m-Q4_0.gguf";
const REF = "hf:org/m:Q4_0";

/** A hub with one model of this size, and an empty models folder. */
export async function openRig(sizeBytes: number, options: Partial<HubOptions> = {}): Promise<Rig> {
  const content = await modelContent(sizeBytes);
  const home = await tempHome();
  const hub = await startHub({
    repos: [{ name: "org/m", files: [{ path: MODEL_FILE, content }] }],
    ...options,
  });
  const finalPath = join(home.models, MODEL_FILE);
  const opened: Context[] = [];
  let running = 0;
  const context = (run: RunOptions = {}): Context => {
    const made = createContext({
      settings: { ...defaults({ home: home.path, hub }), ...run.settings },
      emit: run.onEvent ?? (() => undefined),
      signal: run.signal ?? new AbortController().signal,
      version: "0.0.0",
      ...(run.files ? { files: run.files } : {}),
    });
    opened.push(made);
    return made;
  };
  return {
    hub,
    content,
    home: home.path,
    models: home.models,
    finalPath,
    context,
    install: async (run = {}) => {
      running += 1;
      try {
        return await runInstall(context, run);
      } finally {
        running -= 1;
        if (running === 0) await endOwnership(join(home.models, ".luci/v1/partials"));
      }
    },
    finalSha256: async () => {
      const bytes = await readFile(finalPath).catch(() => null);
      return bytes && new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    },
    [Symbol.asyncDispose]: async () => {
      for (const { store } of opened) store.hashes.close();
      await hub.stop();
      await home[Symbol.asyncDispose]();
    },
  };
}

function defaults({ home, hub }: { home: string; hub: Hub }): Settings {
  return {
    homeFolder: home,
    modelsFolder: join(home, "models"),
    partials: "resume",
    jobs: 2,
    connections: 4,
    limitBytesPerSec: null,
    retries: 3,
    hasher: "auto",
    stallMs: 60_000,
    diskWaitMs: 0,
    caFile: null,
    catalogFiles: [],
    hubEndpoint: hub.url,
    hubToken: null,
    limitTimetable: null,
    hooks: { command: null, webhook: null, limitMs: 60_000 },
    keepsHistory: true,
  };
}

/** An install as it is usually asked for. */
export function installOptions(
  refs: readonly string[],
  change: Partial<InstallOptions> = {},
): InstallOptions {
  return {
    refs: parseRefs(refs),
    force: false,
    resume: true,
    dryRun: false,
    sha256: null,
    allowUnsafe: false,
    wait: true,
    confirm: async () => true,
    ...change,
  };
}

async function runInstall(makeContext: (run: RunOptions) => Context, run: RunOptions): Promise<RigRun> {
  const events: LuciEventBody[] = [];
  const onEvent = (event: LuciEventBody): void => {
    events.push(event);
    run.onEvent?.(event);
  };
  const context = makeContext({ ...run, onEvent });
  try {
    const { refs = [REF], force = false, resume = true, sha256 = null } = run;
    const result = await install(context, installOptions(refs, { force, resume, sha256 }));
    return { result, error: result.failed[0]?.error ?? null, events };
  } catch (error) {
    if (!(error instanceof LuciError)) throw error;
    return { result: null, error, events };
  } finally {
    context.store.hashes.close();
  }
}

/** Requests for the model's bytes at the CDN. */
export function cdnLog(hub: Hub): readonly HubLogEntry[] {
  return hub.log(({ origin }) => origin === "cdn");
}

/** Requests for the model's address at the hub. */
export function resolveLog(hub: Hub): readonly HubLogEntry[] {
  return hub.log(({ origin, path }) => origin === "hub" && path.includes("/resolve/"));
}

/** Bytes of models that went out. */
export function cdnBytes(hub: Hub): number {
  return hub.servedBytes(({ origin, status }) => origin === "cdn" && status < 300);
}

type Answers = (request: HubRequest, count: number) => Intercepted | Promise<Intercepted>;

/** Meets the CDN's requests, counted from 0. */
export function onCdn(answer: Answers): Intercept {
  return counted(({ origin }) => origin === "cdn", answer);
}

/** Meets requests for the model's address at the hub, counted from 0. */
export function onResolve(answer: Answers): Intercept {
  return counted(({ origin, path }) => origin === "hub" && path.includes("/resolve/"), answer);
}

function counted(meant: (request: HubRequest) => boolean, answer: Answers): Intercept {
  let count = 0;
  return (request) => {
    if (!meant(request)) return undefined;
    count += 1;
    return answer(request, count - 1);
  };
}

/** Events of one type. */
export function eventsOf<Type extends LuciEventBody["type"]>(
  run: Pick<RigRun, "events">,
  type: Type,
): Extract<LuciEventBody, { type: Type }>[] {
  return run.events.filter((event): event is Extract<LuciEventBody, { type: Type }> => event.type === type);
}
