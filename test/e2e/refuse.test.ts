// What luci refuses: with words and the right exit code, without a stack trace, without a trace on the disk.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeGguf } from "../../src/demo/gguf-writer.ts";
import type { HubFile } from "../../src/demo/hub-repo.ts";
import { isHomeFile } from "../support/home-files.ts";
import { quantsRepo, wholeRepo } from "../support/model-repos.ts";
import type { LuciRun } from "../support/run-luci.ts";
import { filesBelow, openStage, writeTree } from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const KIB = 1024;
const HTML = "<!doctype html><title>Sign in</title>";

const sound = await makeGguf({ name: "sound", sizeBytes: 100 * KIB, seed: 1 });
const soundBytes = sound.read(0, sound.sizeBytes);
const weights: HubFile = { path: "ok.gguf", content: sound };

/** A GGUF file that is whole but not true: counts, sizes or offsets that its bytes do not bear out. */
function lie(change: (view: DataView, bytes: Uint8Array) => Uint8Array | void): HubFile {
  const bytes = soundBytes.slice();
  const changed = change(new DataView(bytes.buffer), bytes) ?? bytes;
  return { path: "lie.gguf", content: changed };
}

/** Every file there is, but the history: that something was refused is remembered. */
async function tracesOf({ home }: Stage): Promise<string[]> {
  return (await filesBelow(home)).filter((path) => !isHomeFile(path));
}

/** Where a text of the header begins. */
function after(bytes: Uint8Array, text: string): number {
  return Buffer.from(bytes.buffer).indexOf(text) + text.length;
}

const hostile: Readonly<Record<string, readonly HubFile[]>> = {
  dots: [weights, { path: "../../outside.gguf", content: sound }],
  "inner-dots": [weights, { path: "a/../../../outside.gguf", content: sound }],
  absolute: [weights, { path: "/tmp/luci-outside.gguf", content: sound }],
  backslash: [weights, { path: "..\\outside.gguf", content: sound }],
  drive: [weights, { path: "C:\\outside.gguf", content: sound }],
  escape: [weights, { path: "\u001B]0;owned\u0007\u001B[2J.gguf", content: sound }],
  newline: [weights, { path: "a\nb.gguf", content: sound }],
  bidi: [weights, { path: "model\u202Efugg.gguf", content: sound }],
  device: [weights, { path: "NUL.gguf", content: sound }],
  own: [weights, { path: ".luci/v1/manifests/x.json", content: "{}" }],
  "two-cases": [weights, { path: "OK.gguf", content: sound }],
  "file-and-folder": [weights, { path: "ok.gguf/inside.gguf", content: sound }],
  pickles: [{ path: "pytorch_model.bin", content: new Uint8Array([0x80, 2, 0x2e]) }],
  "pickle-in-disguise": [
    { path: "lie.gguf", content: new Uint8Array(5000).fill(0x2e).with(0, 0x80).with(1, 4) },
  ],
  "program-in-disguise": [
    { path: "lie.gguf", content: Buffer.from(`\u007FELF${"\0".repeat(5000)}`, "latin1") },
  ],
  "page-in-disguise": [{ path: "lie.gguf", content: HTML.padEnd(5000) }],
  "cut-header": [{ path: "lie.gguf", content: soundBytes.slice(0, 300) }],
  "cut-data": [{ path: "lie.gguf", content: soundBytes.slice(0, 60 * KIB) }],
  "tensor-count": [lie((view) => view.setBigUint64(8, 2n ** 62n, true))],
  "key-count": [lie((view) => view.setBigUint64(16, 2n ** 62n, true))],
  "text-length": [lie((view) => view.setBigUint64(24, 2n ** 63n, true))],
  "tensor-offset": [
    lie((view, bytes) => {
      const infoAt = after(bytes, "output.weight");
      view.setBigUint64(infoAt + 4 + 8 + 4, 2n ** 40n, true);
    }),
  ],
  "tensor-shape": [
    lie((view, bytes) => {
      const infoAt = after(bytes, "output.weight");
      view.setBigUint64(infoAt + 4, 2n ** 60n, true);
    }),
  ],
};

/** What is said of each. */
const REASONS: Readonly<Record<string, string>> = {
  dots: "it leaves its folder",
  "inner-dots": "it leaves its folder",
  absolute: "it is absolute",
  backslash: "it holds one of",
  drive: "it holds one of",
  escape: "it holds control or invisible characters",
  newline: "it holds control or invisible characters",
  bidi: "it holds control or invisible characters",
  device: "Windows reserves that name",
  own: "the folder luci keeps its records in",
  "two-cases": "would be the same file on some disks",
  "file-and-folder": "one is a folder of the other",
  pickles: "only as files that can run code when loaded: pytorch_model.bin",
  "pickle-in-disguise": "a Python pickle",
  "program-in-disguise": "an ELF program",
  "page-in-disguise": "not a sound GGUF file",
  "cut-header": "its header is longer than the file",
  "cut-data": "ends outside the file",
  "tensor-count": "it claims 4611686018427387904 tensors",
  "key-count": "it claims 4611686018427387904 metadata values",
  "text-length": "its header is longer than the file",
  "tensor-offset": "tensor output.weight ends outside the file",
  "tensor-shape": "output.weight",
};

