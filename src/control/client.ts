// The other side of the control socket: what runs in all processes of this user, and how to steer it.

import { basename } from "node:path";
import * as v from "valibot";
import { LuciError, toLuciError } from "../domain/errors.ts";
import type { Job } from "../domain/job.ts";
import type { Files } from "../platform/files.ts";
import { type LocalEvent, type LocalRequest, askLocal, followLocal } from "../platform/http-local.ts";
import { liveSockets } from "./run-folder.ts";

export interface ClientOptions {
  readonly homeFolder: string;
  readonly files: Files;
  readonly signal: AbortSignal;
  /** A process that runs and does not answer: it is left out. */
  onSilent(message: string): void;
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

const PROBLEM = v.object({ detail: v.string(), hint: v.string(), status: v.number() });
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
  } catch (error) {
    options.signal.throwIfAborted();
    options.onSilent(`${toLuciError(error).message}: ${basename(socketPath).split(".")[0]} may be stopped`);
    return null;
  }
}

async function greet(socketPath: string, { signal }: ClientOptions): Promise<Peer | null> {
  const ask: Peer["ask"] = async (request) => {
    const answer = await askLocal(socketPath, { ...request, signal });
    if (!answer)
      throw new LuciError("E_NOT_FOUND", "It has just ended", { hint: "`luci ps` shows what runs" });
    if (answer.status < 300) return answer.data;
    const { detail, hint, status } = v.parse(PROBLEM, answer.data);
    throw new LuciError(status === 404 || status === 409 ? "E_NOT_FOUND" : "E_USAGE", detail, { hint });
  };
  const health = await askLocal(socketPath, { method: "GET", path: "/v1/health", signal });
  if (!health) return null;
  const { pid, role } = v.parse(HEALTH, health.data);
  const { downloads } = v.parse(DOWNLOADS, await ask({ method: "GET", path: "/v1/downloads" }));
  const follow: Peer["follow"] = (path) => followLocal(socketPath, { path, signal });
  return { pid, ask, follow, isServe: role === "serve", jobs: downloads as unknown as Job[] };
}
