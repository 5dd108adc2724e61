// `luci serve` on the built binary, asked over HTTP as any program would. Every answer is held against /openapi.json.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import openapi from "../../src/control/openapi.json" with { type: "json" };
import type { Job } from "../../src/domain/job.ts";
import { checkInvariants } from "../support/invariants.ts";
import { openNamedStage } from "../support/named-stage.ts";
import { type Serve, startServe } from "../support/serve.ts";
import {
  ONE_BY_ONE,
  clearStage,
  errorOf,
  finalsBelow,
  hold,
  resultOf,
  type Stage,
} from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
const NAMES = ["alpha", "beta", "gamma"];

let stage: Stage;
let env: Readonly<Record<string, string>>;
let serve: Serve;

beforeAll(async () => {
  const aliasesOf = (name: string): string[] => [`${name}-8b`];
  ({ stage, env } = await openNamedStage(NAMES, { sizeBytes: SIZE, aliasesOf }));
});
beforeEach(async () => {
  await clearStage(stage);
  serve = await startServe(stage, { env });
});
afterEach(async () => {
  serve.child.kill("SIGKILL");
  await serve.child.ended;
});
afterAll(() => stage[Symbol.asyncDispose]());

async function isState(id: string, state: Job["state"]): Promise<boolean> {
  return (await serve.job(id)).state === state;
}

/** Until something of a download has arrived, and more was sent; from then on bytes trickle, so that it does not end. */
async function arrived({ id }: Pick<Job, "id">, name: string, leastBytes: number): Promise<void> {
  const { sha256 } = stage.hub.filesOf(`org/${name}`).get(`${name}.gguf`)!.content;
  const filter = ({ path }: { path: string }): boolean => path.includes(sha256);
  await stage.hub.whenServed(leastBytes + MIB, { filter, signal: AbortSignal.timeout(60_000) });
  hold(stage.hub);
  await until("bytes arrive", async () => (await serve.job(id)).doneBytes > leastBytes);
}

async function stop(signal: "SIGTERM" | "SIGINT"): Promise<number> {
  serve.child.kill(signal);
  return (await serve.child.ended).exitCode;
}

