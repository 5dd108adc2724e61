// What the records of installed models may and may not do: name files elsewhere, be wrong, be replaced.

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdir, readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Content } from "../../src/demo/content.ts";
import { ggufFile } from "../support/model-repos.ts";
import { fileBytes, finalsBelow, heldAfter, openStage, writeCatalog } from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const MIB = 1024 * 1024;
let stage: Stage;
let plainSha256 = "";
let web: Bun.Server<undefined>;

beforeAll(async () => {
  const plain = await ggufFile("plain.gguf", MIB, 9);
  const content = plain.content as Content;
  const body = content.read(0, content.sizeBytes);
  plainSha256 = content.sha256;
  web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(body, { headers: { etag: '"1"' } }),
  });
  const one = { name: "org/one", files: [await ggufFile("one.gguf", 2 * MIB, 1)] };
  const two = { name: "org/two", files: [await ggufFile("two.gguf", 3 * MIB, 2)] };
  const same = { name: "org/same", files: [await ggufFile("one.gguf", MIB, 3)] };
  const pair = {
    name: "org/pair",
    files: [await ggufFile("a.gguf", MIB, 4), await ggufFile("b.gguf", 12 * MIB, 5)],
  };
  stage = await openStage({ repos: [one, two, same, pair] });
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.behave({ intercept: null, rateBytesPerSec: null });
  stage.hub.reset();
});
afterAll(async () => {
  await web.stop(true);
  await stage[Symbol.asyncDispose]();
});

const install = ["install", "hf:org/one:one.gguf"];
const address = (): string => `${web.url.origin}/plain.gguf`;
const sha256 = (repo: string, path: string): string => stage.hub.filesOf(repo).get(path)!.content.sha256;

/** Rewrites the only record. */
async function changeRecord(change: (text: string) => string): Promise<void> {
  const [name] = await readdir(stage.manifests);
  const path = join(stage.manifests, name!);
  await writeFile(path, change(await readFile(path, "utf8")));
}

test.each([["../victim.txt"], ["a/../../victim.txt"], ["/tmp/victim.txt"], [".luci/v1/x"]])(
  "a record that names %s is not believed, and nothing is removed by it",
  async (path) => {
    await stage.luci(install);
    const victim = join(stage.home, "victim.txt");
    await writeFile(victim, "precious");
    await changeRecord((text) => text.replace(`"path": "one.gguf"`, `"path": ${JSON.stringify(path)}`));
    const removed = await stage.luci(["remove", "hf:org/one:one.gguf"]);
    expect(removed.exitCode).not.toBe(0);
    expect(await readFile(victim, "utf8")).toBe("precious");
    const verified = await stage.luci(["verify"]);
    expect(verified.exitCode).toBe(4);
    expect(verified.stderr).toContain("cannot be read");
  },
);

test("a record that cannot be read is damage to a script", async () => {
  await stage.luci(install);
  await changeRecord(() => '{"bro');
  const run = await stage.luci(["verify"]);
  expect(run.exitCode).toBe(4);
  expect(run.stdout).toContain(".luci/v1/manifests/");
});

test("the path of a model that is gone is not told", async () => {
  await stage.luci(install);
  await rm(join(stage.models, "one.gguf"));
  const run = await stage.luci(["path", "hf:org/one:one.gguf"]);
  expect(run.stdout).toBe("");
  expect(run.stderr).toContain("gone from the disk");
  expect(run.exitCode).toBe(4);
});

test("a dry run does not take any file of the right name for the model", async () => {
  await mkdir(stage.models, { recursive: true });
  await writeFile(join(stage.models, "one.gguf"), "mine");
  const run = await stage.luci([...install, "--dry-run"]);
  expect(run.stdout).toContain("missing");
  expect(run.stdout).not.toContain("present");
});

test("a folder in the file's place is said before anything is fetched", async () => {
  await mkdir(join(stage.models, "one.gguf"), { recursive: true });
  for (const flags of [[], ["--force"]]) {
    const run = await stage.luci([...install, ...flags]);
    expect(run.exitCode).toBe(8);
    expect(run.stderr).toContain("Move it away");
  }
  expect(fileBytes(stage.hub)).toBe(0);
});

test("a catalog name that came to mean another file is installed anew, said, and replaces the old one", async () => {
  const before = await writeCatalog(stage, [{ name: "thing", repo: "org/one", files: ["one.gguf"] }]);
  expect((await stage.luci(["install", "thing"], { env: before })).exitCode).toBe(0);
  const after = await writeCatalog(stage, [{ name: "thing", repo: "org/two", files: ["two.gguf"] }]);
  const run = await stage.luci(["install", "thing"], { env: after });
  expect(run.exitCode).toBe(0);
  expect(run.stderr).toContain("another version");
  expect(await finalsBelow(stage.models)).toEqual(["two.gguf"]);
  stage.hub.reset();
  expect((await stage.luci(["install", "thing"], { env: after })).stderr).toContain("already installed");
  expect(stage.hub.log()).toEqual([]);
});

