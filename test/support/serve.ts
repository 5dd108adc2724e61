// A daemon under test: started, asked, stopped; every answer is held against the API's description.

import { expect } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningChild } from "../../src/demo/child.ts";
import type { Job } from "../../src/domain/job.ts";
import { breachesOf } from "./api-check.ts";
import type { Stage } from "./stage.ts";

/** Of what never comes: a busy machine may take its time. */
const WAIT_MS = 60_000;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- held against the API's description; tests look into it
  readonly data: any;
}

export interface AskOptions {
  readonly body?: unknown;
  /** Instead of the right token's. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Serve {
  readonly url: string;
  readonly token: string;
  readonly child: RunningChild;
  ask(method: string, path: string, options?: AskOptions): Promise<Reply>;
  /** Adds a download to the queue. */
  add(ref: string, more?: Readonly<Record<string, unknown>>): Promise<Job>;
  jobs(): Promise<Job[]>;
  job(id: string): Promise<Job>;
  /** Resident memory. */
  residentBytes(): Promise<number>;
}

export interface ServeOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Any that is free, where none is named. */
  readonly port?: number;
  readonly timeoutMs?: number;
}

/** Starts a daemon and waits until it listens. The caller ends it. */
export async function startServe(stage: Stage, options: ServeOptions = {}): Promise<Serve> {
  const { env = {}, args = [], port = 0, timeoutMs = 600_000 } = options;
  const child = stage.start(["serve", "--port", String(port), "--json", ...args], {
    env,
    timeoutMs,
  });
  const url = await found(
    `a daemon that listens`,
    child,
    () => /Listening at (http:\/\/\S+\d):/.exec(child.output().stdout)?.[1],
  );
  const token = (await readFile(join(stage.home, "serve-token"), "utf8")).trim();
  const ask: Serve["ask"] = async (method, path, { body, headers, signal } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: headers ?? { Authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    const { status } = response;
    const contentType = response.headers.get("content-type");
    // The page's files are no part of the API.
    if (!path.startsWith("/v1/") && contentType?.startsWith("text/"))
      return { status, headers: response.headers, data: await response.text() };
    const data = await response.json();
    expect(breachesOf({ method, path, status, contentType, data })).toEqual([]);
    return { status, headers: response.headers, data };
  };
  return {
    url,
    token,
    child,
    ask,
    add: async (ref, more = {}) =>
      (await ask("POST", "/v1/downloads", { body: { ref, ...more } })).data as Job,
    jobs: async () => (await ask("GET", "/v1/downloads")).data.downloads as Job[],
    job: async (id) => (await ask("GET", `/v1/downloads/${id}`)).data as Job,
    residentBytes: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    },
  };
}

async function found<T>(what: string, child: RunningChild, look: () => T | undefined): Promise<T> {
  const deadlineMs = performance.now() + WAIT_MS;
  let ended = false;
  void child.ended.then(() => (ended = true));
  for (;;) {
    const seen = look();
    if (seen !== undefined) return seen;
    const { stdout, stderr } = child.output();
    if (ended || performance.now() > deadlineMs)
      throw new Error(`not in time: ${what}\n${stdout}\n${stderr}`);
    await Bun.sleep(10);
  }
}
