// Two processes at once on one model, and what a dead one leaves to the next.

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { checkInvariants } from "../support/invariants.ts";
import { vouchedBytes } from "../support/kept-bytes.ts";
import { ggufFile, wholeRepo } from "../support/model-repos.ts";
import { parseEvents } from "../support/run-luci.ts";
import { ONE_BY_ONE, errorOf, fileBytes, filesBelow, heldAfter, hold, openStage } from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const CHECKPOINT_BYTES = 32 * MIB;
const SMALL = ["install", "hf:org/small:small.gguf", ...ONE_BY_ONE];
const LARGE = ["install", "hf:org/large:large.gguf"];

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    repos: [
      { name: "org/small", files: [await ggufFile("small.gguf", 6 * MIB, 1)] },
      { name: "org/large", files: [await ggufFile("large.gguf", 64 * MIB, 2)] },
      wholeRepo(),
    ],
  });
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.behave({ rateBytesPerSec: null });
  stage.hub.reset();
});
afterAll(() => stage[Symbol.asyncDispose]());

function totalBytes(repo: string): number {
  const files = [...stage.hub.filesOf(repo).values()].filter(({ path }) => !/\.bin$|^\.git/.test(path));
  return files.reduce((sum, { content }) => sum + content.sizeBytes, 0);
}

/** Resolves when the child has said it; fails when it ends without. */
async function said(child: ReturnType<Stage["start"]>, text: string): Promise<void> {
  const ended = child.ended.then(() => "ended" as const);
  const has = (): boolean => Object.values(child.output()).some((output) => output.includes(text));
  while (!has()) {
    if ((await Promise.race([wait(2), ended])) === "ended" && !has())
      throw new Error(`never said ${text}: ${child.output().stderr}`);
  }
}

test.each([
  ["a file", SMALL, "org/small"],
  ["a repository", ["install", "hf:org/whole", ...ONE_BY_ONE], "org/whole"],
])("two that begin together on %s fetch it once", async (_what, args, repo) => {
  for (let round = 0; round < 4; round += 1) {
    await rm(stage.models, { recursive: true, force: true });
    stage.hub.reset();
    const runs = await Promise.all([stage.luci(args), stage.luci(args), stage.luci(args)]);
    expect(runs.map(({ exitCode, stderr }) => [exitCode, exitCode === 0 ? "" : stderr])).toEqual(
      runs.map(() => [0, ""]),
    );
    expect(fileBytes(stage.hub)).toBeLessThanOrEqual(totalBytes(repo) * 1.1);
    await checkInvariants(stage.models, stage.hub);
    expect(await filesBelow(stage.partials)).toEqual([]);
  }
});

test("the second waits, says for whom, and finds it installed", async () => {
  stage.hub.behave({ rateBytesPerSec: 6 * MIB });
  const first = stage.start(SMALL);
  await heldAfter(stage.hub, MIB);
  const waiting = stage.start([...SMALL, "--json"]);
  await said(waiting, "waiting for another luci");
  stage.hub.behave({ rateBytesPerSec: null });
  const second = await waiting.ended;
  expect([(await first.ended).exitCode, second.exitCode]).toEqual([0, 0]);
  const notices = parseEvents(second.stdout).filter(({ type }) => type === "notice");
  expect(notices.map(({ message }) => message)).toEqual([
    expect.stringMatching(
      new RegExp(
        `small\\.gguf: waiting for another luci \\(pid ${first.pid} on .+, since \\d\\d:\\d\\d:\\d\\d UTC`,
      ),
    ),
  ]);
  expect(fileBytes(stage.hub)).toBeLessThanOrEqual(totalBytes("org/small") * 1.1);
  await checkInvariants(stage.models, stage.hub);
});

test("`--no-wait` gives up at once, exit 9, and the first is not disturbed", async () => {
  stage.hub.behave({ rateBytesPerSec: 6 * MIB });
  const first = stage.start(SMALL);
  await heldAfter(stage.hub, MIB);
  const second = await stage.luci([...SMALL, "--no-wait", "--json"]);
  stage.hub.behave({ rateBytesPerSec: null });
  expect(second.exitCode).toBe(9);
  expect(errorOf(second)).toMatchObject({ code: "E_LOCKED", exit: 9 });
  expect(errorOf(second)["message"]).toContain(`pid ${first.pid}`);
  expect((await first.ended).exitCode).toBe(0);
  expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["small.gguf"]);
});

test("a waiting run can be interrupted, and changes nothing of the other's", async () => {
  stage.hub.behave({ rateBytesPerSec: 3 * MIB });
  const first = stage.start(SMALL);
  await heldAfter(stage.hub, MIB);
  const second = stage.start([...SMALL, "--partials", "delete"]);
  await said(second, "waiting for another luci");
  second.kill("SIGINT");
  expect((await second.ended).exitCode).toBe(130);
  stage.hub.behave({ rateBytesPerSec: null });
  expect((await first.ended).exitCode).toBe(0);
  await checkInvariants(stage.models, stage.hub);
});

test("what a killed run made durable is taken over at once, by name or by a run that waits", async () => {
  hold(stage.hub);
  const first = stage.start(LARGE);
  await said(first, "large.gguf: started");
  const patient = stage.start([...LARGE, "--json"]);
  await said(patient, "waiting for another luci");
  stage.hub.behave({ rateBytesPerSec: 40 * MIB });
  await heldAfter(stage.hub, CHECKPOINT_BYTES + 8 * MIB);
  // A run that lasts makes checkpoints by the clock as well: the first one may vouch for less.
  await until("a checkpoint is made", async () => (await vouchedBytes(stage.models)) >= CHECKPOINT_BYTES);
  first.kill("SIGKILL");
  // At once, and not when a lease of half an hour has run out.
  await said(patient, '"file.started"');
  const started = parseEvents(patient.output().stdout.replace(/[^\n]*$/, "")).find(
    ({ type }) => type === "file.started",
  ) as { resumedBytes: number };
  expect(started.resumedBytes).toBeGreaterThanOrEqual(CHECKPOINT_BYTES);

  patient.kill("SIGKILL");
  await patient.ended;
  await checkInvariants(stage.models, stage.hub);
  stage.hub.behave({ rateBytesPerSec: null });
  const last = await stage.luci([...LARGE, "--json"]);
  expect(last.exitCode).toBe(0);
  const events = parseEvents(last.stdout);
  const file = events.find(({ type }) => type === "file.started");
  expect(events.filter(({ type }) => type === "notice")).toEqual([]);
  expect(file?.["resumedBytes"]).toBeGreaterThanOrEqual(CHECKPOINT_BYTES);
  expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["large.gguf"]);
  expect(await filesBelow(stage.partials)).toEqual([]);
});

test("cleanup leaves alone what a running install owns", async () => {
  stage.hub.behave({ rateBytesPerSec: 6 * MIB });
  const first = stage.start(SMALL);
  await heldAfter(stage.hub, 2 * MIB);
  const cleanup = await stage.luci(["cleanup", "--yes"]);
  stage.hub.behave({ rateBytesPerSec: null });
  expect(cleanup.exitCode).toBe(0);
  expect(cleanup.stderr).toContain("a running luci is writing it");
  expect((await first.ended).exitCode).toBe(0);
  await checkInvariants(stage.models, stage.hub);
  expect(fileBytes(stage.hub)).toBe(totalBytes("org/small"));
});
