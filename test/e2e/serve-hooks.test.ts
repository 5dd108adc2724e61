// Hooks of ready models under `luci serve`: a slow one holds up nobody, is reported, and ends with serve.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { namedRepos } from "../support/named-stage.ts";
import { type Serve, startServe } from "../support/serve.ts";
import { openStage, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

/** More than downloads have places, and more than hooks may run beside them. */
const COUNT = 40;
const PLACES = 16;
const SIZE = 64 * 1024;

let stage: Stage;
let refs: string[];

beforeAll(async () => {
  const names = Array.from({ length: COUNT }, (_, at) => `tiny${at}`);
  stage = await openStage({ repos: await namedRepos(names, SIZE) });
  refs = names.map((name) => `hf:org/${name}:${name}.gguf`);
});
afterAll(() => stage[Symbol.asyncDispose]());

async function count(serve: Serve, state: string): Promise<number> {
  return (await serve.jobs()).filter((job) => job.state === state).length;
}

test("that last do not hold up other downloads; how each ended is said; the end of serve ends them", async () => {
  const flag = join(stage.home, "go");
  const args = ["--on-ready", `while [ ! -e ${flag} ]; do sleep 0.05; done; exit 3`];
  let serve = await startServe(stage, { args });
  const failures = (): number => serve.child.output().stdout.split("exit code 3").length - 1;
  try {
    await serve.ask("POST", "/v1/downloads/batch", { body: { refs } });
    // As many hooks as may run beside the downloads, and one in each place.
    await until("downloads go on beside the hooks", async () => (await count(serve, "done")) >= 2 * PLACES);
    expect(failures()).toBe(0);
    // Where a hook was ended, it has not been told: the next life tells again.
    serve.child.kill("SIGTERM");
    expect((await serve.child.ended).exitCode).toBe(0);
    serve = await startServe(stage, { args });
    await until("the next life comes as far", async () => (await count(serve, "done")) >= 2 * PLACES);
    await writeFile(flag, "");
    await until("all are done", async () => (await count(serve, "done")) === COUNT);
    await until("each hook is reported", () => failures() === COUNT);
  } finally {
    await rm(flag, { force: true });
    serve.child.kill("SIGTERM");
    expect((await serve.child.ended).exitCode).toBe(0);
  }
});
