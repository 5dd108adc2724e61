// The other side of the control socket: what runs in all processes of this user, and how to steer it.

import { basename } from "node:path";
import * as v from "valibot";
import { ERROR_TABLE, type ErrorCode, LuciError } from "../domain/errors.ts";
import type { Job } from "../domain/job.ts";
import type { Files } from "../platform/files.ts";
import { type LocalEvent, type LocalRequest, askLocal, followLocal } from "../platform/http-local.ts";
import { liveSockets } from "./run-folder.ts";

export interface ClientOptions {
  readonly homeFolder: string;
  readonly files: Files;
  readonly signal: AbortSignal;
  /** A process that runs and does not answer: it is left out. */
  onSilent(message: string, pid: number): void;
}

/** Another process and its jobs. */
export interface Peer {
  readonly pid: number;
  /** Whether it is a daemon, that takes downloads from others. */
  readonly isServe: boolean;
  readonly jobs: readonly Job[];
  /** Asks it for something. @throws LuciError what the other one refused, E_NETWORK when it does not answer */
  ask(request: Omit<LocalRequest, "signal">): Promise<unknown>;
  /** What it streams at an address, until one of both ends. */
  follow(path: string): AsyncGenerator<LocalEvent>;
}

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];
const PROBLEM = v.object({ code: v.picklist(CODES), detail: v.string(), hint: v.string() });
const HEALTH = v.object({ pid: v.number(), role: v.optional(v.string()) });
// Both ends are the same program: what is checked is that it is a list at all.
const DOWNLOADS = v.object({ downloads: v.array(v.looseObject({ id: v.string(), model: v.string() })) });

/** Every process of this user that has jobs. What ended while it was asked is left out. */
export async function findPeers(options: ClientOptions): Promise<Peer[]> {
  const sockets = await liveSockets(options.homeFolder, options.files);
  const peers = await Promise.all(sockets.map((path) => meet(path, options)));
  return peers.filter((peer) => peer !== null);
}

async function meet(socketPath: string, options: ClientOptions): Promise<Peer | null> {
  try {
    return await greet(socketPath, options);
  } catch {
    options.signal.throwIfAborted();
    const pid = Number.parseInt(basename(socketPath), 10);
    // Why is of no use to a person: what another luci says is cut or late, or nothing.
    options.onSilent(`pid ${pid} does not answer (stopped?)`, pid);
    return null;
  }
}

async function greet(socketPath: string, { signal }: ClientOptions): Promise<Peer | null> {
  const ask: Peer["ask"] = async (request) => {
    const answer = await askLocal(socketPath, { ...request, signal });
    if (!answer)
      throw new LuciError("E_NOT_FOUND", "It has just ended", { hint: "`luci ps` shows what runs" });
    if (answer.status < 300) return answer.data;
    throw refusalOf(answer);
  };
  const health = await askLocal(socketPath, { method: "GET", path: "/v1/health", signal });
  if (!health) return null;
  const { pid, role } = understood(HEALTH, health);
  const data = await ask({ method: "GET", path: "/v1/downloads" });
  const { downloads } = understood(DOWNLOADS, { status: 200, data });
  const follow: Peer["follow"] = (path) => followLocal(socketPath, { path, signal });
  return { pid, ask, follow, isServe: role === "serve", jobs: downloads as unknown as Job[] };
}

interface Answer {
  readonly status: number;
  readonly data: unknown;
}

/** What the other one refused, in its own words, and with the code that decides how this program ends. */
function refusalOf(answer: Answer): LuciError {
  const { code, detail, hint } = understood(PROBLEM, answer);
  const error = new LuciError(code, detail, { hint });
  // Where it went wrong over there is not told by where it was heard of here.
  delete error.stack;
  return error;
}

/** @throws LuciError E_NETWORK for an answer of another shape */
function understood<Schema extends v.GenericSchema>(
  schema: Schema,
  { status, data }: Answer,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  throw new LuciError("E_NETWORK", `A running luci answers what this one does not understand (${status})`, {
    hint: "It may be of another version: stop it, and start it again with this one",
  });
}
