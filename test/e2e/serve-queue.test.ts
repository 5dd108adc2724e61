// What a queue of many downloads has to hold: nothing is written by two, nothing is dropped, nothing is lost.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Job } from "../../src/domain/job.ts";
import { checkInvariants } from "../support/invariants.ts";
import { vouchedBytes } from "../support/kept-bytes.ts";
import { ggufFile } from "../support/model-repos.ts";
import type { Intercept } from "../../src/demo/hub-trouble.ts";
import { type Serve, startServe } from "../support/serve.ts";
import {
  ONE_BY_ONE,
  clearStage,
  heldAfter,
  hold,
  openStage,
  resultOf,
  type Stage,
} from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const CONFIG = '{"model_type":"llama","text":"all of it"}\n';

let stage: Stage;
let serve: Serve;

beforeAll(async () => {
  // Just large enough for a hash worker.
  const many = Array.from({ length: 20 }, (_, at) => ggufFile(`many-${at}.gguf`, MIB, 10 + at));
  stage = await openStage({
    repos: [
      {
        name: "org/twice",
        files: [await ggufFile("twice.gguf", MIB, 1), { path: "config.json", content: CONFIG }],
      },
      { name: "org/many", files: await Promise.all(many) },
      { name: "org/large", files: [await ggufFile("large.gguf", 8 * MIB, 2)] },
    ],
  });
});
beforeEach(async () => {
  await clearStage(stage);
  serve = await startServe(stage);
});
afterEach(async () => {
  serve.child.kill("SIGKILL");
  await serve.child.ended;
});
afterAll(() => stage[Symbol.asyncDispose]());

describe("many at once", () => {
  test("the same small file is written by one of them, and both have it", async () => {
    let asked = 0;
    // The first one stands half written while the other would begin.
    const gate = Promise.withResolvers<undefined>();
    stage.hub.behave({
      intercept: ({ path }) => {
        if (!path.endsWith("/config.json")) return undefined;
        asked += 1;
        return asked === 1 ? gate.promise : undefined;
      },
    });
    const one = await serve.add("hf:org/twice");
    await until("the first asks for it", () => asked > 0);
    const other = await serve.add("hf:org/twice@main");
    await until("the other waits for it", async () => {
      const { state, doneFiles } = await serve.job(other.id);
      return state === "waiting" && doneFiles === 1;
    });
    gate.resolve(undefined);
    const isOver = async ({ id }: Job): Promise<boolean> =>
      ["done", "failed"].includes((await serve.job(id)).state);
    await until("both are over", async () => (await isOver(one)) && (await isOver(other)));
    expect(asked).toBe(1);
    expect((await serve.job(one.id)).error).toBeNull();
    expect((await serve.job(other.id)).error).toBeNull();
    expect(await readFile(join(stage.models, "org--twice", "config.json"), "utf8")).toBe(CONFIG);
    await checkInvariants(stage.models, stage.hub);
  });

  test("do not leave workers behind", async () => {
    // Those that wait for the disk come and stay as they are needed.
    const workers = async (): Promise<number> => {
      const tasks = `/proc/${serve.child.pid}/task`;
      const names = (await readdir(tasks)).map((id) =>
        readFile(join(tasks, id, "comm"), "utf8").catch(() => ""),
      );
      return (await Promise.all(names)).filter((name) => name === "Worker\n").length;
    };
    for (let at = 0; at < 20; at += 1) await serve.add(`hf:org/many:many-${at}.gguf`);
    await until("all are done", async () => (await serve.jobs()).every(({ state }) => state === "done"));
    // A worker for each core, four at most.
    expect(await workers()).toBeWithin(1, 5);
  });
});