describe("downloads", () => {
  test("are queued, done, listed, and the same is not taken up twice", async () => {
    stage.hub.behave({ rateBytesPerSec: MIB });
    const first = await serve.ask("POST", "/v1/downloads", { body: { ref: "Alpha-8B", priority: "high" } });
    expect([first.status, first.headers.get("location")]).toEqual([201, `/v1/downloads/${first.data.id}`]);
    expect(first.data).toMatchObject({ ref: "alpha", priority: 10 });
    await arrived(first.data, "alpha", MIB);
    for (const ref of ["alpha", "alpha-8b"]) {
      const again = await serve.ask("POST", "/v1/downloads", { body: { ref } });
      expect([again.status, again.data.id]).toEqual([200, first.data.id]);
    }
    stage.hub.behave({ rateBytesPerSec: null });
    await until("it is done", () => isState(first.data.id, "done"));
    const done = await serve.job(first.data.id);
    expect(done).toMatchObject({ doneBytes: SIZE + 13, totalBytes: SIZE + 13, doneFiles: 1, connections: 0 });
    expect(done.path).toBe(join(stage.models, "alpha.gguf"));
    expect(stage.hub.log().filter(({ origin, status }) => origin === "cdn" && status >= 400)).toEqual([]);
    expect((await serve.ask("DELETE", `/v1/downloads/${done.id}`)).status).toBe(409);
    const next = await serve.add("alpha");
    expect(next.id).not.toBe(done.id);
    await until("nothing was left to do", () => isState(next.id, "done"));
    expect((await serve.job(next.id)).model).toBe("alpha");
    await checkInvariants(stage.models, stage.hub);
  });

  test("of a group come one for each model, all or none", async () => {
    const refused = await serve.ask("POST", "/v1/downloads", { body: { ref: "core models" } });
    expect([refused.status, refused.data.field]).toEqual([400, "ref"]);
    const none = await serve.ask("POST", "/v1/downloads/batch", { body: { refs: ["alpha", "nope"] } });
    expect([none.status, none.data.field]).toEqual([400, "refs"]);
    expect(await serve.jobs()).toEqual([]);
    const all = await serve.ask("POST", "/v1/downloads/batch", {
      body: { refs: ["core", "models", "alpha"] },
    });
    expect([all.status, all.data.downloads.map(({ ref }: Job) => ref)]).toEqual([201, NAMES]);
    const again = await serve.ask("POST", "/v1/downloads/batch", { body: { refs: ["beta"] } });
    expect([again.status, again.data.downloads[0].id]).toEqual([200, all.data.downloads[1].id]);
    await until("all are done", async () => (await serve.jobs()).every(({ state }) => state === "done"));
    expect(await finalsBelow(stage.models)).toEqual(NAMES.map((name) => `${name}.gguf`));
  });

  test("wait, go on, change and end on a word, before and while they are carried", async () => {
    stage.hub.behave({ rateBytesPerSec: MIB / 2 });
    const { id } = await serve.add("alpha", { paused: true, limitRate: "2M" });
    expect(await serve.job(id)).toMatchObject({ state: "paused", limitBytesPerSec: 2_000_000 });
    expect(stage.hub.log()).toEqual([]);
    const body = { priority: -3, limitRate: null };
    expect((await serve.ask("PATCH", `/v1/downloads/${id}`, { body })).data).toMatchObject({
      priority: -3,
      limitBytesPerSec: null,
    });
    expect((await serve.ask("POST", `/v1/downloads/${id}/resume`)).data).toMatchObject({ state: "queued" });
    await arrived({ id }, "alpha", MIB);
    expect((await serve.ask("POST", `/v1/downloads/${id}/pause`)).data).toMatchObject({ state: "paused" });
    const cancelled = await serve.ask("DELETE", `/v1/downloads/${id}?partials=delete`);
    expect(cancelled.status).toBe(202);
    await until("it is cancelled", () => isState(id, "cancelled"));
    expect(await serve.job(id)).toMatchObject({ error: { code: "E_CANCELLED" }, bytesPerSec: 0 });
    const { data } = await serve.ask("POST", "/v1/cleanup", { body: { dryRun: true } });
    expect(data.items.filter(({ kind }: { kind: string }) => kind === "partial")).toEqual([]);
    const waiting = await serve.add("beta", { paused: true });
    expect((await serve.ask("DELETE", `/v1/downloads/${waiting.id}`)).data).toMatchObject({
      state: "cancelled",
    });
  });

  test("that fail say why, and the daemon goes on", async () => {
    const { id } = await serve.add("hf:org/none");
    await until("it has failed", () => isState(id, "failed"));
    expect(await serve.job(id)).toMatchObject({ error: { code: "E_NOT_FOUND" } });
    const next = await serve.add("alpha");
    await until("the next one is done", () => isState(next.id, "done"));
  });

  test("of higher priority go first, and take a running one's place where that is wanted", async () => {
    await stop("SIGTERM");
    serve = await startServe(stage, { env, args: ["--jobs", "1", "--preempt"] });
    stage.hub.behave({ rateBytesPerSec: MIB / 2 });
    const low = await serve.add("alpha", { priority: "low" });
    await arrived(low, "alpha", MIB / 4);
    const normal = await serve.add("beta");
    const high = await serve.add("gamma", { priority: "high" });
    await until("the highest runs, and no other", async () => {
      const [lowest, middle, highest] = (await serve.jobs()).map(({ state }) => state);
      return lowest === "waiting" && middle !== "running" && highest === "running";
    });
    stage.hub.behave({ rateBytesPerSec: null });
    await until("all are done", async () => (await serve.jobs()).every(({ state }) => state === "done"));
    expect([low.id, normal.id, high.id]).toEqual((await serve.jobs()).map(({ id }) => id));
    await checkInvariants(stage.models, stage.hub);
  });
});

