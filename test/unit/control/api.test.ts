import { describe, expect, test } from "bun:test";
import { jobRoutes } from "../../../src/control/api.ts";
import { createEventFeed } from "../../../src/control/event-feed.ts";
import { EventLog } from "../../../src/control/event-log.ts";
import type { Jobs } from "../../../src/control/jobs.ts";
import { Problem } from "../../../src/control/problem.ts";
import { createRouter } from "../../../src/control/router.ts";
import type { Job } from "../../../src/domain/job.ts";
import { sampleJob } from "../../support/sample-job.ts";

const JOB = sampleJob();

/** The API over one job that remembers what was done to it. */
function stand() {
  const calls: unknown[] = [];
  const get = (id: string): Job => {
    if (id === JOB.id) return JOB;
    throw new Problem({
      status: 404,
      code: "E_NOT_FOUND",
      detail: `There is no download ${id}`,
      hint: "look",
    });
  };
  const note = (what: string, id: string, more: unknown = null): Job => {
    const job = get(id);
    calls.push([what, id, more]);
    return job;
  };
  const jobs: Jobs = {
    list: () => [JOB],
    get,
    pause: (id) => note("pause", id),
    resume: (id) => note("resume", id),
    cancel: (id, partials) => note("cancel", id, partials),
    change: (id, change) => note("change", id, change),
    settings: () => ({ limitBytesPerSec: 5 }),
    changeSettings: (settings) => {
      calls.push(["settings", settings.limitBytesPerSec]);
      return { limitBytesPerSec: settings.limitBytesPerSec as number | null };
    },
  };
  const log = new EventLog();
  const feed = createEventFeed({ log, list: jobs.list });
  const handle = createRouter(jobRoutes({ jobs, feed, version: "1", pid: 7 }));
  const ask = async (method: string, path: string, body?: string) => {
    const request = new Request(`http://luci${path}`, { method, ...(body === undefined ? {} : { body }) });
    const response = await handle(request);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      data: JSON.parse(text) as Record<string, unknown>,
    };
  };
  return { ask, calls, route: handle };
}

