// Processes that cannot see each other, because each lives in a PID namespace of its own (containers that share a
// folder): whoever cannot be looked up is believed alive, never mistaken for oneself or for dead.
// needs: unshare (util-linux)

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile } from "../support/model-repos.ts";
import { parseEvents } from "../support/run-luci.ts";
import { fileBytes, filesBelow, hold, openStage } from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const SMALL_BYTES = 900_000;
/** Too large to be written without a lock. */
const LARGE_BYTES = 6_000_000;
const INSTALL = ["install", "hf:org/one:one.gguf"];
const INSTALL_LARGE = ["install", "hf:org/two:two.gguf"];
const VIEWS = [
  [
    "with a /proc of its own",
    ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"],
  ],
  ["with the /proc of its host", ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]],
] as const;
const canUnshare =
  process.platform === "linux" && VIEWS.every(([, wrapper]) => Bun.spawnSync([...wrapper, "true"]).success);
if (!canUnshare) {
  if (process.env["CI"]) throw new Error("PID namespaces cannot be made here: their test would be skipped");
  console.warn("PID namespaces cannot be made here: processes of other namespaces are not tried");
}

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    repos: [
      { name: "org/one", files: [await ggufFile("one.gguf", SMALL_BYTES, 1)] },
      { name: "org/two", files: [await ggufFile("two.gguf", LARGE_BYTES, 2)] },
    ],
  });
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.behave({ rateBytesPerSec: null });
  stage.hub.reset();
});
afterAll(() => stage[Symbol.asyncDispose]());

async function moment(when: () => Promise<boolean> | boolean): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  while (!(await when())) {
    if (Date.now() > deadlineMs) throw new Error("the moment never came");
    await wait(5);
  }
}

const partsOf = async (): Promise<string[]> =>
  (await filesBelow(stage.partials)).filter((name) => name.endsWith(".part"));

describe.skipIf(!canUnshare).each(VIEWS)("in PID namespaces %s", (_view, wrapper) => {
  // Small files are written without a lock: only the claim by rename is left between the two.
  test("two that install the same small file never write it both", async () => {
    hold(stage.hub);
    const first = stage.start(INSTALL, { wrapper });
    await moment(async () => (await partsOf()).length === 1);
    const second = stage.start([...INSTALL, "--json"], { wrapper });
    await moment(() => second.output().stdout.includes('"type":"notice"'));
    expect(await partsOf()).toHaveLength(1);
    stage.hub.behave({ rateBytesPerSec: null });
    expect([(await first.ended).exitCode, (await second.ended).exitCode]).toEqual([0, 0]);
    const messages = parseEvents((await second.ended).stdout).filter(({ type }) => type === "notice");
    expect(messages).toEqual([
      expect.objectContaining({ message: expect.stringContaining("waiting: another process") }),
    ]);
    expect(fileBytes(stage.hub)).toBeLessThanOrEqual(SMALL_BYTES * 1.1);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["one.gguf"]);
  });

  test("what a dead one left is taken over when its lease has run out, and not before", async () => {
    hold(stage.hub);
    const first = stage.start(INSTALL, { wrapper });
    await moment(async () => (await partsOf()).length === 1);
    first.kill("SIGKILL");
    await first.ended;
    const [part = ""] = await partsOf();
    const refused = await stage.luci([...INSTALL, "--no-wait"]);
    expect([refused.exitCode, refused.stderr]).toEqual([9, expect.stringContaining("is writing this file")]);
    expect((await stage.luci(["cleanup", "--yes"])).stderr).toContain("a running luci is writing it");
    expect(await partsOf()).toEqual([part]);

    const longAgo = Date.now() / 1000 - 31 * 60;
    await utimes(join(stage.partials, part), longAgo, longAgo);
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci(INSTALL)).exitCode).toBe(0);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["one.gguf"]);
    expect(await partsOf()).toEqual([]);
  });

  const locksOf = (): Promise<string[]> => filesBelow(join(stage.partials, "../locks"));
  const beginLarge = async (): Promise<ReturnType<Stage["start"]>> => {
    hold(stage.hub);
    const first = stage.start(INSTALL_LARGE, { wrapper });
    await moment(async () => (await partsOf()).length === 1);
    return first;
  };

  test("what a dead one left under a lock is taken over at once: the kernel gave the lock up", async () => {
    const first = await beginLarge();
    const refused = await stage.luci([...INSTALL_LARGE, "--no-wait"], { wrapper });
    expect([refused.exitCode, refused.stderr]).toEqual([9, expect.stringContaining("is working on it")]);
    stage.hub.behave({ rateBytesPerSec: LARGE_BYTES / 4 });
    await moment(() => fileBytes(stage.hub) > LARGE_BYTES / 4);
    hold(stage.hub);
    first.kill("SIGKILL");
    await first.ended;
    expect(await partsOf()).toHaveLength(1);
    stage.hub.behave({ rateBytesPerSec: null });
    const second = await stage.luci([...INSTALL_LARGE, "--no-wait"], { wrapper });
    expect([second.exitCode, second.stderr]).toEqual([0, expect.any(String)]);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["two.gguf"]);
    expect(await partsOf()).toEqual([]);
  });

  test.each([
    ["of another kernel", (text: string) => text.replace(/"bootId":"[^"]*"/, '"bootId":"another"')],
    ["that no kernel gave", (text: string) => text.replace(/"place":"[^"]*"/, '"place":null')],
    ["of another mount", (text: string) => text.replace(/"place":"[^"]*"/, '"place":"1:2"')],
  ])("a lock %s vouches for nobody's death", async (_name, change) => {
    const first = await beginLarge();
    first.kill("SIGKILL");
    await first.ended;
    const [lock = ""] = (await locksOf()).filter((name) => name.includes("sha256-"));
    const path = join(stage.partials, "../locks", lock);
    const text = await readFile(path, "utf8");
    await writeFile(path, change(text));
    expect(change(text)).not.toBe(text);
    const refused = await stage.luci([...INSTALL_LARGE, "--no-wait"]);
    expect([refused.exitCode, refused.stderr]).toEqual([9, expect.stringContaining("is writing this file")]);
    expect(await partsOf()).toHaveLength(1);
  });
});
