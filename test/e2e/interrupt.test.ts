// Ctrl-C and its kin on the built binary: answered, and afterwards the disk is as the policy says.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmod, chown, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Intercept } from "../../src/demo/hub-trouble.ts";
import type { Job } from "../../src/domain/job.ts";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile } from "../support/model-repos.ts";
import { prng } from "../support/prng.ts";
import { luciBinary, parseEvents } from "../support/run-luci.ts";
import type { LuciRun } from "../support/run-luci.ts";
import {
  ONE_BY_ONE,
  arrivedAfter,
  clearStage,
  errorOf,
  fileBytes,
  filesBelow,
  finalsBelow,
  heldAfter,
  openStage,
  resultOf,
  writeCatalog,
} from "../support/stage.ts";
import type { Stage, StageRun } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
/** Whoever did not listen would be at it for longer: until a transfer stalls, or a server is asked again. */
const ANSWER_MS = 25_000;
const RATE = 2 * MIB;
const INSTALL = ["install", "hf:org/model:model.gguf"];

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    repos: [
      { name: "org/model", files: [await ggufFile("model.gguf", 24 * MIB, 1)] },
      { name: "org/little", files: [await ggufFile("little.gguf", 100_000, 2)] },
      {
        name: "org/folder",
        files: [await ggufFile("sub/a.gguf", 100_000, 3), await ggufFile("big.gguf", 24 * MIB, 4)],
      },
    ],
  });
});
beforeEach(async () => {
  await clearStage(stage);
  stage.hub.behave({ rateBytesPerSec: RATE });
});
afterAll(() => stage[Symbol.asyncDispose]());

interface Interrupted {
  readonly policy: string;
  readonly keptBytes: number;
  readonly doneModels: number;
  readonly totalModels: number;
}

/** Runs until so many bytes were served and more than a megabyte has arrived, then signals. */
async function interrupt(
  args: readonly string[],
  options: StageRun & { signal?: NodeJS.Signals; afterBytes?: number; after?: Promise<unknown> } = {},
): Promise<LuciRun> {
  const { signal = "SIGINT", afterBytes = 2 * MIB, after, ...rest } = options;
  if (after === undefined) stage.hub.behave({ rateBytesPerSec: RATE });
  const moment = after ?? arrivedAfter(stage, { servedBytes: afterBytes, leastBytes: 1.2 * MIB });
  const run = await stage.luci(args, { ...rest, signalAfter: { signal, after: moment } });
  expect(run.msAfterSignal ?? 0).toBeLessThan(ANSWER_MS);
  return run;
}

/** The same moment, once besides only one file of so many is left: what is small takes its time as well. */
async function whenOneIsLeft(): Promise<void> {
  await arrivedAfter(stage, { servedBytes: 2 * MIB, leastBytes: 1.2 * MIB });
  await until("the others are done", async () => {
    const jobs = resultOf(await stage.luci(["ps", "--json"]))["jobs"] as Job[];
    return jobs.length === 1 && jobs[0]!.files - jobs[0]!.doneFiles === 1;
  });
}

function interruptedOf(run: LuciRun): Interrupted {
  return parseEvents(run.stdout).find(({ type }) => type === "interrupted") as unknown as Interrupted;
}

/** No byte of an unfinished model: no final, no partial, no journal. */
async function expectNoByteOf(models: string, finals: readonly string[] = []): Promise<void> {
  expect(await finalsBelow(models)).toEqual([...finals]);
  expect(await filesBelow(join(models, ".luci", "v1", "partials"))).toEqual([]);
  await checkInvariants(models, stage.hub);
}

