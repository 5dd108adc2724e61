// The question before a group of models, at a terminal: what is said when the answer is no, or Ctrl-C.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { ggufFile } from "../support/model-repos.ts";
import { type PtyRun, startOnPty } from "../support/pty-run.ts";
import { finalsBelow, openStage, type Stage, writeCatalog } from "../support/stage.ts";
import { until } from "../support/until.ts";

let stage: Stage;
let env: Record<string, string>;

beforeAll(async () => {
  stage = await openStage({
    repos: [{ name: "org/alpha", files: [await ggufFile("alpha.gguf", 4_096, 1)] }],
  });
  const catalog = await writeCatalog(stage, [
    { name: "alpha", repo: "org/alpha", files: ["alpha.gguf"], tier: 7 },
  ]);
  env = { ...catalog, LUCI_HOME: stage.home, HF_ENDPOINT: stage.hub.url, HOME: stage.home };
});
afterAll(() => stage[Symbol.asyncDispose]());

async function asked(): Promise<PtyRun> {
  const run = startOnPty(["install", "tier", "7"], env);
  await until("it asks", () => run.shown().includes("[y/N]"));
  return run;
}

test.skipIf(process.platform === "win32")("no is an answer and no error", async () => {
  const run = await asked();
  run.type("n\n");
  const { exitCode, shown } = await run.ended;
  expect(shown).toContain("Nothing was installed");
  expect(shown).not.toContain("error:");
  expect([exitCode, await finalsBelow(stage.models)]).toEqual([0, []]);
});

test.skipIf(process.platform === "win32")("Ctrl-C says that nothing was begun", async () => {
  const run = await asked();
  run.interrupt();
  const { exitCode, shown } = await run.ended;
  expect([exitCode, shown]).toEqual([130, expect.stringContaining("Interrupted by user: nothing was begun")]);
  expect(shown).not.toMatch(/Download interrupted|models? done|to continue/);
});
