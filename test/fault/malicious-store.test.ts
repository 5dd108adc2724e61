// A models folder that somebody prepared: links, pipes and folders where luci keeps files of its own or of models.
// Whatever stands there, no command hangs, none follows it out of the folder, and none shows a stack.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { link, mkdir, readdir, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { manifestFileName } from "../../src/store/layout.ts";
import { inspect } from "../support/invariants.ts";
import { ggufFile, wholeRepo } from "../support/model-repos.ts";
import { deadTag } from "../support/owner-tags.ts";
import { watchOutside } from "../support/outside.ts";
import type { LuciRun } from "../support/run-luci.ts";
import { type Stage, finalsBelow, openStage } from "../support/stage.ts";

const KIB = 1024;
const REF = "hf:org/one:one.gguf";
/** A command that waits for a pipe waits for ever. */
/** Of a run that hangs. */
const TIMEOUT_MS = 60_000;

let stage: Stage;
let beside: string;
let checkOutside: () => Promise<void>;
/** The key of `one.gguf`'s partial. */
let key: string;
const dead = await deadTag();

beforeAll(async () => {
  const one = await ggufFile("one.gguf", 100 * KIB, 3);
  stage = await openStage({ repos: [{ name: "org/one", files: [one] }, wholeRepo()] });
  key = `sha256-${stage.hub.filesOf("org/one").get("one.gguf")!.content.sha256}`;
  beside = join(stage.home, "beside");
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  await rm(beside, { recursive: true, force: true });
  await mkdir(join(beside, "manifests"), { recursive: true });
  await mkdir(join(beside, "v1", "partials"), { recursive: true });
  await writeFile(join(beside, "precious"), "precious");
  // What cleanup would take for leftovers, were it to look here.
  for (const folder of [beside, join(beside, "v1", "partials")]) {
    await writeFile(join(folder, `${key}.part`), "precious");
    await writeFile(join(folder, `${key}.json`), "precious");
    await writeFile(join(folder, `${key}.lock`), "{}");
    await writeFile(join(folder, `x.json.${dead}.1.tmp`), "precious");
  }
  checkOutside = await watchOutside(stage.home, stage.models);
});
afterAll(() => stage[Symbol.asyncDispose]());

/** What somebody may put into a place. */
const PLANTS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "a link to a file": (path) => symlink(join(beside, "precious"), path),
  "a link to a folder": (path) => symlink(beside, path),
  "a link to nothing": (path) => symlink(join(beside, "not-yet"), path),
  "a link to endless bytes": (path) => symlink("/dev/zero", path),
  "a pipe": (path) => Bun.spawn(["mkfifo", path]).exited,
  "a folder": (path) => mkdir(join(path, "inside"), { recursive: true }),
};

/** Folders of luci's own, below the models folder. */
const FOLDERS: Readonly<Record<string, () => string>> = {
  "luci's folder": () => ".luci",
  "the folder of its version": () => ".luci/v1",
  "the partials' folder": () => ".luci/v1/partials",
  "the records' folder": () => ".luci/v1/manifests",
  "the locks' folder": () => ".luci/v1/locks",
};
/** Files of luci's own and of a model. */
const FILES: Readonly<Record<string, () => string>> = {
  "a partial": () => `.luci/v1/partials/${key}.part`,
  "a partial of a dead process": () => `.luci/v1/partials/${key}.${dead}.part`,
  "a journal": () => `.luci/v1/partials/${key}.json`,
  "a lock": () => `.luci/v1/locks/${key}.lock`,
  "a record": () => `.luci/v1/manifests/${manifestFileName("org/one:one.gguf")}`,
  "a record of a removal": () => `.luci/v1/manifests/x.json.removing`,
  "the final name": () => "one.gguf",
};
const PLACES = { ...FOLDERS, ...FILES };

/** As it may end: done, or refused in words; never a bug, never a hang. */
function expectCalm(run: LuciRun): void {
  expect([run.signal, run.exitCode === 1, run.stderr]).toEqual([null, false, run.stderr]);
  expect(run.stderr).not.toContain("    at ");
  if (run.exitCode !== 0) expect(run.stderr).toMatch(/(?:error|warning): \S|Could not delete/);
}

const CASES = [
  ...Object.keys(FOLDERS).flatMap((place) =>
    ["a link to a file", "a link to a folder", "a pipe"].map((plant) => [plant, place] as const),
  ),
  ...Object.keys(FILES).flatMap((place) => Object.keys(PLANTS).map((plant) => [plant, place] as const)),
];

