// kill -9 of a daemon with downloads running and waiting: the next one carries all of them to their end, each once, and
// fetches again only what no journal vouched for.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Job } from "../../src/domain/job.ts";
import { checkInvariants } from "../support/invariants.ts";
import { vouchedBytes } from "../support/kept-bytes.ts";
import { openNamedStage } from "../support/named-stage.ts";
import { type Serve, startServe } from "../support/serve.ts";
import { ONE_BY_ONE, fileBytes, finalsBelow, heldAfter, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 16 * MIB;
const NAMES = ["one", "two", "three", "four", "five", "six", "seven"];
/** What a file weighs beyond its content: the GGUF header the rig writes. */
const HEADER_BYTES = 64;

let stage: Stage;
let env: Readonly<Record<string, string>>;
let serve: Serve;

beforeAll(async () => {
  ({ stage, env } = await openNamedStage(NAMES, { sizeBytes: SIZE }));
});
afterAll(async () => {
  serve.child.kill("SIGKILL");
  await serve.child.ended;
  await stage[Symbol.asyncDispose]();
});

test("two that run and five that wait survive", async () => {
  serve = await startServe(stage, { env, args: ["--jobs", "2", "--limit-rate", "4M"] });
  const { data } = await serve.ask("POST", "/v1/downloads/batch", { body: { refs: NAMES, priority: "low" } });
  const added = data.downloads as Job[];
  await serve.ask("PATCH", `/v1/downloads/${added[6]!.id}`, { body: { priority: 50 } });
  await until("two run and five wait", async () => {
    const states = (await serve.jobs()).map(({ state }) => state);
    return (
      states.filter((state) => state === "running").length === 2 &&
      states.filter((state) => state === "queued").length === 5
    );
  });
  // None of them comes to its end before its journal is looked at.
  await heldAfter(stage.hub, 14 * MIB);
  await until("the journals vouch for something", async () => (await vouchedBytes(stage.models)) > 8 * MIB);
  serve.child.kill("SIGKILL");
  await serve.child.ended;
  const vouched = await vouchedBytes(stage.models);
  expect(await finalsBelow(stage.models)).toEqual([]);
  stage.hub.reset();
  stage.hub.behave({ rateBytesPerSec: null });

  serve = await startServe(stage, { env, args: ["--jobs", "2", ...ONE_BY_ONE] });
  const before = await serve.jobs();
  expect(before.map(({ id, ref }) => [id, ref])).toEqual(added.map(({ id, ref }) => [id, ref]));
  expect(before.map(({ priority }) => priority)).toEqual([-10, -10, -10, -10, -10, -10, 50]);
  await until("all are done", async () => (await serve.jobs()).every(({ state }) => state === "done"));
  expect(await finalsBelow(stage.models)).toEqual(NAMES.map((name) => `${name}.gguf`).toSorted());
  // Each byte that nobody vouched for once, and no other.
  const missing = NAMES.length * SIZE - vouched;
  expect(fileBytes(stage.hub)).toBeGreaterThanOrEqual(missing);
  expect(fileBytes(stage.hub)).toBeLessThan(missing + NAMES.length * HEADER_BYTES);
  await checkInvariants(stage.models, stage.hub);
});

test("again and again, at any moment, and with somebody asking", async () => {
  await serve.ask("POST", "/v1/cleanup", { body: { dryRun: false } });
  for (const name of NAMES)
    expect((await serve.ask("DELETE", `/v1/models/${name}`)).data.executed).toBe(true);
  const ids = new Set<string>();
  for (let life = 0; life < 6; life += 1) {
    const asked = ["one", "two"].map((ref) =>
      serve.ask("POST", "/v1/downloads", { body: { ref, limitRate: "6M" } }).catch(() => null),
    );
    // At least one is answered before it is killed.
    await (life === 5 ? Promise.all(asked) : Promise.race([Promise.all(asked), Bun.sleep(20 + life * 60)]));
    serve.child.kill("SIGKILL");
    await serve.child.ended;
    for (const reply of await Promise.all(asked)) if (reply) ids.add(reply.data.id as string);
    serve = await startServe(stage, { env });
    const open = (await serve.jobs()).filter(({ state }) => state !== "done");
    // Whoever got an answer finds the download; nobody finds it twice.
    expect(open.length).toBe(new Set(open.map(({ ref }) => ref)).size);
    const known = new Set((await serve.jobs()).map(({ id }) => id));
    expect([...ids].filter((id) => !known.has(id))).toEqual([]);
  }
  expect(ids.size).toBeGreaterThan(0);
  for (const job of await serve.jobs())
    if (job.state !== "done")
      await serve.ask("PATCH", `/v1/downloads/${job.id}`, { body: { limitRate: null } });
  await until("all are done", async () => (await serve.jobs()).every(({ state }) => state === "done"));
  await checkInvariants(stage.models, stage.hub);
});