describe("with partials kept", () => {
  test("ten Ctrl-C at random moments cost nothing: each run fetches only what is missing", async () => {
    const random = prng(20_260_201);
    const seed = `LUCI_TEST_SEED=${random.seed}`;
    let keptBytes = 0;
    for (let round = 0; round < 10; round += 1) {
      stage.hub.behave({ rateBytesPerSec: MIB });
      const moreBytes = fileBytes(stage.hub) + random.integer(0, 1.5 * MIB);
      const run = await interrupt([...INSTALL, "--json"], {
        after:
          round % 2 === 0
            ? wait(random.integer(0, 400))
            : // Once at least there is something to keep.
              round === 9
              ? arrivedAfter(stage, { servedBytes: moreBytes, leastBytes: 1 })
              : heldAfter(stage.hub, moreBytes),
      });
      expect([seed, round, run.exitCode]).toEqual([seed, round, 130]);
      expect(await finalsBelow(stage.models)).toEqual([]);
      await checkInvariants(stage.models, stage.hub);
      if (run.signal === null) expect(errorOf(run)).toMatchObject({ code: "E_INTERRUPTED", exit: 130 });
      const events = run.signal === null ? parseEvents(run.stdout) : [];
      const started = events.find(({ type }) => type === "file.started");
      if (!started) continue;
      expect([seed, round, started["resumedBytes"]]).toEqual([seed, round, keptBytes]);
      keptBytes = interruptedOf(run).keptBytes;
    }
    expect(keptBytes).toBeGreaterThan(0);
    stage.hub.reset();
    stage.hub.behave({ rateBytesPerSec: null });
    const last = await stage.luci([...INSTALL, "--json", ...ONE_BY_ONE]);
    const restBytes = stage.hub.filesOf("org/model").get("model.gguf")!.content.sizeBytes - keptBytes;
    expect([seed, last.exitCode, fileBytes(stage.hub)]).toEqual([seed, 0, restBytes]);
    expect(resultOf(last)).toMatchObject({ fetchedBytes: restBytes });
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["model.gguf"]);
  });

  test.each([
    ["SIGINT", 130, "Download interrupted by user"],
    ["SIGTERM", 143, "luci was told to stop (SIGTERM)"],
    ["SIGHUP", 129, "the terminal was closed (SIGHUP)"],
  ] as const)("%s ends with %d and says what is kept", async (signal, exit, words) => {
    const run = await interrupt(INSTALL, { signal });
    expect(run.exitCode).toBe(exit);
    expect(run.stderr).toContain(words);
    expect(run.stderr).toMatch(
      /Kept \d[\d.]* MB of unfinished downloads\n {3}Run the same command again to continue\n$/,
    );
    expect(run.stderr).toContain("model.gguf: cancelled");
    expect(await finalsBelow(stage.models)).toEqual([]);
  });

  test("a batch says how many models are done", async () => {
    const env = await writeCatalog(stage, [
      { name: "little", repo: "org/little", files: ["little.gguf"] },
      { name: "model", repo: "org/model", files: ["model.gguf"] },
    ]);
    const run = await interrupt(["install", "core", "models"], { env, after: whenOneIsLeft() });
    expect(run.exitCode).toBe(130);
    expect(run.stderr).toContain("1 of 2 models done");
    expect((await checkInvariants(stage.models, stage.hub)).models).toEqual(["little"]);
  });

  test("a second signal ends it at once, and still nothing is wrong", async () => {
    const child = stage.start(INSTALL);
    await stage.hub.whenServed(2 * MIB, { signal: AbortSignal.timeout(60_000) });
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect([130, 143]).toContain((await child.ended).exitCode);
    await checkInvariants(stage.models, stage.hub);
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci(INSTALL)).exitCode).toBe(0);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["model.gguf"]);
  });
});

