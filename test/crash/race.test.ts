// Many processes on one models folder: what each does is as if it had been alone, some before and some after it.
// LUCI_TEST_SEED repeats a run; `npm run soak -- --race N` makes it longer.
// needs: strace (strace)

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { checkInvariants } from "../support/invariants.ts";
import { killRepos, killScenes } from "../support/kill-scenes.ts";
import { brokenPromises, emptyTally } from "../support/kill-tally.ts";
import { prng } from "../support/prng.ts";
import { race } from "../support/race-loop.ts";
import { parseEvents } from "../support/run-luci.ts";
import { ONE_BY_ONE, fileBytes, openStage } from "../support/stage.ts";
import type { Stage, StageRun } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
/** flock that says yes to everybody, as some network disks do. */
const LIE = ["-e", "trace=flock", "-e", "inject=flock:retval=0"];
const LYING = ["strace", "-f", "-qq", "-o", "/dev/null", ...LIE];

const canTrace =
  process.platform === "linux" && Bun.which("strace") !== null && Bun.spawnSync([...LYING, "true"]).success;
if (!canTrace) {
  if (process.env["CI"]) throw new Error("strace is missing or may not trace: a lying flock cannot be tried");
  console.warn("strace is missing or may not trace: a lying flock is not tried");
}

const random = prng(20_260_103);
let stage: Stage;
let env: NonNullable<StageRun["env"]>;
beforeAll(async () => {
  stage = await openStage({ repos: await killRepos({ largeBytes: MIB, smallFiles: 12 }), pageSize: 10 });
  env = (await killScenes(stage, random))[0]!.env;
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.behave({ rateBytesPerSec: null });
  stage.hub.reset();
});
afterAll(() => stage[Symbol.asyncDispose]());

async function raceRounds(rounds: number, wrapper?: readonly string[]): Promise<void> {
  const tally = emptyTally();
  const options = { random, tally, env, processes: 8, kills: 10, ...(wrapper ? { wrapper } : {}) };
  for (let round = 0; round < rounds; round += 1) await race(stage, options);
  expect([`LUCI_TEST_SEED=${random.seed}`, brokenPromises(tally)]).toEqual([
    `LUCI_TEST_SEED=${random.seed}`,
    [],
  ]);
  expect(tally.kills).toBe(rounds * options.kills);
}

test("eight processes race, are killed and start again; one run then completes everything", async () => {
  await raceRounds(3);
});

test("two models of one file, installed at once by two processes, fetch it once", async () => {
  const runs = await Promise.all(
    ["alpha", "beta"].map((name) => stage.luci(["install", name, ...ONE_BY_ONE], { env })),
  );
  expect(runs.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(
    runs.map(({ stderr }) => [0, stderr]),
  );
  const { sizeBytes } = stage.hub.filesOf("org/twin").get("twin.gguf")!.content;
  expect(fileBytes(stage.hub)).toBeLessThanOrEqual(sizeBytes * 1.1);
  expect((await checkInvariants(stage.models, stage.hub)).models).toEqual(["alpha", "beta"]);
});

test("a removal beside an install never takes a file that the new model has", async () => {
  for (let round = 0; round < 12; round += 1) {
    await rm(stage.models, { recursive: true, force: true });
    await stage.luci(["install", "alpha", "hf:org/many"], { env });
    const aheadMs = random.integer(-15, 15);
    const install = wait(Math.max(0, aheadMs)).then(() =>
      stage.luci(["install", "beta", "hf:org/many"], { env }),
    );
    const remove = wait(Math.max(0, -aheadMs)).then(() =>
      stage.luci(["remove", "alpha", "org/many"], { env }),
    );
    const runs = await Promise.all([install, remove]);
    const seen = [random.seed, round, ...runs.map(({ exitCode, stderr }) => (exitCode === 0 ? 0 : stderr))];
    expect(seen).toEqual([random.seed, round, 0, 0]);
    const { models } = await checkInvariants(stage.models, stage.hub);
    expect([["beta"], ["beta", "org/many"]]).toContainEqual([...models]);
    expect((await stage.luci(["verify"], { env })).exitCode).toBe(0);
  }
});

describe.skipIf(!canTrace)("where flock lies", () => {
  test("the second still waits for the first, and says so", async () => {
    // Nobody gets a byte before one of them waits for the other.
    const gate = Promise.withResolvers<undefined>();
    stage.hub.behave({ intercept: ({ origin }) => (origin === "cdn" ? gate.promise : undefined) });
    const args = ["install", "gamma", "--json", ...ONE_BY_ONE];
    const started = [1, 2].map(() => stage.start(args, { env, wrapper: LYING }));
    await until("the second waits", () =>
      started.some((child) => child.output().stdout.includes("waiting: another process")),
    );
    gate.resolve(undefined);
    const runs = await Promise.all(started.map(({ ended }) => ended));
    stage.hub.behave({ intercept: null });
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const notices = runs.flatMap(({ stdout }) => parseEvents(stdout).filter(({ type }) => type === "notice"));
    expect(notices.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/waiting: another process \(pid \d+\) is writing this file/),
    );
    const { sizeBytes } = stage.hub.filesOf("org/mend").get("mend.gguf")!.content;
    expect(fileBytes(stage.hub)).toBeLessThanOrEqual(sizeBytes * 1.1);
    await checkInvariants(stage.models, stage.hub);
  });

  test("eight processes race, and nothing is ever wrong", async () => {
    await raceRounds(1, LYING);
  });
});