describe("what is answered", () => {
  test.each([
    ["GET", "/v1/health", 200, { status: "ok", version: "1", pid: 7 }],
    ["GET", "/v1/downloads", 200, { downloads: [JOB], seq: 0 }],
    ["GET", "/v1/downloads/7-1", 200, JOB],
    ["GET", "/v1/downloads/7%2D1", 200, JOB],
    ["GET", "/v1/settings", 200, { limitRate: 5 }],
    ["POST", "/v1/downloads/7-1/pause", 200, JOB],
    ["POST", "/v1/downloads/7-1/resume", 200, JOB],
    ["DELETE", "/v1/downloads/7-1", 202, JOB],
  ])("%s %s", async (method, path, status, data) => {
    const answer = await stand().ask(method, path);
    expect(answer.status).toBe(status);
    expect(answer.data).toEqual({ ...data });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test.each([
    ['{"priority":"high"}', { priority: 10, limitBytesPerSec: undefined }],
    ['{"priority":-7}', { priority: -7, limitBytesPerSec: undefined }],
    ['{"limitRate":"20M"}', { priority: undefined, limitBytesPerSec: 20_000_000 }],
    ['{"limitRate":4096,"priority":"low"}', { priority: -10, limitBytesPerSec: 4_096 }],
    ['{"limitRate":null}', { priority: undefined, limitBytesPerSec: null }],
    ['{"limitRate":"20M/s"}', { priority: undefined, limitBytesPerSec: 20_000_000 }],
    ['{"limitRate":"none"}', { priority: undefined, limitBytesPerSec: null }],
    ['{"limitRate":"0"}', { priority: undefined, limitBytesPerSec: null }],
    ['{"limitRate":"off"}', { priority: undefined, limitBytesPerSec: null }],
  ])("PATCH of a download with %s", async (body, change) => {
    const { ask, calls } = stand();
    expect((await ask("PATCH", "/v1/downloads/7-1", body)).status).toBe(200);
    expect(calls).toEqual([["change", "7-1", change]]);
  });

  test("a cancel's policy and a run's limit are handed on", async () => {
    const { ask, calls } = stand();
    await ask("DELETE", "/v1/downloads/7-1?partials=delete");
    expect((await ask("PATCH", "/v1/settings", '{"limitRate":"1k"}')).data).toEqual({ limitRate: 1_000 });
    expect(calls).toEqual([
      ["cancel", "7-1", "delete"],
      ["settings", 1_000],
    ]);
  });
});

describe("what is refused", () => {
  test.each([
    ["GET", "/", undefined, 404, undefined],
    ["GET", "/v1/downloads/", undefined, 404, undefined],
    ["GET", "/v1/downloads/%", undefined, 404, undefined],
    ["GET", "/v1/downloads/nope", undefined, 404, undefined],
    ["POST", "/v1/downloads/nope/pause", undefined, 404, undefined],
    ["PATCH", "/v1/downloads/nope", "{", 404, undefined],
    ["PATCH", "/v1/downloads/7-1", undefined, 400, undefined],
    ["PATCH", "/v1/downloads/7-1", "{", 400, undefined],
    ["PATCH", "/v1/downloads/7-1", "[]", 400, undefined],
    ["PATCH", "/v1/downloads/7-1", "null", 400, undefined],
    ["PATCH", "/v1/downloads/7-1", "{}", 400, undefined],
    ["PATCH", "/v1/downloads/7-1", '{"priority":"urgent"}', 400, "priority"],
    ["PATCH", "/v1/downloads/7-1", '{"priority":1.5}', 400, "priority"],
    ["PATCH", "/v1/downloads/7-1", '{"priority":101}', 400, "priority"],
    ["PATCH", "/v1/downloads/7-1", '{"limitRate":0}', 400, "limitRate"],
    ["PATCH", "/v1/downloads/7-1", '{"limitRate":"fast"}', 400, "limitRate"],
    ["PATCH", "/v1/downloads/7-1", '{"limitRate":[]}', 400, "limitRate"],
    ["PATCH", "/v1/downloads/7-1", '{"limit":1}', 400, "limit"],
    ["PATCH", "/v1/settings", "{}", 400, "limitRate"],
    ["PATCH", "/v1/settings", '{"limitRate":"default"}', 400, "limitRate"],
    ["DELETE", "/v1/downloads/7-1?partials=perhaps", undefined, 400, "partials"],
    ["GET", "/v1/events?since=x", undefined, 400, "since"],
    ["GET", "/v1/events?since=-1", undefined, 400, "since"],
  ])("%s %s with %p is %d, naming %p", async (method, path, body, status, field) => {
    const { ask, calls } = stand();
    const { data, status: got, headers } = await ask(method, path, body);
    expect([got, data["status"], data["field"]]).toEqual([status, status, field]);
    expect(headers.get("content-type")).toBe("application/problem+json");
    for (const part of ["type", "title", "detail", "code", "hint"]) expect(data[part]).toBeString();
    if (field !== undefined) expect(data["detail"]).toContain(field);
    expect(calls).toEqual([]);
  });

  test("a body of 70 kB is not read", async () => {
    const body = JSON.stringify({ priority: "x".repeat(70_000) });
    expect((await stand().ask("PATCH", "/v1/downloads/7-1", body)).data).toMatchObject({ status: 413 });
  });

  test.each([
    ["PATCH", "/v1/downloads/7-1", 70_000],
    ["POST", "/v1/downloads/7-1/pause", 70_000],
    ["POST", "/v1/nothing", 5e12],
  ])("%s %s that announces a body of %d is refused before it is there", async (method, path, size) => {
    const { route, calls } = stand();
    const headers = { "Content-Length": String(size) };
    const response = await route(new Request(`http://localhost${path}`, { method, headers }));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: "E_USAGE", hint: expect.any(String) });
    expect(calls).toEqual([]);
  });

  test.each([
    ["POST", "/v1/downloads", "GET"],
    ["PUT", "/v1/downloads/7-1", "DELETE, GET, PATCH"],
    ["GET", "/v1/downloads/7-1/pause", "POST"],
    ["DELETE", "/v1/settings", "GET, PATCH"],
  ])("%s %s is 405 and says what is possible: %s", async (method, path, allow) => {
    const { status, headers } = await stand().ask(method, path);
    expect([status, headers.get("allow")]).toEqual([405, allow]);
  });
});
