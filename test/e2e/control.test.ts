// Running installs on the built binary, seen and steered from another terminal. What counts is what reached the hub.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningChild } from "../../src/demo/child.ts";
import type { Job } from "../../src/domain/job.ts";
import { checkInvariants } from "../support/invariants.ts";
import { vouchedBytes } from "../support/kept-bytes.ts";
import { openNamedStage } from "../support/named-stage.ts";
import { parseEvents } from "../support/run-luci.ts";
import {
  ONE_BY_ONE,
  clearStage,
  errorOf,
  fileBytes,
  filesBelow,
  finalsBelow,
  hold,
  isFileRequest,
  resultOf,
} from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 24 * MIB;

let stage: Stage;
let env: Readonly<Record<string, string>>;
const running: RunningChild[] = [];

beforeAll(async () => {
  ({ stage, env } = await openNamedStage(["alpha", "beta", "gamma"], { sizeBytes: SIZE }));
});
beforeEach(() => clearStage(stage));
// What a failed test leaves running would spoil the next one.
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await child.ended;
  }
});
afterAll(() => stage[Symbol.asyncDispose]());

/** One terminal: an install that is under way, at half a mebibyte a second for each connection. */
async function startInstall(names: readonly string[], ...flags: readonly string[]): Promise<RunningChild> {
  hold(stage.hub);
  const child = stage.start(["install", ...names, "--json", ...flags], { env });
  running.push(child);
  await until("the jobs are seen", async () => (await jobs()).length === names.length);
  stage.hub.behave({ rateBytesPerSec: MIB / 2 });
  return child;
}

/** The other terminal. */
async function jobs(): Promise<Job[]> {
  const run = await stage.luci(["ps", "--json"]);
  return resultOf(run)["jobs"] as Job[];
}

async function job(model: string): Promise<Job | undefined> {
  return (await jobs()).find((one) => one.model === model);
}

async function luci(...args: readonly string[]): Promise<string> {
  const run = await stage.luci(args);
  expect([args, run.exitCode, run.stderr.includes("error:")]).toEqual([args, 0, false]);
  return run.stderr;
}

/** Until nothing has reached the hub for a moment; then watches that nothing does for longer. */
async function expectSilence(): Promise<void> {
  let before = -1;
  await until("the hub is left alone", async () => {
    const asked = stage.hub.log().length + fileBytes(stage.hub);
    const isSame = asked === before;
    before = asked;
    if (!isSame) await Bun.sleep(500);
    return isSame;
  });
  const requests = stage.hub.log().length;
  const bytes = fileBytes(stage.hub);
  await Bun.sleep(1_500);
  expect([stage.hub.log().length, fileBytes(stage.hub)]).toEqual([requests, bytes]);
}

/** Until the only job, which is paused, has no request left and all that it has is vouched for; answers how much that is. */
async function expectKept(): Promise<number> {
  let keptBytes = 0;
  await until("it is kept", async () => {
    const { doneBytes = 0, connections = 1 } = (await job("alpha")) ?? {};
    keptBytes = doneBytes;
    return connections === 0 && (await vouchedBytes(stage.models)) === doneBytes;
  });
  expect(keptBytes).toBeGreaterThan(0);
  return keptBytes;
}

/** Until more than that was served, and the model's job is there to be steered and has some of it; from then on bytes trickle. */
async function arrived(model: string, servedBytes: number): Promise<void> {
  await until("bytes are sent", () => bytesOf(model) > servedBytes);
  hold(stage.hub);
  await until("they arrive", async () => ((await job(model))?.doneBytes ?? 0) > 0);
}

/** Bytes of one model that left the hub: by the path of its file, at either origin. */
function bytesOf(model: string): number {
  const { sha256 } = stage.hub.filesOf(`org/${model}`).get(`${model}.gguf`)!.content;
  return stage.hub.servedBytes(
    (entry) =>
      isFileRequest(entry) &&
      entry.status < 300 &&
      (entry.path.includes(model) || entry.path.includes(sha256)),
  );
}