describe("with `--partials delete`", () => {
  const WORDS = `Download interrupted by user
Deleted partial download: model.gguf
   Run the install command again to restart
`;

  test.each([
    ["the flag", [...INSTALL, "--partials", "delete"], {}, ""],
    ["LUCI_PARTIALS", INSTALL, { LUCI_PARTIALS: "delete" }, ""],
    ["config.toml", INSTALL, {}, 'partials = "delete"\n'],
  ])("by %s no byte is left, and these are the words", async (_what, args, env, config) => {
    const path = join(stage.home, "config.toml");
    if (config !== "") await writeFile(path, config);
    const run = await interrupt(args, { env });
    await rm(path, { force: true });
    expect(run.exitCode).toBe(130);
    expect(run.stderr.slice(run.stderr.indexOf("Download interrupted"))).toBe(WORDS);
    await expectNoByteOf(stage.models);
  });

  test("the flag wins over the environment, and that over config.toml", async () => {
    const run = await interrupt([...INSTALL, "--partials", "resume"], { env: { LUCI_PARTIALS: "delete" } });
    expect(run.stderr).toContain("Kept");
    await rm(stage.models, { recursive: true });
    stage.hub.reset();
    const path = join(stage.home, "config.toml");
    await writeFile(path, 'partials = "delete"\n');
    const other = await interrupt(INSTALL, { env: { LUCI_PARTIALS: "resume" } });
    await rm(path);
    expect(other.stderr).toContain("Kept");
  });

  test("what an earlier run had kept goes too", async () => {
    await interrupt(INSTALL);
    expect((await filesBelow(stage.partials)).length).toBe(2);
    const run = await interrupt([...INSTALL, "--partials", "delete"], { afterBytes: 4 * MIB });
    expect(run.stderr).toContain(WORDS);
    await expectNoByteOf(stage.models);
  });

  test("finished models of the batch stay as they are", async () => {
    const env = await writeCatalog(stage, [
      { name: "little", repo: "org/little", files: ["little.gguf"] },
      { name: "model", repo: "org/model", files: ["model.gguf"] },
    ]);
    const args = ["install", "core", "models", "--partials", "delete"];
    const run = await interrupt(args, { env, after: whenOneIsLeft() });
    expect(run.exitCode).toBe(130);
    expect(run.stderr).toContain("Deleted partial download: model.gguf\n");
    expect(run.stderr).toContain("1 of 2 models done, installed models stay");
    await expectNoByteOf(stage.models, ["little.gguf"]);
    expect((await stage.luci(["verify"])).exitCode).toBe(0);
  });

  test("finished files of an unfinished model go with it, and so do its folders", async () => {
    const args = ["install", "hf:org/folder", "--partials", "delete"];
    const run = await interrupt(args, { after: whenOneIsLeft() });
    expect(run.exitCode).toBe(130);
    expect(run.stderr).toContain("Deleted partial download: big.gguf\n");
    await expectNoByteOf(stage.models);
    expect(await filesBelow(stage.manifests)).toEqual([]);
    expect((await stage.luci(["cleanup", "--dry-run"])).stderr).toContain("Nothing to clean up");
  });

  test("what cannot be deleted is named with its reason", async () => {
    const nobody = { uid: 65_534, gid: 65_534 };
    const isRoot = process.getuid?.() === 0;
    const asNobody = isRoot
      ? ["setpriv", `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, "--clear-groups"]
      : [];
    const canRun =
      process.platform !== "win32" && Bun.spawnSync([...asNobody, luciBinary(), "--version"]).success;
    if (!canRun) {
      if (process.env["CI"]) throw new Error("luci cannot be run here by a user who may be denied something");
      return console.warn("not tried: luci cannot be run here by a user who may be denied something");
    }
    if (isRoot) await chown(stage.home, nobody.uid, nobody.gid);
    const child = stage.start([...INSTALL, "--partials", "delete"], { wrapper: asNobody });
    await heldAfter(stage.hub, 2 * MIB);
    // Whoever is not heard at once might write meanwhile, where nothing can be written any more.
    child.kill("SIGSTOP");
    await chmod(stage.partials, 0o555);
    child.kill("SIGINT");
    child.kill("SIGCONT");
    const run = await child.ended;
    await chmod(stage.partials, 0o755);
    expect(run.exitCode).toBe(130);
    const [left = ""] = (await filesBelow(stage.partials)).filter((name) => name.endsWith(".part"));
    expect(left).not.toBe("");
    expect(run.stderr).toContain("Could not delete partial download: ");
    expect(run.stderr).toContain(join(stage.partials, left));
    expect(run.stderr).toContain("permission denied");
    expect(run.stderr).not.toContain("Deleted partial download");
    expect(run.stderr).toEndWith("   Delete it by hand, or run `luci cleanup`\n");
    await checkInvariants(stage.models, stage.hub);
    expect((await stage.luci(["cleanup", "--yes"])).exitCode).toBe(0);
    await expectNoByteOf(stage.models);
  });
});

describe("at awkward moments", () => {
  const never = (): Promise<undefined> => new Promise(() => undefined);
  /** An intercept, and a promise of the moment it first did something. */
  function trap(intercept: Intercept): { intercept: Intercept; met: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const meet: Intercept = (request) => {
      const answer = intercept(request);
      if (answer !== undefined) resolve();
      return answer;
    };
    return { met: promise, intercept: meet };
  }

  test.each([
    ["the hub says nothing", () => never()],
    ["the CDN says nothing", ({ origin }: { origin: string }) => (origin === "cdn" ? never() : undefined)],
    ["every answer is 503", () => new Response("", { status: 503 })],
    [
      "the server asks to wait for minutes",
      () => new Response("", { status: 429, headers: { "Retry-After": "240" } }),
    ],
    [
      "a transfer is stalled",
      ({ origin }: { origin: string }) => (origin === "cdn" ? { stallAfterBytes: 100_000 } : undefined),
    ],
    [
      "a connection is being tried again",
      ({ origin }: { origin: string }) => (origin === "cdn" ? { cutAfterBytes: 0 } : undefined),
    ],
  ] as readonly [string, Intercept][])("while %s", async (_what, intercept) => {
    for (const policy of ["resume", "delete"]) {
      await rm(stage.models, { recursive: true, force: true });
      const { met, intercept: trapped } = trap(intercept);
      stage.hub.behave({ intercept: trapped, rateBytesPerSec: null });
      const run = await interrupt([...INSTALL, "--partials", policy], { after: met.then(() => wait(150)) });
      expect(run.exitCode).toBe(130);
      expect(run.stderr).toContain("Download interrupted by user");
      expect(run.stderr).not.toContain("    at ");
      expect(await finalsBelow(stage.models)).toEqual([]);
      if (policy === "delete") await expectNoByteOf(stage.models);
    }
  });

  test("while a file is read by `verify`", async () => {
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci(INSTALL)).exitCode).toBe(0);
    // Whether it is still reading when it hears is for the machine to say: until it was.
    const isHeard = async (): Promise<boolean> => {
      const child = stage.start(["verify", "--hasher", "wasm", "--json"]);
      await until("it reads", () => child.output().stdout.includes('"file.verifying"'));
      child.kill("SIGINT");
      const run = await child.ended;
      expect([0, 130]).toContain(run.exitCode);
      expect(run.stderr).not.toContain("    at ");
      if (run.exitCode === 130) expect(errorOf(run)).toMatchObject({ code: "E_INTERRUPTED" });
      return run.exitCode === 130;
    };
    for (let heard = 0; heard < 3; heard += 1) await until("it was interrupted while it read", isHeard);
    expect((await stage.luci(["verify"])).exitCode).toBe(0);
  });
});