describe("other commands", () => {
  test("hand it downloads, see them and steer them", async () => {
    hold(stage.hub);
    const run = await stage.luci(["install", "core", "models", "--detach", "--priority", "high", "--json"], {
      env,
    });
    const { downloads, pid } = resultOf(run) as { downloads: Job[]; pid: number };
    expect([run.exitCode, pid]).toEqual([0, serve.child.pid]);
    expect(downloads.map(({ ref, priority }) => [ref, priority])).toEqual(NAMES.map((name) => [name, 10]));
    await until("they run", async () => (await serve.jobs()).every(({ state }) => state === "running"));
    expect((await stage.luci(["pause", "beta"])).exitCode).toBe(0);
    expect((await stage.luci(["limit", "3M"])).exitCode).toBe(0);
    expect((await serve.ask("GET", "/v1/settings")).data).toEqual({ limitRate: 3_000_000 });
    const shown = downloads.map(({ id, model }) => [id, model === "beta" ? "paused" : "running"]);
    // Under a lower limit they ask anew: for a moment nothing runs.
    await until("ps shows them", async () => {
      const seen = resultOf(await stage.luci(["ps", "--json"]))["jobs"] as Job[];
      return Bun.deepEquals(
        seen.map(({ id, state }) => [id, state]),
        shown,
      );
    });
    expect((await stage.luci(["cancel", "--all"])).exitCode).toBe(0);
    await until("they are cancelled", async () =>
      (await serve.jobs()).every(({ state }) => state === "cancelled"),
    );
  });

  test("are told that a flag is not handed on, or that nobody is there", async () => {
    const refused = await stage.luci(["install", "alpha", "--detach", "--force", "--jobs", "2"], { env });
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining("`--jobs`, `--force`")]);
    const unknown = await stage.luci(["install", "nope", "--detach"], { env });
    expect([unknown.exitCode, unknown.stderr]).toEqual([7, expect.stringContaining("no model named nope")]);
    const second = await stage.luci(["serve", "--port", "0", "--json"], { env });
    expect(errorOf(second)).toMatchObject({
      code: "E_LOCKED",
      exit: 9,
      message: expect.stringContaining(String(serve.child.pid)),
    });
    // A port is one daemon's alone, whatever its home.
    const port = new URL(serve.url).port;
    const elsewhere = { ...env, LUCI_HOME: join(stage.home, "another-home") };
    const intruder = await stage.luci(["serve", "--port", port, "--json"], { env: elsewhere });
    expect(errorOf(intruder)).toMatchObject({ code: "E_LOCKED", exit: 9 });
    expect((await serve.ask("GET", "/v1/health")).data).toMatchObject({ pid: serve.child.pid });
    await stop("SIGTERM");
    // What there is to say of the settings is said once.
    const HF_TOKEN_PATH = join(stage.home, "hub-token");
    await writeFile(HF_TOKEN_PATH, "hf_x", { mode: 0o644 });
    const nobody = await stage.luci(["install", "alpha", "--detach"], { env: { ...env, HF_TOKEN_PATH } });
    expect([nobody.exitCode, nobody.stderr]).toEqual([7, expect.stringContaining("`luci serve`")]);
    expect(nobody.stderr.match(/Other users can read your token/g)).toHaveLength(1);
  });
});

describe("models", () => {
  test("are listed, verified, mended and removed", async () => {
    const { id } = await serve.add("alpha");
    await until("it is done", () => isState(id, "done"));
    const path = join(stage.models, "alpha.gguf");
    expect(
      (await serve.ask("GET", "/v1/models")).data.models.map(({ name }: { name: string }) => name),
    ).toEqual(["alpha"]);
    expect((await serve.ask("GET", "/v1/models/ALPHA-8b")).data).toMatchObject({ name: "alpha", path });
    expect((await serve.ask("GET", "/v1/models/beta")).status).toBe(404);
    const bytes = await readFile(path);
    bytes[5 * MIB]! ^= 1;
    await writeFile(path, bytes);
    const found = await serve.ask("POST", "/v1/models/alpha/verify");
    expect([found.status, found.data.findings[0].kind]).toEqual([200, "digest"]);
    const mended = await serve.ask("POST", "/v1/models/alpha/verify", { body: { repair: true } });
    expect(mended.data.repaired).toMatchObject([{ model: "alpha" }]);
    await checkInvariants(stage.models, stage.hub);
    const { data: usage } = await serve.ask("GET", "/v1/usage");
    expect(usage.models).toEqual([{ model: "alpha", sizeBytes: SIZE + 13, files: 1 }]);
    const { data: catalog } = await serve.ask("GET", "/v1/catalog");
    expect(catalog.models.filter((model: { isInstalled: boolean }) => model.isInstalled)).toMatchObject([
      { name: "alpha", fits: true, sizeBytes: SIZE + 13 },
    ]);
    expect((await serve.ask("DELETE", "/v1/models/alpha?dryrun=true")).status).toBe(400);
    expect((await serve.ask("DELETE", "/v1/models/alpha?dryRun=true")).data.executed).toBe(false);
    expect(await finalsBelow(stage.models)).toEqual(["alpha.gguf"]);
    expect((await serve.ask("DELETE", "/v1/models/alpha")).data.executed).toBe(true);
    expect(await finalsBelow(stage.models)).toEqual([]);
  });

  test("are mended as a job that is seen and steered, as long as somebody waits for it", async () => {
    const { id } = await serve.add("alpha");
    await until("it is done", () => isState(id, "done"));
    await writeFile(join(stage.models, "alpha.gguf"), new Uint8Array(SIZE + 13));
    hold(stage.hub);
    const gone = new AbortController();
    const repair = { body: { repair: true }, signal: gone.signal };
    const asked = serve.ask("POST", "/v1/models/alpha/verify", repair).catch(() => "given up");
    const isRepair = (job: Job): boolean => job.id !== id;
    await until("bytes arrive", async () => ((await serve.jobs()).find(isRepair)?.doneBytes ?? 0) > 0);
    const job = (await serve.jobs()).find(isRepair);
    expect((await serve.ask("POST", `/v1/downloads/${job?.id}/pause`)).data).toMatchObject({
      state: "paused",
    });
    gone.abort();
    expect(await asked).toBe("given up");
    await until("it is gone", async () => !(await serve.jobs()).some(isRepair));
    expect((await serve.ask("GET", "/v1/health")).status).toBe(200);
  });

  test("have names with slashes and colons", async () => {
    const ref = "hf:org/beta:beta.gguf";
    const { id } = await serve.add(ref);
    await until("it is done", () => isState(id, "done"));
    expect((await serve.ask("GET", `/v1/models/${encodeURIComponent(ref)}`)).data).toMatchObject({ ref });
  });
});