/** Whether each of these models has asked for more since, twice: the limit of before is over. */
function asksAgain(models: readonly string[]): () => boolean {
  const requests = (model: string): number => {
    const { sha256 } = stage.hub.filesOf(`org/${model}`).get(`${model}.gguf`)!.content;
    return stage.hub.log(({ path }) => path.includes(sha256)).length;
  };
  const before = models.map(requests);
  return () => models.every((model, at) => requests(model) >= before[at]! + 2);
}

/** No more than a limit lets through in that time, beside what each connection has asked for in advance. */
function expectWithin(
  bytesPerSec: number,
  seen: { readonly sizeBytes: number; readonly elapsedMs: number; readonly connections: number },
): void {
  const askedBytes = seen.connections * (bytesPerSec / 4);
  expect(seen.sizeBytes).toBeLessThan((1.2 * bytesPerSec * seen.elapsedMs) / 1000 + askedBytes);
}

async function ended(child: RunningChild): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  stage.hub.behave({ rateBytesPerSec: null });
  return child.ended;
}

describe("a batch in one terminal", () => {
  test("is seen from another as the hub's own log has it", async () => {
    const child = await startInstall(["alpha", "beta", "gamma"], "--jobs", "2");
    await until("bytes of both are sent", () => bytesOf("alpha") > MIB / 2 && bytesOf("beta") > MIB / 2);
    hold(stage.hub);
    // What has left the hub may still be on its way.
    await until(
      "bytes of both arrive",
      async () => (await jobs()).filter(({ doneBytes }) => doneBytes > 0).length === 2,
    );
    const seen = await jobs();
    const servedBytes = fileBytes(stage.hub);
    expect(seen.map(({ model }) => model)).toEqual(["alpha", "beta", "gamma"]);
    expect(seen.map(({ state }) => state)).toEqual(["running", "running", "queued"]);
    expect(seen.map(({ pid }) => pid)).toEqual([child.pid, child.pid, child.pid]);
    expect(seen.map(({ totalBytes }) => totalBytes)).toEqual([SIZE + 13, SIZE + 13, SIZE + 13]);
    const doneBytes = seen.reduce((sum, one) => sum + one.doneBytes, 0);
    expect(doneBytes).toBeGreaterThan(0);
    expect(doneBytes).toBeLessThanOrEqual(servedBytes);
    expect(seen[0]!.connections).toBeGreaterThan(0);
    const { stdout } = await stage.luci(["ps"]);
    expect(stdout).toMatch(/^alpha +\d+-1 +running/m);
    const run = await ended(child);
    expect(run.exitCode).toBe(0);
    expect(await jobs()).toEqual([]);
    expect((await stage.luci(["ps"])).stderr).toContain("Nothing is running");
    await checkInvariants(stage.models, stage.hub);
  });

  test("paused asks for nothing, keeps what came, and goes on without fetching it again", async () => {
    const child = await startInstall(["alpha"], ...ONE_BY_ONE);
    await arrived("alpha", 2 * MIB);
    expect(await luci("pause", "alpha")).toContain("paused");
    await expectSilence();
    await expectKept();
    expect(await job("alpha")).toMatchObject({ state: "paused", connections: 0, bytesPerSec: 0 });
    const pausedBytes = bytesOf("alpha");
    await luci("resume", "alpha");
    const run = await ended(child);
    expect(run.exitCode).toBe(0);
    // What had arrived when the requests were given up was written.
    expect(resultOf(run)["fetchedBytes"]).toBeLessThan(SIZE + MIB);
    expect(pausedBytes).toBeGreaterThan(2 * MIB);
    const types = parseEvents(run.stdout).map(({ type }) => type);
    expect(types.filter((type) => type === "model.paused" || type === "model.resumed")).toEqual([
      "model.paused",
      "model.resumed",
    ]);
    await checkInvariants(stage.models, stage.hub);
  });

  test("lets others have a paused model's place", async () => {
    const child = await startInstall(["alpha", "beta"], "--jobs", "1");
    await until("the first one runs", () => bytesOf("alpha") > MIB);
    // It is not to end before it is paused.
    hold(stage.hub);
    expect(bytesOf("beta")).toBe(0);
    await luci("pause", "alpha");
    stage.hub.behave({ rateBytesPerSec: MIB / 2 });
    await until("the second one runs", () => bytesOf("beta") > MIB);
    hold(stage.hub);
    const at = bytesOf("alpha");
    await luci("resume", "alpha");
    expect((await job("alpha"))?.state).toBe("waiting");
    expect(bytesOf("alpha")).toBe(at);
    expect((await ended(child)).exitCode).toBe(0);
  });

  test("takes the one with the highest priority next", async () => {
    const child = await startInstall(["alpha", "beta", "gamma"], "--jobs", "1");
    await until("the first one runs", () => bytesOf("alpha") > MIB);
    hold(stage.hub);
    await luci("priority", "gamma", "high");
    await luci("priority", "beta", "-3");
    expect((await jobs()).map(({ priority }) => priority)).toEqual([0, -3, 10]);
    const run = await ended(child);
    const started = parseEvents(run.stdout).filter(({ type }) => type === "file.started");
    expect(started.map(({ model }) => model)).toEqual(["alpha", "gamma", "beta"]);
  });

  test("keeps to a limit that is set, raised and lifted while it runs", async () => {
    const child = await startInstall(["alpha", "beta"]);
    await until("bytes arrive", () => fileBytes(stage.hub) > 2 * MIB);
    // They are not to end before there is a limit.
    hold(stage.hub);
    for (const [rate, bytesPerSec] of [
      ["300k", 300_000],
      ["1M", 1_000_000],
    ] as const) {
      await luci("limit", rate);
      stage.hub.behave({ rateBytesPerSec: 2 * MIB });
      await until("it counts", asksAgain(["alpha", "beta"]));
      const beforeBytes = fileBytes(stage.hub);
      const beforeMs = performance.now();
      await until("it goes on", () => fileBytes(stage.hub) - beforeBytes > 3 * bytesPerSec);
      expectWithin(bytesPerSec, {
        sizeBytes: fileBytes(stage.hub) - beforeBytes,
        elapsedMs: performance.now() - beforeMs,
        connections: 8,
      });
    }
    await luci("limit", "off");
    expect((await ended(child)).exitCode).toBe(0);
  });

  test("keeps one model to a limit of its own", async () => {
    const child = await startInstall(["alpha", "beta"]);
    await until("bytes arrive", () => bytesOf("alpha") > MIB && bytesOf("beta") > MIB);
    hold(stage.hub);
    await luci("limit", "100k", "alpha");
    stage.hub.behave({ rateBytesPerSec: MIB / 2 });
    await until("it counts", asksAgain(["alpha"]));
    const before = { alpha: bytesOf("alpha"), beta: bytesOf("beta") };
    const beforeMs = performance.now();
    await until("the other goes on", () => bytesOf("beta") - before.beta > 4 * MIB);
    expectWithin(100_000, {
      sizeBytes: bytesOf("alpha") - before.alpha,
      elapsedMs: performance.now() - beforeMs,
      connections: 4,
    });
    expect(await job("alpha")).toMatchObject({ limitBytesPerSec: 100_000 });
    await luci("limit", "off", "alpha");
    expect((await ended(child)).exitCode).toBe(0);
  });

  test("goes on without a model that is cancelled, and says so", async () => {
    const child = await startInstall(["alpha", "beta"]);
    await arrived("beta", MIB);
    await luci("cancel", "beta");
    await until("it is gone", async () => (await job("beta")) === undefined);
    const run = await ended(child);
    expect(run.exitCode).toBe(130);
    expect(errorOf(run)).toMatchObject({ code: "E_CANCELLED", exit: 130 });
    expect(resultOf(run)).toMatchObject({
      installed: [{ model: "alpha" }],
      failed: [{ model: "beta", error: { code: "E_CANCELLED" } }],
    });
    expect(await finalsBelow(stage.models)).toEqual(["alpha.gguf"]);
    expect((await filesBelow(stage.partials)).some((name) => name.endsWith(".part"))).toBe(true);
    await checkInvariants(stage.models, stage.hub);
  });

  test("leaves no byte of a model that is cancelled with its partials, paused or not", async () => {
    for (const pausesFirst of [false, true]) {
      await rm(stage.models, { recursive: true, force: true });
      stage.hub.reset();
      const child = await startInstall(["alpha"]);
      await until("bytes arrive", () => bytesOf("alpha") > MIB);
      hold(stage.hub);
      if (pausesFirst) await luci("pause", "alpha");
      await luci("cancel", "alpha", "--partials", "delete");
      const run = await child.ended;
      expect([pausesFirst, run.exitCode]).toEqual([pausesFirst, 130]);
      expect(await filesBelow(stage.partials)).toEqual([]);
      expect(await finalsBelow(stage.models)).toEqual([]);
    }
  });
});

