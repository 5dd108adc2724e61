// An embedded Hugging Face hub on loopback: two origins (hub and CDN) that speak the real protocol, keep a log
// of every byte, and can be told to fail. The demo and the tests install from it; luci itself never does.

import { answerApi } from "./hub-api.ts";
import { answerWhoAmI, LinkSigner } from "./hub-access.ts";
import type { HubState } from "./hub-access.ts";
import { answerCdn, answerFile, isFileAddress } from "./hub-files.ts";
import { HubLog } from "./hub-log.ts";
import type { HubLogEntry, LogFilter } from "./hub-log.ts";
import { findCommit, HubShelf } from "./hub-repo.ts";
import type { HubRepo, StoredFile } from "./hub-repo.ts";
import { errorReply } from "./hub-request.ts";
import type { HubRequest, Reply } from "./hub-request.ts";
import type { Intercept } from "./hub-trouble.ts";
import { listen } from "./hub-wire.ts";
import type { Behaviour } from "./hub-wire.ts";

const LINK_LIFE_MS = 3_600_000;
const PAGE_SIZE = 1_000;

export interface HubOptions {
  readonly repos: readonly HubRepo[];
  /** The one token that is good here; without it no token is. */
  readonly token?: string;
  /** Entries per page of a listing, at most 1000. */
  readonly pageSize?: number;
  /** How long a signed CDN address opens its file, rounded up to a second. */
  readonly linkLifeMs?: number;
  /** Small files answer 307 to a relative address first, as huggingface.co does. */
  readonly movesSmallFiles?: boolean;
  /** Bytes per second for each answer of the CDN. */
  readonly rateBytesPerSec?: number;
  readonly intercept?: Intercept;
}

/** A running hub. */
export interface Hub {
  /** What to set HF_ENDPOINT to. */
  readonly url: string;
  readonly cdnUrl: string;
  /** Requests since the start or the last reset, in order of arrival. */
  log(filter?: LogFilter): readonly HubLogEntry[];
  reset(): void;
  /** Body bytes that went out, of all requests or of those that pass. */
  servedBytes(filter?: LogFilter): number;
  /** Resolves once so many bytes went out since the last reset. */
  whenServed(bytes: number, options: { filter?: LogFilter; signal: AbortSignal }): Promise<void>;
  /** Changes faults and rate while it runs; what is not named stays. */
  behave(change: Partial<Behaviour> & { linkLifeMs?: number }): void;
  /** Every CDN address given out so far answers 403 from now on. */
  expireLinks(): void;
  /** Adds a commit to a repository, new or known, and answers its id. */
  publish(repo: HubRepo): string;
  /** The commit of a branch. */
  commitOf(repo: string, revision?: string): string;
  /** The files of a revision, by path. */
  filesOf(repo: string, revision?: string): ReadonlyMap<string, StoredFile>;
  /** Names of all repositories. */
  repoNames(): readonly string[];
  /** Closes every connection and both ports. */
  stop(): Promise<void>;
}

/** Starts a hub on two free ports of 127.0.0.1. Stop it in every case. */
export async function startHub(options: HubOptions): Promise<Hub> {
  const shelf = new HubShelf();
  for (const repo of options.repos) shelf.publish(repo);
  const urls = { hub: "", cdn: "" };
  const state: HubState = {
    shelf,
    links: new LinkSigner(options.linkLifeMs ?? LINK_LIFE_MS),
    token: options.token ?? null,
    pageSize: options.pageSize ?? PAGE_SIZE,
    movesSmallFiles: options.movesSmallFiles ?? false,
    url: () => urls.hub,
    cdnUrl: () => urls.cdn,
  };
  const log = new HubLog();
  const behaviour: Behaviour = {
    intercept: options.intercept ?? null,
    rateBytesPerSec: options.rateBytesPerSec ?? null,
  };
  const shared = { log, behaviour };
  const hub = await listen({ origin: "hub", ...shared, answer: (request) => answerHub(state, request) });
  const cdn = await listen({ origin: "cdn", ...shared, answer: (request) => answerCdn(state, request) });
  urls.hub = hub.url;
  urls.cdn = cdn.url;
  return {
    url: hub.url,
    cdnUrl: cdn.url,
    ...logDoors(log),
    ...shelfDoors(state, behaviour),
    stop: async () => {
      await Promise.all([hub.stop(), cdn.stop()]);
    },
  };
}

function logDoors(log: HubLog): Pick<Hub, "log" | "reset" | "servedBytes" | "whenServed"> {
  return {
    log: (filter = () => true) => log.entries.filter(filter),
    reset: () => log.reset(),
    servedBytes: (filter) => log.bytes(filter),
    whenServed: (bytes, options) => log.whenServed(bytes, options),
  };
}

function shelfDoors(
  state: HubState,
  behaviour: Behaviour,
): Pick<Hub, "behave" | "expireLinks" | "publish" | "commitOf" | "filesOf" | "repoNames"> {
  const commit = (name: string, revision: string) => {
    const repo = state.shelf.repos.get(name);
    const found = repo ? findCommit(repo, revision) : null;
    if (!found) throw new Error(`the hub has no ${name}@${revision}`);
    return found;
  };
  return {
    behave: ({ linkLifeMs, ...change }) => {
      Object.assign(behaviour, change);
      if (linkLifeMs !== undefined) state.links.lifeMs = linkLifeMs;
    },
    expireLinks: () => state.links.expireAll(),
    publish: (repo) => state.shelf.publish(repo),
    commitOf: (name, revision = "main") => commit(name, revision).sha,
    filesOf: (name, revision = "main") => commit(name, revision).files,
    repoNames: () => [...state.shelf.repos.keys()],
  };
}

async function answerHub(state: HubState, request: HubRequest): Promise<Reply> {
  if (isFileAddress(request)) return answerFile(state, request);
  if (request.path === "/api/whoami-v2") return answerWhoAmI(state, request);
  if (request.path.startsWith("/api/models/")) return answerApi(state, request);
  return errorReply(404, { message: "Not Found" });
}