describe("its end and its next beginning", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: with 0, without waiting for downloads, and the queue goes on",
    async (signal) => {
      stage.hub.behave({ rateBytesPerSec: MIB });
      const jobs = [
        await serve.add("alpha"),
        await serve.add("beta", { priority: 7 }),
        await serve.add("gamma", { paused: true }),
      ];
      await arrived(jobs[0]!, "alpha", 2 * MIB);
      const stream = await fetch(`${serve.url}/v1/events`);
      const exitCode = await stop(signal);
      await stream.body?.cancel().catch(() => undefined);
      expect(exitCode).toBe(0);
      expect(resultOf(await serve.child.ended)).toMatchObject({ openDownloads: 3 });
      stage.hub.reset();
      stage.hub.behave({ rateBytesPerSec: null });
      serve = await startServe(stage, { env, args: ONE_BY_ONE });
      const [alpha, beta, gamma] = jobs.map(({ id }) => id);
      await until(
        "it is done",
        async () => (await isState(alpha!, "done")) && (await isState(beta!, "done")),
      );
      expect(await serve.job(gamma!)).toMatchObject({ state: "paused", ref: "gamma" });
      expect(await serve.job(beta!)).toMatchObject({ priority: 7 });
      // What had arrived was not asked for again.
      expect(stage.hub.servedBytes(({ origin }) => origin === "cdn")).toBeLessThan(2 * SIZE - 2 * MIB);
      await checkInvariants(stage.models, stage.hub);
    },
  );

  test("a damaged queue is set aside and said", async () => {
    await stop("SIGTERM");
    await writeFile(join(stage.home, "luci.db"), "this is no database".repeat(1_000));
    serve = await startServe(stage, { env });
    expect(serve.child.output().stdout).toContain("luci.db.damaged-");
    const { id } = await serve.add("alpha");
    await until("it is done", () => isState(id, "done"));
  });

  test("secrets are the user's alone and appear nowhere", async () => {
    const { id } = await serve.add("alpha");
    await until("it is done", () => isState(id, "done"));
    expect((await stage.luci(["serve", "--print-token"])).stdout.trim()).toBe(serve.token);
    await stop("SIGTERM");
    const { stdout, stderr } = serve.child.output();
    expect(stdout + stderr).not.toContain(serve.token);
    for (const name of ["serve-token", "luci.db"])
      expect([name, (await stat(join(stage.home, name))).mode & 0o777]).toEqual([name, 0o600]);
    await chmod(join(stage.home, "serve-token"), 0o640);
    const run = await stage.luci(["serve", "--port", "0"], { env });
    await chmod(join(stage.home, "serve-token"), 0o600);
    expect([run.exitCode, run.stderr]).toEqual([2, expect.stringContaining("other users")]);
  });
});

test("it describes itself, and no path leads to anything else", async () => {
  const { data } = await serve.ask("GET", "/openapi.json");
  expect(data).toEqual({ ...openapi, info: { ...openapi.info, version: data.info.version } });
  const { version } = (await serve.ask("GET", "/v1/health")).data;
  expect(data.info.version).toBe(version);
});
