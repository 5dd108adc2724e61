// What `luci serve` knows after its end, whatever that end was: a limit said by hand, and what became of downloads.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openNamedStage } from "../support/named-stage.ts";
import { type Serve, startServe } from "../support/serve.ts";
import { clearStage, fileBytes, hold, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
const NAMES = ["alpha", "beta"];

let stage: Stage;
let env: Readonly<Record<string, string>>;
let serve: Serve;

beforeAll(async () => {
  ({ stage, env } = await openNamedStage(NAMES, { sizeBytes: SIZE }));
});
beforeEach(async () => {
  await clearStage(stage);
  serve = await startServe(stage, { env });
});
afterEach(end);
afterAll(() => stage[Symbol.asyncDispose]());

async function end(): Promise<void> {
  serve.child.kill("SIGKILL");
  await serve.child.ended;
}

/** Another life, after no goodbye. */
async function again(...args: readonly string[]): Promise<void> {
  await end();
  serve = await startServe(stage, { env, args });
}

async function limit(): Promise<number | null> {
  return (await serve.ask("GET", "/v1/settings")).data.limitRate as number | null;
}

async function say(limitRate: unknown): Promise<void> {
  expect((await serve.ask("PATCH", "/v1/settings", { body: { limitRate } })).status).toBe(200);
}

describe("a limit said by hand", () => {
  test("is there after kill -9, and in force; the command line goes before it, null takes it back", async () => {
    await writeFile(join(stage.home, "config.toml"), 'limit-rate = "50M"\n');
    await again();
    expect(await limit()).toBe(50_000_000);
    // Too little for more than the beginning of a file.
    await say("20k");
    await again();
    expect(serve.child.output().stdout).toContain("`luci limit default` goes back");
    expect(await limit()).toBe(20_000);
    // Nor may it be done while there is a higher one.
    hold(stage.hub);
    const { id } = (await serve.ask("POST", "/v1/downloads", { body: { ref: "alpha" } })).data;
    await until("it has begun", () => fileBytes(stage.hub) > 0);
    // That is told a few times a second.
    await until("it runs", async () => (await serve.job(id)).state === "running");
    await again("--limit-rate", "2M");
    expect(await limit()).toBe(2_000_000);
    await again();
    expect(await limit()).toBe(20_000);
    expect((await serve.job(id)).state).not.toBe("done");
    await say(null);
    expect(await limit()).toBe(50_000_000);
    stage.hub.behave({ rateBytesPerSec: null });
    await until("it is done", async () => (await serve.job(id)).state === "done");
    await again();
    expect(await limit()).toBe(50_000_000);
  });

  test("may be that there is none, and comes from another terminal as well", async () => {
    await writeFile(join(stage.home, "config.toml"), 'limit-rate = "50M"\n');
    await again();
    expect((await stage.luci(["limit", "off"])).exitCode).toBe(0);
    await again();
    expect(await limit()).toBeNull();
    expect((await stage.luci(["limit", "default"])).exitCode).toBe(0);
    expect(await limit()).toBe(50_000_000);
  });
});
