// What the doors of a daemon see to before a route is asked: answers that take long, and how many streams there are.

import { describe, expect, test } from "bun:test";
import type { Context } from "../../../src/app/context.ts";
import type { DaemonJobs } from "../../../src/control/daemon-jobs.ts";
import { createDoors, type Doors, type DoorsOptions } from "../../../src/control/daemon-doors.ts";
import { EventLog } from "../../../src/control/event-log.ts";

const TOKEN = "abcdefghijklmnopqrstuvwxyz";
const BEARER = { authorization: `Bearer ${TOKEN}` };

function openDoors(): Doors {
  const options: Omit<DoorsOptions, "queue" | "all"> = {
    host: "127.0.0.1",
    allowedHosts: [],
    token: TOKEN,
    version: "1",
    log: new EventLog(),
    stop: new AbortController().signal,
    contextFor: () => ({}) as Context,
  };
  const jobs: Partial<DaemonJobs["jobs"]> = { list: () => [] };
  return createDoors({
    ...options,
    queue: {} as DoorsOptions["queue"],
    all: { jobs, begin: () => ({}) } as unknown as DaemonJobs,
  });
}

interface Knock {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

async function knock(handle: Doors["web"], path: string, { method = "GET", headers, signal }: Knock = {}) {
  let isKept = false;
  const request = new Request(`http://x${path}`, {
    method,
    headers: { host: "127.0.0.1:5824", ...headers },
    ...(signal ? { signal } : {}),
  });
  const response = await handle(request, { keepOpen: () => void (isKept = true), upgrade: () => true });
  return { status: response?.status, isKept };
}

test.each([
  ["POST", "/v1/models/x/verify", true],
  ["DELETE", "/v1/models/x", true],
  ["POST", "/v1/cleanup", true],
  ["GET", "/v1/usage", true],
  ["POST", "/v1/downloads", false],
  ["PATCH", "/v1/downloads/1", false],
  ["GET", "/v1/health", false],
])("%s %s may take long: %p", async (method, path, isKept) => {
  const doors = openDoors();
  for (const handle of [doors.web, doors.local])
    expect((await knock(handle, path, { method, headers: BEARER })).isKept).toBe(isKept);
  await doors.close();
});

test("who may not ask is not waited for", async () => {
  const doors = openDoors();
  expect(await knock(doors.web, "/v1/cleanup", { method: "POST" })).toEqual({ status: 401, isKept: false });
  await doors.close();
});

describe("streams", () => {
  test("of strangers leave some to the token, and those some to the socket", async () => {
    const doors = openDoors();
    const gone = new AbortController();
    const fill = async (handle: Doors["web"], headers: Readonly<Record<string, string>>) => {
      for (let count = 0; ; count += 1)
        if ((await knock(handle, "/v1/events", { headers, signal: gone.signal })).status !== 200)
          return count;
    };
    expect(await fill(doors.web, {})).toBe(192);
    expect(await fill(doors.web, BEARER)).toBe(48);
    expect(await fill(doors.web, {})).toBe(0);
    expect(await fill(doors.local, {})).toBe(16);
    gone.abort();
    expect((await knock(doors.web, "/v1/events")).status).toBe(200);
    await doors.close();
  });
});