let stage: Stage;
beforeAll(async () => {
  const repos = Object.entries(hostile).map(([name, files]) => ({ name: `evil/${name}`, files }));
  stage = await openStage({ repos: [...repos, await quantsRepo(), wholeRepo()] });
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Words, no stack, no control character. */
function expectRefused(run: LuciRun, exitCode: number): void {
  expect([run.exitCode, run.stderr]).toEqual([exitCode, run.stderr]);
  expect(run.stderr).toMatch(/^(.*\n)*error: \S/);
  expect(run.stderr).not.toContain("    at ");
  // oxlint-disable-next-line no-control-regex -- that is what must not be there
  expect(run.stdout + run.stderr).not.toMatch(/[\0-\x08\x0B-\x1F\x7F-\x9F\u200B-\u200F\u202A-\u202E]/);
}

describe("mistakes on the command line", () => {
  test.each([
    [2, ["install"]],
    [2, ["install", ""]],
    [2, ["install", " "]],
    [2, ["install", "hf:"]],
    [2, ["install", "hf:org/quants:"]],
    [2, ["install", "hf:org/quants@"]],
    [2, ["install", "hf:org/quants@../../etc"]],
    [2, ["install", "models"]],
    [2, ["install", "tier"]],
    [2, ["install", "org/quants"]],
    [2, ["install", "ollama:llama3"]],
    [2, ["install", "ftp://example.org/x.gguf"]],
    [2, ["install", "file:///etc/passwd"]],
    [2, ["install", "\u001B[31mred"]],
    [2, ["install", "quants", "--forse"]],
    [2, ["install", "quants", "--jobs", "0"]],
    [2, ["verify", "--repiar"]],
    [2, ["cleanup", "everything"]],
    [2, ["cleanup", "--dry-rn"]],
    [2, ["usage", "please"]],
    [2, ["path"]],
    [2, ["path", "one", "two"]],
    [2, ["remove"]],
    [7, ["install", "no-such-model"]],
    [7, ["install", "tier", "9", "--yes"]],
    [7, ["install", "hf:org/quants:Q5_K_S"]],
    [7, ["install", "hf:org/nothing"]],
    [7, ["install", "hf:org/quants@no-such-branch"]],
    [7, ["path", "quants"]],
    [7, ["remove", "quants"]],
    [7, ["info", "no-such-model"]],
    [10, ["install", "hf:../../etc"]],
    [10, ["install", "hf:org/.."]],
    [10, ["install", "hf:org/quants:../../../etc/passwd"]],
    [10, ["install", "http://example.org/x.gguf"]],
    [10, ["install", "http://169.254.169.254/x.gguf"]],
  ] as const)("exit %d: luci %j", async (exitCode, args) => {
    expectRefused(await stage.luci(args), exitCode);
    expect(await tracesOf(stage)).toEqual([]);
  });

  test("suggest the nearest name", async () => {
    expect((await stage.luci(["install", "tinylama"])).stderr).toContain("`tinyllama`");
    expect((await stage.luci(["install", "hf:org/quants:Q5_K_S"])).stderr).toContain("Q4_K_M");
  });
});

describe("what a hub may send", () => {
  test.each(Object.keys(hostile))("%s", async (name) => {
    const models = join(stage.home, "deep", "down", "models");
    const run = await stage.luci(["install", `hf:evil/${name}`, "--dir", models]);
    expectRefused(run, 10);
    expect(run.stderr).toContain(REASONS[name]!);
    const left = await tracesOf(stage);
    expect(left.filter((path) => !path.startsWith("deep/down/models/.luci/v1/locks/"))).toEqual([]);
    expect(await Bun.file("/tmp/luci-outside.gguf").exists()).toBe(false);
    expect((await stage.luci(["list", "--dir", models])).stdout).toBe("");
    await rm(join(stage.home, "deep"), { recursive: true, force: true });
  });

  test("a model that runs code when it is loaded is taken with `--allow-unsafe`", async () => {
    const run = await stage.luci(["install", "hf:evil/pickles", "--allow-unsafe"]);
    expect(run.exitCode).toBe(0);
    expect(await filesBelow(join(stage.models, "evil--pickles"))).toEqual(["pytorch_model.bin"]);
    await rm(stage.models, { recursive: true });
  });

  test("a web page at the address of a model", async () => {
    const intercept = () => new Response(HTML, { headers: { "Content-Type": "text/html" } });
    stage.hub.behave({ intercept });
    const address = `${stage.hub.url.replace("127.0.0.1", "localhost")}/files/model.gguf`;
    const run = await stage.luci(["install", address]);
    stage.hub.behave({ intercept: null });
    expectRefused(run, 10);
    expect(run.stderr).toContain("is a web page, not a model");
    expect(await tracesOf(stage)).toEqual([]);
  });

  test.each([
    ["no JSON", "]["],
    ["another shape", '{"sha":{"deep":1}}'],
    ["of the wrong types", '[{"type":"file","path":7,"size":-1,"oid":"x"}]'],
    ["depths", "[".repeat(200_000)],
  ])("metadata that is %s", async (_what, body) => {
    stage.hub.behave({
      intercept: () => new Response(body, { headers: { "Content-Type": "application/json" } }),
    });
    const run = await stage.luci(["install", "hf:org/quants:Q8_0"]);
    stage.hub.behave({ intercept: null });
    expectRefused(run, 10);
    expect(await tracesOf(stage)).toEqual([]);
  });

  test("an error message with escape sequences", async () => {
    const headers = { "X-Error-Message": "no\u009B2Jsuch", "X-Error-Code": "RepoNotFound" };
    stage.hub.behave({ intercept: () => new Response("\u001B]52;c;evil\u0007", { status: 404, headers }) });
    const run = await stage.luci(["install", "hf:org/quants:Q8_0"]);
    stage.hub.behave({ intercept: null });
    expectRefused(run, 7);
  });
});

test("a hostile working directory changes nothing", async () => {
  const folder = join(stage.home, "project");
  const evil = `require("node:fs").writeFileSync(${JSON.stringify(join(stage.home, "owned"))}, "owned");`;
  const evilModule = { "index.js": evil, "package.json": '{"name":"evil","main":"index.js"}' };
  const nodeModules = ["hash-wasm", "ofetch", "citty", "consola", "valibot"].flatMap((name) =>
    Object.entries(evilModule).map(([file, text]) => [`node_modules/${name}/${file}`, text] as const),
  );
  await writeTree(folder, {
    ".env":
      "LUCI_PARTIALS=nonsense\nHF_ENDPOINT=http://127.0.0.1:9\nHF_TOKEN=evil token\nLUCI_MODELS=/nowhere\n",
    ".env.local": "LUCI_JOBS=nonsense\nLUCI_LIMIT_RATE=1\n",
    ".env.production": "NODE_OPTIONS=--nonsense\n",
    "bunfig.toml":
      'preload = ["./evil.js"]\n[run]\nshell = "nonsense"\n[install]\nregistry = "http://127.0.0.1:9"\n',
    "evil.js": evil,
    "package.json": '{"type":"commonjs","imports":{"#a":"./evil.js"},"dependencies":{',
    "tsconfig.json": '{"compilerOptions":{"paths":{"*":["./evil.js"]},"jsx":"nonsense"},"extends":"./none"',
    "config.toml": 'partials = "nonsense"\n',
    "catalog.json": "nonsense",
    ...Object.fromEntries(nodeModules),
  });
  await mkdir(join(folder, "models"));
  /** Without times, and the speeds and the progress that are said where something lasts. */
  const plain = (run: LuciRun) => [
    run.exitCode,
    run.stdout,
    run.stderr
      .replaceAll(/^.*: (?:verifying, )?\d+%.*\n/gm, "")
      .replaceAll(/(?: in|,) \d[\d.ms ]*s(?:, \S+ \S+)?$/gm, ""),
  ];
  for (const args of [
    ["install", "hf:org/quants:Q8_0"],
    ["verify", "--hasher", "wasm"],
    ["list"],
    ["path", "org/quants:Q8_0"],
    ["--version"],
  ]) {
    const here = await stage.luci(args, { cwd: folder });
    if (args[0] === "install") await rm(stage.models, { recursive: true });
    expect(plain(here)).toEqual(plain(await stage.luci(args)));
    expect(here.exitCode).toBe(0);
  }
  expect(await Bun.file(join(stage.home, "owned")).exists()).toBe(false);
  expect(await filesBelow(join(folder, "models"))).toEqual([]);
  await rm(folder, { recursive: true });
  await rm(stage.models, { recursive: true });
});

test("a folder of a model that is a link is not followed", async () => {
  const outside = join(stage.home, "outside");
  await mkdir(outside);
  await mkdir(stage.models, { recursive: true });
  await Bun.spawn(["ln", "-s", outside, join(stage.models, "org--whole")]).exited;
  const run = await stage.luci(["install", "hf:org/whole"]);
  expectRefused(run, 10);
  expect(await filesBelow(outside)).toEqual([]);
  await rm(stage.models, { recursive: true });
});

test("a link in the place of a single file is not followed either", async () => {
  const outside = join(stage.home, "precious");
  await Bun.write(outside, "precious");
  await mkdir(stage.models, { recursive: true });
  await Bun.spawn(["ln", "-s", outside, join(stage.models, "quants-Q8_0.gguf")]).exited;
  const run = await stage.luci(["install", "hf:org/quants:Q8_0"]);
  expectRefused(run, 4);
  expect((await stage.luci(["install", "hf:org/quants:Q8_0", "--force"])).exitCode).toBe(0);
  expect(await Bun.file(outside).text()).toBe("precious");
});