describe("while the hub is away", () => {
  /** Nobody answers, as at a login before the network is there. */
  const goAway = (): void => stage.hub.behave({ intercept: () => ({ cutAfterBytes: 0 }) });
  const restart = async (signal: "SIGTERM" | "SIGKILL", ...flags: readonly string[]): Promise<void> => {
    serve.child.kill(signal);
    await serve.child.ended;
    serve = await startServe(stage, { args: ["--retries", "0", ...flags] });
  };

  /** The job while it waits for another attempt. */
  const whenTried = async (id: string): Promise<Job> => {
    let seen = await serve.job(id);
    await until("it waits for another attempt", async () => {
      seen = await serve.job(id);
      return seen.state === "waiting" && seen.error?.code === "E_NETWORK";
    });
    return seen;
  };

  test("the queue waits, over a restart too, and is done once it is back", async () => {
    goAway();
    await restart("SIGTERM");
    const jobs = [await serve.add("hf:org/large"), await serve.add("hf:org/twice")];
    const areWaiting = async (): Promise<boolean> =>
      (await serve.jobs()).every(({ state, error }) => state === "waiting" && error?.code === "E_NETWORK");
    await until("both wait for another attempt", areWaiting);
    // Now and then they are at another attempt.
    await until("ps says so", async () => (await stage.luci(["ps"])).stdout.includes("waiting"));
    await restart("SIGKILL");
    await until("both wait again", areWaiting);
    stage.hub.behave({ intercept: null });
    for (const { id } of jobs) await until("it is done", async () => (await serve.job(id)).state === "done");
    expect((await serve.job(jobs[0]!.id)).error).toBeNull();
    await checkInvariants(stage.models, stage.hub);
  });

  test("in the middle of a file, what arrived is kept and the rest comes later", async () => {
    // Others would fail before the first one has brought anything.
    await restart("SIGTERM", ...ONE_BY_ONE);
    const arrived = Promise.withResolvers<void>();
    let asked = 0;
    const intercept: Intercept = ({ origin }) => {
      if (origin !== "cdn") return undefined;
      asked += 1;
      return asked === 1 ? { cutAfterBytes: 2 * MIB, cutWhen: () => arrived.promise } : { cutAfterBytes: 0 };
    };
    stage.hub.behave({ intercept });
    const { id } = await serve.add("hf:org/large");
    await until("bytes arrive", async () => (await serve.job(id)).doneBytes > 0);
    arrived.resolve();
    expect((await whenTried(id)).doneBytes).toBeGreaterThan(0);
    expect(serve.child.output().stdout).not.toContain(" failed: ");
    expect(serve.child.output().stdout).toContain("trying again in");
    stage.hub.behave({ intercept: null });
    await until("it is done", async () => (await serve.job(id)).state === "done");
  });

  test("a cancel that is to delete is not over before the bytes are gone", async () => {
    await restart("SIGTERM");
    stage.hub.behave({ rateBytesPerSec: 2 * MIB });
    const { id } = await serve.add("hf:org/large");
    await heldAfter(stage.hub, 2 * MIB);
    await until("bytes arrive", async () => (await serve.job(id)).doneBytes > MIB);
    await serve.ask("POST", `/v1/downloads/${id}/pause`);
    goAway();
    await restart("SIGTERM");
    const kept = async (): Promise<string[]> => await readdir(stage.partials);
    expect(await kept()).not.toEqual([]);
    await serve.ask("DELETE", `/v1/downloads/${id}?partials=delete`);
    await whenTried(id);
    stage.hub.behave({ intercept: null, rateBytesPerSec: null });
    await until("it is cancelled", async () => (await serve.job(id)).state === "cancelled");
    expect(await kept()).toEqual([]);
  });
});

test("the same with another digest is refused, and named", async () => {
  hold(stage.hub);
  const ref = "hf:org/large:large.gguf";
  const { id } = await serve.add(ref);
  const again = await serve.ask("POST", "/v1/downloads", { body: { ref, sha256: "f".repeat(64) } });
  expect([again.status, again.data.field]).toEqual([409, "sha256"]);
  expect(again.data.detail).toContain(id);
  const run = await stage.luci(["install", ref, "--detach", "--limit-rate", "5M", "--priority", "high"]);
  expect(run.exitCode).toBe(0);
  expect(await serve.job(id)).toMatchObject({ limitBytesPerSec: 5_000_000, priority: 10 });
  await stage.luci(["install", ref, "--detach"]);
  expect(await serve.job(id)).toMatchObject({ limitBytesPerSec: 5_000_000, priority: 10 });
});

test("what waits in the queue is not cleaned up, by whomever", async () => {
  stage.hub.behave({ rateBytesPerSec: 2 * MIB });
  const { id } = await serve.add("hf:org/large");
  await heldAfter(stage.hub, 2 * MIB);
  await until("bytes arrive", async () => (await serve.job(id)).doneBytes > MIB);
  await serve.ask("POST", `/v1/downloads/${id}/pause`);
  await until("it is kept", async () => (await vouchedBytes(stage.models)) > 0);
  serve.child.kill("SIGTERM");
  await serve.child.ended;
  serve = await startServe(stage);
  // Paused, and nobody has it in hand.
  expect((await serve.job(id)).state).toBe("paused");
  const partial = (await readdir(stage.partials)).find((name) => !name.endsWith(".json"));
  const { data } = await serve.ask("POST", "/v1/cleanup", { body: { dryRun: false } });
  const run = await stage.luci(["cleanup", "--yes", "--json"]);
  for (const { kept } of [data, resultOf(run)])
    expect(kept).toContainEqual(
      expect.objectContaining({ kind: "partial", reason: "a running luci is going on with it" }),
    );
  expect(await readdir(stage.partials)).toContain(partial ?? "none");
  // Whoever ends it gives it free.
  await serve.ask("DELETE", `/v1/downloads/${id}?partials=resume`);
  const after = await serve.ask("POST", "/v1/cleanup", { body: { dryRun: false } });
  expect(after.data.freedBytes).toBeGreaterThan(0);
  expect(await readdir(stage.partials)).toEqual([]);
});
