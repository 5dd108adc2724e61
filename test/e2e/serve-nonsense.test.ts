// Nonsense and haste at every address of `luci serve`: each answer is in words, and no file comes to harm.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { isEnded } from "../../src/domain/job.ts";
import { checkInvariants } from "../support/invariants.ts";
import { namedRepos } from "../support/named-stage.ts";
import { type Serve, startServe } from "../support/serve.ts";
import { openStage, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const SIZE = 3 * 1024 * 1024;
const NAMES = ["m0", "m1", "m2", "m3", "m4", "m5"];
const REFS = NAMES.map((name) => `hf:org/${name}:${name}.gguf`);
const PATHS = [
  "/v1/models",
  "/v1/models/x",
  "/v1/models/x/verify",
  "/v1/downloads",
  "/v1/downloads/batch",
  "/v1/downloads/x",
  "/v1/downloads/x/pause",
  "/v1/downloads/x/resume",
  "/v1/settings",
  "/v1/cleanup",
  "/v1/nothing",
  "//",
  "/v1/downloads/",
  "/v1/downloads/%00",
  "/v1/downloads/%ff",
  "/v1/models/..%2f..%2fetc",
  "/v1/downloads/__proto__",
  "/v1/models/constructor/verify",
  `/v1/downloads/${"a".repeat(6_000)}`,
];
const BODIES = [
  "",
  "{",
  "[]",
  "null",
  "1",
  '"x"',
  "{}",
  '{"__proto__":{"a":1}}',
  "\u0000",
  "\uD800",
  "[".repeat(20_000),
  '{"ref":1}',
  '{"ref":""}',
  `{"ref":"${"a".repeat(3_000)}"}`,
  '{"ref":"hf:../../x"}',
  '{"ref":"\\u001b[2J"}',
  '{"ref":"file:///etc/passwd"}',
  '{"ref":"all"}',
  '{"refs":[]}',
  '{"refs":["hf:"]}',
  '{"ref":"x","paused":"yes"}',
  '{"limitRate":0}',
  '{"limitRate":1e308}',
  '{"limitRate":1.5}',
  '{"limitRate":[]}',
  '{"priority":1e9}',
  '{"dryRun":"x"}',
  '{"dryRun":true,"olderThan":"x"}',
  '{"repair":1}',
  '{"limitRate":"schedule"}',
];

let stage: Stage;
let serve: Serve;

beforeAll(async () => {
  stage = await openStage({ repos: await namedRepos(NAMES, SIZE) });
  serve = await startServe(stage);
});
afterAll(async () => {
  serve.child.kill("SIGKILL");
  await serve.child.ended;
  await stage[Symbol.asyncDispose]();
});

/** What is wrong with an answer to nonsense; null where it is a refusal in words. */
async function faultOf(method: string, path: string, body: string): Promise<string | null> {
  const headers = { Authorization: `Bearer ${serve.token}` };
  const response = await fetch(`${serve.url}${path}`, { method, headers, body });
  const text = await response.text();
  const said = `${method} ${path.slice(0, 60)} ${body.slice(0, 40)}: ${response.status} ${text.slice(0, 200)}`;
  if (response.status < 400 || response.status >= 500) return said;
  const problem = JSON.parse(text) as Record<string, unknown>;
  const isWhole = ["title", "status", "detail", "code", "hint"].every((part) => problem[part] !== undefined);
  return isWhole && response.headers.get("content-type") === "application/problem+json" ? null : said;
}

test("what is nonsense is refused in words, with whatever method", async () => {
  const faults: (string | null)[] = [];
  for (const path of PATHS) {
    for (const method of ["PUT", "OPTIONS"]) faults.push(await faultOf(method, path, ""));
    for (const body of BODIES)
      for (const method of ["POST", "PATCH"]) faults.push(await faultOf(method, path, body));
  }
  expect(faults.filter((fault) => fault !== null)).toEqual([]);
  expect(await serve.jobs()).toEqual([]);
});

test("many hands on the same downloads, and cancels at the last moment, harm no file", async () => {
  stage.hub.behave({ rateBytesPerSec: SIZE / 4 });
  const { data } = await serve.ask("POST", "/v1/downloads/batch", { body: { refs: REFS } });
  const ids = (data.downloads as { id: string }[]).map(({ id }) => id);
  const hands = ids.flatMap((id) =>
    Array.from({ length: 20 }, async (_, at) => {
      const body = { priority: at - 10, limitRate: at % 2 === 0 ? null : 1_000_000 + at };
      await serve.ask("PATCH", `/v1/downloads/${id}`, { body });
      await serve.ask("POST", `/v1/downloads/${id}/${at % 2 === 0 ? "pause" : "resume"}`);
      await serve.ask("PATCH", "/v1/settings", { body: { limitRate: at % 3 === 0 ? null : "off" } });
    }),
  );
  await Promise.all(hands);
  await Promise.all(
    ids.map((id) => serve.ask("PATCH", `/v1/downloads/${id}`, { body: { limitRate: null } })),
  );
  await Promise.all(ids.map((id) => serve.ask("POST", `/v1/downloads/${id}/resume`)));
  const cancels = ids.map(async (id, at) => {
    await until("it is nearly done", async () => {
      const job = await serve.job(id);
      return job.doneBytes > 0.8 * SIZE || isEnded(job);
    });
    const { status } = await serve.ask(
      "DELETE",
      `/v1/downloads/${id}?partials=${at % 2 === 0 ? "resume" : "delete"}`,
    );
    expect([202, 409]).toContain(status);
  });
  stage.hub.behave({ rateBytesPerSec: null });
  await Promise.all(cancels);
  await until("all have ended", async () => (await serve.jobs()).every(isEnded));
  await checkInvariants(stage.models, stage.hub);
});

test("restarts in the middle, with and without a goodbye, lose nothing", async () => {
  // What is installed by now would be done at once.
  for (const ref of REFS) await serve.ask("DELETE", `/v1/models/${encodeURIComponent(ref)}`);
  expect((await serve.ask("GET", "/v1/models")).data.models).toEqual([]);
  await serve.ask("POST", "/v1/cleanup", { body: { dryRun: false } });
  stage.hub.behave({ rateBytesPerSec: SIZE / 2 });
  const { data } = await serve.ask("POST", "/v1/downloads/batch", { body: { refs: REFS } });
  const ids = new Set((data.downloads as { id: string }[]).map(({ id }) => id));
  for (const signal of ["SIGTERM", "SIGKILL", "SIGKILL", "SIGTERM"] as const) {
    serve.child.kill(signal);
    await serve.child.ended;
    serve = await startServe(stage);
    await until("it is at it", async () =>
      (await serve.jobs()).some(
        (job) => ids.has(job.id) && (job.state === "running" || job.state === "done"),
      ),
    );
  }
  stage.hub.behave({ rateBytesPerSec: null });
  await until("all have ended", async () => (await serve.jobs()).every(isEnded));
  const { finals } = await checkInvariants(stage.models, stage.hub);
  expect(finals.toSorted()).toEqual(NAMES.map((name) => `${name}.gguf`));
  expect(serve.child.output().stderr).toBe("");
});