test("a digest given later verifies what is installed, by flag or in the address, and fetches nothing", async () => {
  const first = await stage.luci(["install", address()]);
  expect(first.stderr).toContain("unverified");
  stage.hub.reset();
  const flagged = await stage.luci(["install", address(), "--sha256", plainSha256]);
  expect(flagged.exitCode).toBe(0);
  expect(flagged.stderr).not.toContain("unverified");
  const named = await stage.luci(["install", `${address()}#sha256=${plainSha256}`]);
  expect(named.stderr).toContain("already installed");
  expect(await readdir(stage.manifests)).toHaveLength(1);
  expect(await finalsBelow(stage.models)).toEqual(["plain.gguf"]);
});

test("a removal that the disk refuses at once leaves everything as it was", async () => {
  await stage.luci(install);
  const file = join(stage.models, "one.gguf");
  await rm(file);
  await mkdir(file);
  await writeFile(join(file, "x"), "");
  const run = await stage.luci(["remove", "hf:org/one:one.gguf"]);
  expect(run.exitCode).toBe(8);
  expect(run.stderr).toContain("Nothing was removed");
  expect(await readdir(stage.manifests)).toHaveLength(1);
  await rm(file, { recursive: true });
  expect((await stage.luci(["remove", "hf:org/one:one.gguf"])).exitCode).toBe(0);
});

test("a server that sends the same first bytes for ever is given up", async () => {
  stage.hub.behave({
    intercept: ({ origin }) =>
      origin === "cdn" ? { ignoresRange: true, cutAfterBytes: 1.5 * MIB } : undefined,
  });
  const run = await stage.luci([...install, "--retries", "1"]);
  expect(run.exitCode).toBe(5);
  expect(fileBytes(stage.hub)).toBeLessThanOrEqual(3 * 1.5 * MIB);
});

test("data of a file that dead processes left twice is cleared by whoever continues", async () => {
  await stage.luci(install);
  const bytes = await readFile(join(stage.models, "one.gguf"));
  await rm(stage.models, { recursive: true });
  await mkdir(stage.partials, { recursive: true });
  const key = `sha256-${sha256("org/one", "one.gguf")}`;
  for (const tag of ["999999.0123456789ab", "999998.0123456789ab"])
    await writeFile(join(stage.partials, `${key}.${tag}.part`), bytes.subarray(0, MIB));
  // Another host's partials count as alive for half an hour: these are older.
  for (const name of await readdir(stage.partials)) {
    await utimes(join(stage.partials, name), 1, 1);
  }
  expect((await stage.luci(install)).exitCode).toBe(0);
  expect(await readdir(stage.partials)).toEqual([]);
  expect((await stat(join(stage.models, "one.gguf"))).size).toBe(bytes.length);
});

test.each([[[]], [["--force"]]])(
  "two models of one run whose files bear one name both get a place (%p)",
  async (flags) => {
    const run = await stage.luci([...install, "hf:org/same:one.gguf", ...flags]);
    expect(run.exitCode).toBe(0);
    expect(await finalsBelow(stage.models)).toHaveLength(2);
    expect((await stage.luci(["verify"])).exitCode).toBe(0);
  },
);

test("a name that another model bears is not taken from it", async () => {
  await stage.luci(["install", address()]);
  const catalog = await writeCatalog(stage, [{ name: "plain", repo: "org/one", files: ["one.gguf"] }]);
  const run = await stage.luci(["install", "plain"], { env: catalog });
  expect(run.exitCode).toBe(0);
  expect(run.stderr).toContain("is another model");
  expect(await readdir(stage.manifests)).toHaveLength(2);
});

test("`--partials delete` takes nothing from a model that is installed, whatever was fetched anew", async () => {
  expect((await stage.luci(["install", "hf:org/pair"])).exitCode).toBe(0);
  stage.hub.reset();
  stage.hub.behave({ rateBytesPerSec: 2 * MIB });
  const after = heldAfter(stage.hub, 4 * MIB);
  const run = await stage.luci(["install", "hf:org/pair", "--force", "--partials", "delete"], {
    signalAfter: { signal: "SIGINT", after },
  });
  expect(run.exitCode).toBe(130);
  expect(await finalsBelow(stage.models)).toHaveLength(2);
  expect((await stage.luci(["verify"])).exitCode).toBe(0);
});
