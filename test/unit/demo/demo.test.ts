// The demo must leave nothing behind and must be able to fail, whatever the executable does.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runDemo } from "../../../src/demo/demo.ts";
import type { DemoStep } from "../../../src/demo/demo.ts";
import { failureOf } from "../../support/tiny-hub.ts";
import { tempHome } from "../../support/temp-home.ts";

const STEPS = 8;
const NEVER = new AbortController().signal;

describe("runDemo", () => {
  test("says which steps fail, with what the program said, and removes its home", async () => {
    await using folder = await tempHome();
    const said: DemoStep[] = [];
    const executable = ["/bin/sh", "-c", "echo broken >&2; exit 3"];
    const say = (step: DemoStep) => said.push(step);
    const result = await runDemo({ executable, say, signal: NEVER, temporaryFolder: folder.path });
    expect(result.steps).toEqual(said);
    expect(said.map((step) => step.ok)).toEqual(Array.from({ length: STEPS }, () => false));
    expect(said[0]?.detail).toBe("exit code 3 instead of 0: broken");
    expect(await readdir(folder.path)).toEqual([]);
  });

  test("does not believe a program that only says it worked", async () => {
    await using folder = await tempHome();
    const executable = ["/bin/sh", "-c", "exit 0"];
    const options = { executable, say: () => undefined, signal: NEVER, temporaryFolder: folder.path };
    const result = await runDemo(options);
    expect(result.steps.map((step) => step.ok)).toEqual(Array.from({ length: STEPS }, () => false));
  });

  test("ends its child and removes its home when interrupted", async () => {
    await using folder = await tempHome();
    const interrupt = new AbortController();
    const reason = new Error("interrupted");
    const marker = join(folder.path, "started");
    const executable = ["/bin/sh", "-c", `touch '${marker}'; exec sleep 60`];
    const options = {
      executable,
      say: () => undefined,
      signal: interrupt.signal,
      temporaryFolder: folder.path,
    };
    const failure = failureOf(runDemo(options));
    while (!existsSync(marker)) await Bun.sleep(5);
    interrupt.abort(reason);
    expect(await failure).toBe(reason);
    expect(await readdir(folder.path)).toEqual(["started"]);
  });
});
