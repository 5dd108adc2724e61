// What of serve's downloads is tried again: what passes, for as long as it takes, within what a file may cost; and what
// has failed for good, when somebody asks, as it was asked.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import type { Job } from "../../src/domain/job.ts";
import { type FileServer, fileServer, sendBytes } from "../support/file-server.ts";
import { type Serve, startServe } from "../support/serve.ts";
import { until } from "../support/until.ts";
import { ONE_BY_ONE, openStage, type Stage } from "../support/stage.ts";

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const WRONG = "0".repeat(64);

let stage: Stage;
let serve: Serve;

beforeEach(async () => {
  stage = await openStage({ repos: [] });
});
afterEach(async () => {
  serve.child.kill("SIGKILL");
  await serve.child.ended;
  await stage[Symbol.asyncDispose]();
});

async function add(wish: Record<string, unknown>): Promise<string> {
  return String((await serve.ask("POST", "/v1/downloads", { body: wish })).data.id);
}

/** Until an attempt has ended so: before its first byte a download waits as well, and nothing went wrong. */
async function reach(id: string, state: Job["state"]): Promise<Job> {
  let job = await serve.job(id);
  await until(`it is ${state} for a reason`, async () => {
    job = await serve.job(id);
    return job.state === state && job.error !== null;
  });
  return job;
}

describe("a server that cannot continue and always ends early", () => {
  const bytes = new Uint8Array(12 * MIB).fill(7);

  /**
   * Sends two thirds of the file whatever it is asked for; answers how many bytes that came to. They end in order: of a
   * connection that is cut, what was not read yet is lost, and counts for nobody.
   */
  async function openEarlyEnder(): Promise<{ server: FileServer; sentBytes(): number }> {
    const part = bytes.subarray(0, 8 * MIB);
    let sentBytes = 0;
    const server = await fileServer((asked, response) => {
      const headers = { ETag: '"v1"' };
      // An attempt's first question is only what the file is: nobody reads on.
      if (asked.range?.endBytes === 1)
        return sendBytes({ ...asked, range: null }, response, { bytes, headers });
      sentBytes += part.length;
      response.writeHead(200, headers).write(part);
      response.end();
    });
    return { server, sentBytes: () => sentBytes };
  }

  test.each(["3", "0"])("is given up for good, with %s retries", async (retries) => {
    const { server, sentBytes } = await openEarlyEnder();
    await using _ = server;
    serve = await startServe(stage, { args: ["--retries", retries] });
    const id = await add({ ref: server.url, sha256: WRONG });
    await until("it is given up", async () => {
      const { state, error } = await serve.job(id);
      // Nobody has to wait for the next attempt. During one it would be too late: what has failed for good by then begins anew.
      if (state === "waiting" && error) await serve.ask("POST", `/v1/downloads/${id}/resume`);
      expect(state).not.toBe("done");
      return state === "failed" || sentBytes() > 5 * bytes.length;
    });
    expect(await serve.job(id)).toMatchObject({
      state: "failed",
      error: { code: "E_NETWORK", hint: expect.stringContaining("What arrived is kept") },
    });
    expect(sentBytes()).toBeLessThanOrEqual(5 * bytes.length);
    const { data } = await serve.ask("GET", "/v1/history");
    expect(data.installs[0]).toMatchObject({ outcome: "failed", error: "E_NETWORK" });
  });
});

describe("what passes", () => {
  test("is also a proxy that is not there", async () => {
    const HTTPS_PROXY = "http://127.0.0.1:9";
    serve = await startServe(stage, { env: { HTTPS_PROXY }, args: ["--retries", "0"] });
    const id = await add({ ref: "https://models.example.org/a.gguf" });
    expect((await reach(id, "waiting")).error).toMatchObject({
      code: "E_PROXY",
      hint: expect.stringContaining("tried again by itself"),
    });
    expect((await serve.ask("GET", "/v1/history")).data.installs).toEqual([]);
    expect(serve.child.output().stdout).not.toContain("model.failed");
  });

  test.each([0, 1])("is waited for as long as the server wishes, said at question %d", async (at) => {
    await using server = await fileServer((asked, response) => {
      if (asked.before < at) return sendBytes(asked, response, { bytes: new Uint8Array(MIB) });
      response.writeHead(429, { "Retry-After": "3600" }).end("slow down");
    });
    serve = await startServe(stage, { args: ["--retries", "0"] });
    const id = await add({ ref: server.url });
    const { error } = await reach(id, "waiting");
    expect(error?.code).toBe("E_RATE_LIMITED");
    const next = /again by itself at (\S+Z)/.exec(error?.hint ?? "")?.[1] ?? "";
    expect(Date.parse(next) - Date.now()).toBeGreaterThan(HOUR_MS / 2);
  });
});

describe("what has failed for good", () => {
  test("is a file that changes with every answer", async () => {
    const bytes = new Uint8Array(12 * MIB);
    await using server = await fileServer((asked, response) =>
      sendBytes(asked, response, { bytes, headers: { ETag: `"v${asked.before}"` } }),
    );
    serve = await startServe(stage, { args: ONE_BY_ONE });
    const id = await add({ ref: server.url });
    await until("its attempt is over", async () => (await serve.job(id)).error !== null);
    expect(await serve.job(id)).toMatchObject({ state: "failed", error: { code: "E_CHANGED" } });
  });

  test("is queued again as it was asked when it is resumed: no digest is forgotten", async () => {
    const bytes = new Uint8Array(MIB).fill(3);
    await using server = await fileServer((asked, response) => sendBytes(asked, response, { bytes }));
    serve = await startServe(stage);
    const id = await add({ ref: server.url, sha256: WRONG, priority: "high", limitRate: "50M" });
    expect((await reach(id, "failed")).error?.code).toBe("E_DIGEST");
    const before = server.asked.length;
    const { data } = await serve.ask("POST", `/v1/downloads/${id}/resume`);
    expect(data).toMatchObject({ id, state: "queued", error: null, endedAt: null, priority: 10 });
    const again = await reach(id, "failed");
    expect(again).toMatchObject({ priority: 10, limitBytesPerSec: 50_000_000, error: { code: "E_DIGEST" } });
    expect(server.asked.length).toBeGreaterThan(before);
    expect(await serve.jobs()).toHaveLength(1);
    expect((await readdir(stage.models)).filter((name) => !name.startsWith("."))).toEqual([]);
  });
});