describe("processes that end", () => {
  test("of Ctrl-C while paused leave a partial that is continued", async () => {
    const child = await startInstall(["alpha"]);
    await arrived("alpha", 2 * MIB);
    await luci("pause", "alpha");
    await expectSilence();
    child.kill("SIGINT");
    const run = await child.ended;
    expect(run.exitCode).toBe(130);
    await expectContinued();
  });

  test("of kill -9 while paused lose nothing, and their socket is cleared away", async () => {
    const child = await startInstall(["alpha"]);
    await arrived("alpha", 2 * MIB);
    await luci("pause", "alpha");
    await expectSilence();
    const doneBytes = await expectKept();
    child.kill("SIGKILL");
    await child.ended;
    expect(await readdir(join(stage.home, "run"))).toHaveLength(1);
    expect(await jobs()).toEqual([]);
    expect(await readdir(join(stage.home, "run"))).toEqual([]);
    const resumedBytes = await expectContinued();
    expect(resumedBytes).toBe(doneBytes);
  });

  /** The next install goes on from what is there. */
  async function expectContinued(): Promise<number> {
    stage.hub.behave({ rateBytesPerSec: null });
    const next = await stage.luci(["install", "alpha", "--json"], { env });
    const started = parseEvents(next.stdout).find(({ type }) => type === "file.started");
    expect(next.exitCode).toBe(0);
    // Bytes of a partial are told with its file: counted twice, a resumed batch would seem nearly done.
    expect(parseEvents(next.stdout).find(({ type }) => type === "plan.resolved")?.["presentBytes"]).toBe(0);
    expect(started?.["resumedBytes"]).toBeGreaterThan(0);
    await checkInvariants(stage.models, stage.hub);
    return started?.["resumedBytes"] as number;
  }

  test("leave no socket behind, and theirs is nobody else's business", async () => {
    const child = await startInstall(["alpha"]);
    const folder = join(stage.home, "run");
    const [name = ""] = await readdir(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    child.kill("SIGTERM");
    expect((await child.ended).exitCode).toBe(143);
    expect(await readdir(folder)).toEqual([]);
  });

  test("of kill -9 leave a socket that the next install clears away", async () => {
    const folder = join(stage.home, "run");
    const child = await startInstall(["alpha"]);
    const [dead = ""] = await readdir(folder);
    child.kill("SIGKILL");
    await child.ended;
    const next = stage.start(["install", "beta"], { env });
    running.push(next);
    await until("its own is there", async () => !(await readdir(folder)).includes(dead));
    expect((await ended(next)).exitCode).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("what stands in the way", () => {
  test("a process that is stopped is told, and hides no other", async () => {
    const stopped = await startInstall(["alpha"]);
    stopped.kill("SIGSTOP");
    const child = stage.start(["install", "beta"], { env });
    running.push(child);
    await until("bytes are sent", () => bytesOf("beta") > MIB);
    hold(stage.hub);
    await until("it is shown beside the other", async () => {
      const { exitCode, stdout, stderr } = await stage.luci(["ps"]);
      expect([exitCode, stderr]).toEqual([
        0,
        expect.stringContaining(`pid ${stopped.pid} does not answer (stopped?)`),
      ]);
      return stdout.includes("beta");
    });
    child.kill("SIGINT");
    await child.ended;
    const words = ["ps", "pause --all", "limit 3M"];
    const [alone, ...refusals] = await Promise.all(words.map((line) => stage.luci(line.split(" "))));
    expect([alone?.exitCode, alone?.stderr]).toEqual([0, expect.not.stringContaining("Nothing is running")]);
    for (const { exitCode, stderr } of refusals)
      expect([exitCode, stderr]).toEqual([5, expect.stringContaining("could not be reached")]);
    stopped.kill("SIGCONT");
    expect((await ended(stopped)).exitCode).toBe(0);
  });

  test("a place where no socket can be is no reason not to install", async () => {
    await rm(join(stage.home, "run"), { recursive: true, force: true });
    await writeFile(join(stage.home, "run"), "");
    try {
      stage.hub.behave({ rateBytesPerSec: 4 * MIB });
      const run = await stage.luci(["install", "alpha"], { env });
      expect(run.exitCode).toBe(0);
      expect(run.stderr).toContain("Other terminals cannot steer this run");
    } finally {
      await rm(join(stage.home, "run"), { force: true });
    }
  });

  test("a repair is a job like any other", async () => {
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci(["install", "alpha"], { env })).exitCode).toBe(0);
    await truncate(join(stage.models, "alpha.gguf"), 100);
    stage.hub.behave({ rateBytesPerSec: MIB / 2 });
    stage.hub.reset();
    const child = stage.start(["verify", "--repair"], { env });
    running.push(child);
    await arrived("alpha", MIB);
    await luci("pause", "alpha");
    await until("it is paused", async () => (await job("alpha"))?.state === "paused");
    await luci("resume", "--all");
    expect((await ended(child)).exitCode).toBe(0);
    await checkInvariants(stage.models, stage.hub);
  });
});

test("a watch looks again and again, and ends with Ctrl-C at any moment without a word", async () => {
  const child = await startInstall(["alpha"], "--limit-rate", "300k");
  hold(stage.hub);
  const watches = Array.from({ length: 6 }, () => stage.start(["ps", "--watch", "--json"]));
  const seen = ({ stdout }: { stdout: string }): Job[][] =>
    parseEvents(stdout.split("\n").slice(0, -1).join("\n"))
      .filter(({ type }) => type === "jobs")
      .map(({ jobs: list }) => list as Job[]);
  for (const [index, watch] of watches.entries()) {
    // Each at another moment: the second look comes a second after the first.
    await until("it has looked twice", () => seen(watch.output()).length >= 2);
    await Bun.sleep(index % 2 === 0 ? 0 : 1_000 - index * 4);
    watch.kill("SIGINT");
    const run = await watch.ended;
    expect([run.exitCode, run.stderr]).toEqual([130, ""]);
    expect(seen(run).every(([one]) => one?.model === "alpha")).toBe(true);
    expect(resultOf(run)).toMatchObject({ command: "ps", watched: true });
  }
  child.kill("SIGINT");
  expect((await child.ended).exitCode).toBe(130);
});

describe("words", () => {
  test("that fit no job end with 7 and the nearest name", async () => {
    const child = await startInstall(["alpha"]);
    hold(stage.hub);
    const run = await stage.luci(["pause", "alpa"]);
    expect([run.exitCode, run.stderr]).toEqual([
      7,
      "error: No running job is called alpa\nhint: Did you mean `alpha`?\n",
    ]);
    for (const args of [
      ["pause"],
      ["resume", "alpha", "--all"],
      ["limit", "fast"],
      ["limit", "-5"],
      ["priority", "alpha", "urgent"],
    ])
      expect([args, (await stage.luci(args)).exitCode]).toEqual([args, 2]);
    expect((await ended(child)).exitCode).toBe(0);
  });

  test.each(["pause --all", "cancel x", "limit 1M", "priority x low"])(
    "`%s` where nothing runs ends with 7 and what to do",
    async (words) => {
      const run = await stage.luci(words.split(" "));
      expect([run.exitCode, run.stderr]).toEqual([7, expect.stringContaining("Nothing is running")]);
    },
  );
});
