// `luci install` on the built binary: every way to name a model, and what is on the disk afterwards.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkInvariants } from "../support/invariants.ts";
import { quantsRepo, shardedRepo, wholeRepo } from "../support/model-repos.ts";
import { fileBytes, filesBelow, finalsBelow, openStage, resultOf, writeCatalog } from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const repos = [await quantsRepo(), await shardedRepo(), wholeRepo(), { ...wholeRepo(), name: "gpt2" }];
const WHOLE_FILES = [
  "README.md",
  "config.json",
  "model-00001-of-00002.safetensors",
  "model-00002-of-00002.safetensors",
  "tokenizer/deep/er/merges.txt",
  "tokenizer/empty.txt",
  "tokenizer/vocab.json",
];
const SHARDS = [1, 2, 3].map((part) => `org--sharded/Q4_K_M/big-Q4_K_M-0000${part}-of-00003.gguf`);

let stage: Stage;
let catalog: { LUCI_CATALOG: string };

beforeAll(async () => {
  // Three entries a page and a redirect before every small file: the longest ways the hub knows.
  stage = await openStage({ repos, pageSize: 3, movesSmallFiles: true });
  // Several connections help each other where it is slow, and then bytes come twice: here every byte is counted.
  await writeFile(join(stage.home, "config.toml"), "connections = 1\n");
  catalog = await writeCatalog(stage, [
    { name: "quants", repo: "org/quants", files: ["quants-Q4_K_M.gguf"], aliases: ["little-one"] },
  ]);
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Empties the models folder and the hub's log. */
async function clear(): Promise<void> {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.reset();
}

function sizeOf(repo: string, ...paths: string[]): number {
  const files = stage.hub.filesOf(repo);
  return paths.reduce((sum, path) => sum + (files.get(path)?.content.sizeBytes ?? Number.NaN), 0);
}

/** The address as another origin than the hub in use, so that it is no page of that hub. */
function elsewhere(path: string): string {
  return `${stage.hub.url.replace("127.0.0.1", "localhost")}${path}`;
}

describe("what can be named", () => {
  const Q4 = ["quants-Q4_K_M.gguf"];
  const cases: readonly [
    what: string,
    ref: (hub: string) => string,
    repo: string,
    finals: readonly string[],
  ][] = [
    ["a catalog name", () => "quants", "org/quants", Q4],
    ["an alias, in any case", () => "Little-ONE", "org/quants", Q4],
    ["a quantisation, in any case", () => "hf:org/quants:q4_k_m", "org/quants", Q4],
    ["a file", () => "hf:org/quants:quants-Q8_0.gguf", "org/quants", ["quants-Q8_0.gguf"]],
    ["a revision", () => "hf:org/quants@main:Q8_0", "org/quants", ["quants-Q8_0.gguf"]],
    [
      "a sharded quantisation with its projector",
      () => "hf:org/sharded:q4_K_m",
      "org/sharded",
      [...SHARDS, "org--sharded/mmproj-big-f16.gguf"],
    ],
    [
      "a whole repository",
      () => "hf:org/whole",
      "org/whole",
      WHOLE_FILES.map((path) => `org--whole/${path}`),
    ],
    ["a repository of the old kind", () => "hf:gpt2", "gpt2", WHOLE_FILES.map((path) => `gpt2/${path}`)],
    [
      "a repository's page",
      (hub) => `${hub}/org/whole/tree/main`,
      "org/whole",
      WHOLE_FILES.map((path) => `org--whole/${path}`),
    ],
    ["a file's page", (hub) => `${hub}/org/quants/blob/main/quants-Q4_K_M.gguf`, "org/quants", Q4],
    ["a download address", (hub) => `${hub}/org/quants/resolve/main/quants-Q4_K_M.gguf`, "org/quants", Q4],
  ];
  test.each(cases)("%s", async (_what, ref, repo, finals) => {
    await clear();
    const args = ["install", ref(stage.hub.url), "--json"];
    const run = await stage.luci(args, { env: catalog });
    expect([run.exitCode, run.stderr]).toEqual([0, ""]);
    expect(await finalsBelow(stage.models)).toEqual([...finals].toSorted());
    await checkInvariants(stage.models, stage.hub);
    const prefix =
      repo.includes("/") && finals[0]?.includes("/") ? `${repo.replace("/", "--")}/` : `${repo}/`;
    const paths = finals.map((path) => path.replace(prefix, ""));
    expect(fileBytes(stage.hub)).toBe(sizeOf(repo, ...paths));
    expect(resultOf(run)).toMatchObject({
      fetchedBytes: sizeOf(repo, ...paths),
      installed: [{ revision: stage.hub.commitOf(repo), already: false }],
    });

    stage.hub.reset();
    const again = await stage.luci(args, { env: catalog });
    expect([again.exitCode, again.stderr]).toEqual([0, ""]);
    expect(resultOf(again)).toMatchObject({ fetchedBytes: 0, installed: [{ already: true }] });
    expect(stage.hub.log()).toEqual([]);
    expect(await filesBelow(stage.partials)).toEqual([]);
  });

  test("weights that are pickles are left out in words", async () => {
    await clear();
    const { stderr } = await stage.luci(["install", "hf:org/whole"]);
    expect(stderr).toContain("Left out because they can run code when loaded: pytorch_model.bin");
  });

  test("the model of a name lies where `luci path` says: first shard, folder or file", async () => {
    await clear();
    await stage.luci(["install", "hf:org/sharded:Q4_K_M", "hf:org/whole", "quants"], { env: catalog });
    const where = async (name: string) => (await stage.luci(["path", name], { env: catalog })).stdout;
    expect(await where("hf:org/sharded:Q4_K_M")).toBe(`${join(stage.models, SHARDS[0]!)}\n`);
    expect(await where("org/whole")).toBe(`${join(stage.models, "org--whole")}\n`);
    expect(await where("little-one")).toBe(`${join(stage.models, "quants-Q4_K_M.gguf")}\n`);
  });
});

describe("an address", () => {
  const PATH = "/org/quants/resolve/main/quants-Q8_0.gguf";
  const digest = () => stage.hub.filesOf("org/quants").get("quants-Q8_0.gguf")!.content.sha256;

  test("with its digest is checked against it", async () => {
    await clear();
    const run = await stage.luci(["install", `${elsewhere(PATH)}#sha256=${digest()}`, "--json"]);
    expect(run.exitCode).toBe(0);
    expect(resultOf(run)).toMatchObject({
      installed: [{ files: [{ authority: "user", sha256: digest() }] }],
    });
  });

  test("with `--sha256` likewise", async () => {
    await clear();
    const run = await stage.luci(["install", elsewhere(PATH), "--sha256", digest().toUpperCase(), "--json"]);
    expect(run.exitCode).toBe(0);
    expect(resultOf(run)).toMatchObject({ installed: [{ files: [{ authority: "user" }] }] });
  });

  test("without a digest is unverified, in words and in the record", async () => {
    await clear();
    const run = await stage.luci(["install", elsewhere(PATH)]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toMatch(/Installed quants-q8_0.*unverified \(no digest published\)/);
    const record = await readFile(join(stage.manifests, "quants-q8_0.json"), "utf8");
    expect(JSON.parse(record)).toMatchObject({ files: [{ authority: "none", sha256: digest() }] });
    expect((await stage.luci(["verify"])).stdout).toContain("unverified");
    stage.hub.reset();
    expect((await stage.luci(["install", elsewhere(PATH)])).exitCode).toBe(0);
    expect(stage.hub.log()).toEqual([]);
  });

  test("with a wrong digest is refused, and nothing of it stays", async () => {
    await clear();
    const run = await stage.luci(["install", `${elsewhere(PATH)}#sha256=${"0".repeat(64)}`]);
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toContain("given was 000000000000…");
    expect(await finalsBelow(stage.models)).toEqual([]);
    expect(await filesBelow(stage.partials)).toEqual([]);
    expect(await filesBelow(stage.manifests)).toEqual([]);
  });

  test("and the hub's own digest may not contradict the one given", async () => {
    await clear();
    const run = await stage.luci(["install", "hf:org/quants:Q8_0", "--sha256", "0".repeat(64)]);
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toContain("publishes another SHA-256");
    expect(fileBytes(stage.hub)).toBe(0);
  });
});

describe("a lost record", () => {
  test.each([
    ["of a single file", "hf:org/quants:Q4_K_M"],
    ["of a repository", "hf:org/whole"],
  ])("%s costs no download", async (_what, ref) => {
    await clear();
    await stage.luci(["install", ref]);
    const finals = await finalsBelow(stage.models);
    const inodes = await Promise.all(finals.map(async (path) => (await stat(join(stage.models, path))).ino));
    await rm(stage.manifests, { recursive: true });
    stage.hub.reset();
    const run = await stage.luci(["install", ref, "--json"]);
    expect(run.exitCode).toBe(0);
    expect(fileBytes(stage.hub)).toBe(0);
    expect(resultOf(run)).toMatchObject({ fetchedBytes: 0 });
    const now = await Promise.all(finals.map(async (path) => (await stat(join(stage.models, path))).ino));
    expect(now).toEqual(inodes);
    expect((await checkInvariants(stage.models, stage.hub)).models).toHaveLength(1);
    expect((await stage.luci(["verify"])).exitCode).toBe(0);
  });

  test("does not make luci take a stranger for the model", async () => {
    await clear();
    await stage.luci(["install", "quants"], { env: catalog });
    await rm(stage.manifests, { recursive: true });
    const path = join(stage.models, "quants-Q4_K_M.gguf");
    const bytes = await readFile(path);
    bytes[bytes.length - 1]! ^= 1;
    await Bun.write(path, bytes);
    const run = await stage.luci(["install", "quants"], { env: catalog });
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toContain("a file of that name is there already and is not this model");
    expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
    const forced = await stage.luci(["install", "quants", "--force"], { env: catalog });
    expect(forced.exitCode).toBe(0);
    await checkInvariants(stage.models, stage.hub);
  });
});