describe.skipIf(process.platform === "win32")("in the models folder", () => {
  test.each(CASES)("%s in the place of %s leads nowhere", async (plant, place) => {
    const path = join(stage.models, PLACES[place]!());
    await mkdir(dirname(path), { recursive: true });
    await PLANTS[plant]!(path);
    for (const args of [
      ["install", REF],
      ["cleanup", "--yes"],
      ["install", REF, "--force"],
      ["verify", "--repair"],
      ["remove", "org/one:one.gguf"],
    ]) {
      const run = await stage.luci(args, { timeoutMs: TIMEOUT_MS });
      expectCalm(run);
      await checkOutside();
    }
    // The checker would wait for a pipe's writer, and has nothing to say of what was planted itself.
    await rm(path, { recursive: true, force: true });
    const { breaches } = await inspect(stage.models, stage.hub);
    expect(breaches.filter((breach) => !breach.includes("points to one.gguf, which is missing"))).toEqual([]);
  });
});

describe.skipIf(process.platform === "win32")("a model's folder that became a link", () => {
  test("is seen, and nothing behind it is read, mended or removed", async () => {
    expect((await stage.luci(["install", "hf:org/whole"])).exitCode).toBe(0);
    const folder = join(stage.models, "org--whole");
    const names = await finalsBelow(folder);
    const moved = join(beside, "moved");
    await Bun.spawn(["cp", "-rp", folder, moved]).exited;
    await rm(folder, { recursive: true });
    await symlink(moved, folder);
    checkOutside = await watchOutside(stage.home, stage.models);

    const verified = await stage.luci(["verify"]);
    expect(verified.exitCode).toBe(4);
    expect(verified.stdout).toContain("link");
    for (const args of [
      ["verify", "--repair"],
      ["install", "hf:org/whole"],
      ["install", "hf:org/whole", "--force"],
    ]) {
      const run = await stage.luci(args);
      expectCalm(run);
      expect(run.exitCode).not.toBe(0);
      await checkOutside();
    }
    const removed = await stage.luci(["remove", "org/whole"]);
    expect(removed.exitCode).toBe(10);
    expect(removed.stderr).toContain("link");
    await checkOutside();
    expect(await finalsBelow(moved)).toEqual(names);
    // Once the link is gone, so is the obstacle.
    await unlink(folder);
    expect((await stage.luci(["remove", "org/whole"])).exitCode).toBe(0);
    await checkOutside();
  });

  test("stops a removal that was killed from reaching through it", async () => {
    expect((await stage.luci(["install", "hf:org/whole"])).exitCode).toBe(0);
    const folder = join(stage.models, "org--whole");
    const moved = join(beside, "moved");
    await Bun.spawn(["cp", "-rp", folder, moved]).exited;
    await rm(folder, { recursive: true });
    await symlink(moved, folder);
    const [record = ""] = await readdir(stage.manifests);
    await Bun.spawn(["mv", join(stage.manifests, record), join(stage.manifests, `${record}.removing`)])
      .exited;
    checkOutside = await watchOutside(stage.home, stage.models);
    expectCalm(await stage.luci(["cleanup", "--yes"]));
    await checkOutside();
  });
});

describe.skipIf(process.platform === "win32")("a second name of somebody's file", () => {
  test.each(["a partial", "a journal", "a lock", "a record", "the final name"])(
    "in the place of %s is never written into",
    async (place) => {
      const path = join(stage.models, PLACES[place]!());
      await mkdir(dirname(path), { recursive: true });
      await link(join(beside, "precious"), path);
      for (const args of [["install", REF], ["cleanup", "--yes"], ["install", REF, "--force"], ["verify"]]) {
        expectCalm(await stage.luci(args, { timeoutMs: TIMEOUT_MS }));
        expect(await Bun.file(join(beside, "precious")).text()).toBe("precious");
      }
    },
  );
});

describe("a record", () => {
  test("under another model's name is no record: removing one cannot take the other", async () => {
    expect((await stage.luci(["install", REF])).exitCode).toBe(0);
    const [record = ""] = await readdir(stage.manifests);
    await Bun.spawn(["cp", join(stage.manifests, record), join(stage.manifests, "zz.json")]).exited;
    const run = await stage.luci(["remove", "org/one:one.gguf"]);
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toContain("zz.json");
    expect(await finalsBelow(stage.models)).toEqual(["one.gguf"]);
    await checkOutside();
  });
});
