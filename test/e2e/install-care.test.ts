// `luci install` with its flags and its refusals: what is fetched, what is not, and what is said.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeGguf } from "../../src/demo/gguf-writer.ts";
import type { Intercept } from "../../src/demo/hub-trouble.ts";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile, quantsRepo } from "../support/model-repos.ts";
import {
  ONE_BY_ONE,
  clearStage,
  errorOf,
  fileBytes,
  filesBelow,
  finalsBelow,
  isFileRequest,
  keptAfter,
  openStage,
  resultOf,
  writeCatalog,
} from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const MIB = 1024 * 1024;
const TOKEN = "hf_averysecrettoken";
const Q8 = "quants-Q8_0.gguf";

const quants = await quantsRepo();
const named = (name: string, access: "gated" | "denied" | "private") => ({ ...quants, name, access });
let stage: Stage;

beforeAll(async () => {
  const big = { name: "org/big", files: [await ggufFile("big.gguf", 12 * MIB, 77)] };
  const closed = [named("org/gated", "gated"), named("org/denied", "denied"), named("org/hidden", "private")];
  stage = await openStage({ repos: [quants, big, ...closed], token: TOKEN });
});
beforeEach(() => clearStage(stage));
afterAll(() => stage[Symbol.asyncDispose]());

function sizeOf(repo: string, path: string): number {
  return stage.hub.filesOf(repo).get(path)?.content.sizeBytes ?? Number.NaN;
}

/** Interrupts an install of `org/big` half-way; answers the bytes that are kept. */
async function halfInstall(): Promise<number> {
  stage.hub.behave({ rateBytesPerSec: 4 * MIB });
  stage.hub.reset();
  const after = keptAfter(stage, { servedBytes: 4 * MIB, leastBytes: 1.5 * MIB });
  const run = await stage.luci(["install", "hf:org/big:big.gguf", "--json"], {
    signalAfter: { signal: "SIGINT", after },
  });
  stage.hub.behave({ rateBytesPerSec: null });
  stage.hub.reset();
  const told = run.stdout.split("\n").find((line) => line.includes('"interrupted"')) ?? "{}";
  return (JSON.parse(told) as { keptBytes: number }).keptBytes;
}

describe("flags", () => {
  test("`--force` fetches again what is installed", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0"]);
    const path = join(stage.models, Q8);
    const before = await stat(path);
    stage.hub.reset();
    const run = await stage.luci(["install", "hf:org/quants:Q8_0", "--force", ...ONE_BY_ONE]);
    expect(run.exitCode).toBe(0);
    expect(fileBytes(stage.hub)).toBe(sizeOf("org/quants", Q8));
    expect((await stat(path)).ino).not.toBe(before.ino);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual([Q8]);
  });

  test("without `--no-resume` what was kept is not fetched again; with it everything is", async () => {
    const keptBytes = await halfInstall();
    expect(keptBytes).toBeGreaterThan(MIB);
    expect((await stage.luci(["install", "hf:org/big:big.gguf", "--dry-run"])).stdout).toContain("partial");
    const again = ["install", "hf:org/big:big.gguf", ...ONE_BY_ONE];
    expect((await stage.luci(again)).exitCode).toBe(0);
    expect(fileBytes(stage.hub)).toBe(sizeOf("org/big", "big.gguf") - keptBytes);

    await rm(stage.models, { recursive: true });
    expect(await halfInstall()).toBeGreaterThan(MIB);
    expect((await stage.luci([...again, "--no-resume"])).exitCode).toBe(0);
    expect(fileBytes(stage.hub)).toBe(sizeOf("org/big", "big.gguf"));
    await checkInvariants(stage.models, stage.hub);
  });

  test("`--dry-run` shows the plan and changes nothing", async () => {
    const run = await stage.luci(["install", "hf:org/quants:Q8_0", "--dry-run", "--json"]);
    expect(run.exitCode).toBe(0);
    const sizeBytes = sizeOf("org/quants", Q8);
    const files = [{ path: join(stage.models, Q8), sizeBytes, state: "missing" }];
    expect(resultOf(run)).toMatchObject({ dryRun: [{ missingBytes: sizeBytes, files }], installed: [] });
    expect(stage.hub.log(isFileRequest)).toEqual([]);
    expect(await filesBelow(stage.models)).toEqual([]);
  });

  test("`--dir` and LUCI_MODELS choose the folder", async () => {
    const dir = join(stage.home, "elsewhere");
    await stage.luci(["install", "hf:org/quants:Q8_0", "--dir", dir]);
    await stage.luci(["install", "hf:org/quants:Q4_K_M"], { env: { LUCI_MODELS: dir } });
    expect(await finalsBelow(dir)).toEqual(["quants-Q4_K_M.gguf", Q8]);
    expect(await filesBelow(stage.models)).toEqual([]);
  });
});

describe("a batch", () => {
  const line = (name: string, path: string) => ({ name, repo: "org/quants", files: [path] });

  test("with one model gone: three installed, one told with its reason, exit 3", async () => {
    const env = await writeCatalog(stage, [
      line("one", "quants-Q4_K_M.gguf"),
      line("two", Q8),
      { ...line("lost", "withdrawn.gguf"), claim: { size: 1000 } },
      line("three", "quants-IQ2_XS.gguf"),
    ]);
    const run = await stage.luci(["install", "core", "models"], { env });
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toContain("3 of 4 models installed");
    expect(run.stderr).toMatch(/error: lost: .*withdrawn\.gguf/);
    expect(run.stderr).not.toContain("    at ");
    expect((await checkInvariants(stage.models, stage.hub)).models).toEqual(["one", "three", "two"]);
    expect(await filesBelow(stage.partials)).toEqual([]);
    // The rest is not touched by another try.
    stage.hub.reset();
    expect((await stage.luci(["install", "core"], { env })).exitCode).toBe(3);
    expect(fileBytes(stage.hub)).toBe(0);
  });

  test("of everything is not begun where nobody can be asked", async () => {
    const run = await stage.luci(["install", "all"], { stdin: "y\n" });
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain("--yes");
    expect(stage.hub.log()).toEqual([]);
    expect(await filesBelow(stage.models)).toEqual([]);
  });

  test("that does not fit on the disk is refused before its first byte", async () => {
    const env = await writeCatalog(stage, [
      line("small", "quants-Q4_K_M.gguf"),
      { ...line("vast", Q8), claim: { size: 10 ** 15 } },
    ]);
    const run = await stage.luci(["install", "core", "--json"], { env });
    expect(run.exitCode).toBe(8);
    expect(errorOf(run)).toMatchObject({ code: "E_NO_SPACE", exit: 8 });
    expect(errorOf(run)["message"]).toContain("1.1 PB needed");
    expect(stage.hub.log(isFileRequest)).toEqual([]);
    expect(await filesBelow(stage.models)).toEqual([]);
  });
});

describe("bytes that are not the published ones", () => {
  const flip: Intercept = ({ origin }) => {
    if (origin !== "cdn") return undefined;
    return {
      corrupt: (piece, atBytes) =>
        atBytes === 0 ? piece.with(piece.length - 1, 255 - piece.at(-1)!) : piece,
    };
  };

  test("are fetched once more, and refused when it happens again", async () => {
    stage.hub.behave({ intercept: flip });
    const run = await stage.luci(["install", "hf:org/quants:Q8_0", ...ONE_BY_ONE]);
    expect(run.exitCode).toBe(4);
    expect(fileBytes(stage.hub)).toBe(2 * sizeOf("org/quants", Q8));
    expect(await finalsBelow(stage.models)).toEqual([]);
    expect(await filesBelow(stage.partials)).toEqual([]);
  });

  test("do no harm when they come but once", async () => {
    let times = 0;
    stage.hub.behave({
      intercept: (request) => (request.origin === "cdn" && times++ === 0 ? flip(request) : undefined),
    });
    const run = await stage.luci(["install", "hf:org/quants:Q8_0", ...ONE_BY_ONE]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toContain("starting again from 0: its bytes do not match the published digest");
    expect(fileBytes(stage.hub)).toBe(2 * sizeOf("org/quants", Q8));
    await checkInvariants(stage.models, stage.hub);
  });

  test("are not even asked for when the hub announces another digest than the catalog", async () => {
    const claim = { sha256: "5".repeat(64) };
    const env = await writeCatalog(stage, [{ name: "other", repo: "org/quants", files: [Q8], claim }]);
    const run = await stage.luci(["install", "other", "--json"], { env });
    expect(run.exitCode).toBe(4);
    expect(errorOf(run)).toMatchObject({ code: "E_CHANGED" });
    expect(await finalsBelow(stage.models)).toEqual([]);
  });

  test("are replaced by those of a new version only when that is asked for", async () => {
    const files = (seed: number) => makeGguf({ name: "moving", sizeBytes: MIB, seed });
    const publish = async (seed: number) =>
      stage.hub.publish({ name: "org/moving", files: [{ path: "moving.gguf", content: await files(seed) }] });
    const first = await publish(1);
    await stage.luci(["install", "hf:org/moving:moving.gguf"]);
    const second = await publish(2);
    const revision = async (...flags: string[]) => {
      const run = await stage.luci(["install", "hf:org/moving:moving.gguf", "--json", ...flags]);
      expect(run.exitCode).toBe(0);
      return (resultOf(run)["installed"] as { revision: string }[])[0]?.revision;
    };
    expect(await revision()).toBe(first);
    expect(await revision("--force")).toBe(second);
    await checkInvariants(stage.models, stage.hub);
  });
});

describe("repositories that are not open to everyone", () => {
  const withToken = { env: { HF_TOKEN: TOKEN } };

  test("gated, without a token: exit 6 and what to do", async () => {
    const run = await stage.luci(["install", "hf:org/gated:Q8_0"]);
    expect(run.exitCode).toBe(6);
    expect(run.stderr).toContain("org/gated is gated");
    expect(run.stderr).toContain(`Accept the terms at ${stage.hub.url}/org/gated`);
    expect(run.stderr).toContain("HF_TOKEN");
    expect(await finalsBelow(stage.models)).toEqual([]);
  });

  test("gated, with a token that has not accepted the terms: exit 6 and where to accept them", async () => {
    const run = await stage.luci(["install", "hf:org/denied:Q8_0"], withToken);
    expect(run.exitCode).toBe(6);
    expect(run.stderr).toContain(`${stage.hub.url}/org/denied`);
  });

  test("with a token nobody knows: exit 6", async () => {
    const run = await stage.luci(["install", "hf:org/quants:Q8_0"], { env: { HF_TOKEN: "hf_wrong" } });
    expect(run.exitCode).toBe(6);
    expect(run.stderr).not.toContain("hf_wrong");
  });

  test("that do not admit to exist: exit 7, and a word about the token", async () => {
    const run = await stage.luci(["install", "hf:org/hidden:Q8_0"]);
    expect(run.exitCode).toBe(7);
    expect(run.stderr).toContain("HF_TOKEN");
  });

  test.each([
    ["HF_TOKEN", async () => withToken.env],
    [
      "the hub's token file",
      async () => {
        const folder = join(stage.home, ".cache", "huggingface");
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, "token"), `${TOKEN}\n`);
        await chmod(join(folder, "token"), 0o600);
        return {};
      },
    ],
  ])("open with %s, which is seen by the hub alone", async (_what, prepare) => {
    const env = { ...(await prepare()), BUN_CONFIG_VERBOSE_FETCH: "curl" };
    const install = await stage.luci(["install", "hf:org/gated:Q8_0", "--json"], { env });
    const plain = `${stage.hub.url.replace("127.0.0.1", "localhost")}/org/quants/resolve/main/${Q8}`;
    const other = await stage.luci(["install", plain], { env });
    const missing = await stage.luci(["install", "hf:org/nobody"], { env });
    await rm(join(stage.home, ".cache"), { recursive: true, force: true });
    expect([install.exitCode, other.exitCode, missing.exitCode]).toEqual([0, 0, 7]);
    const bearers = (origin: "hub" | "cdn") =>
      new Set(stage.hub.log((entry) => entry.origin === origin).map(({ headers }) => headers.authorization));
    expect(bearers("hub")).toEqual(new Set([`Bearer ${TOKEN}`, null]));
    expect(bearers("cdn")).toEqual(new Set([null]));
    // Another origin than HF_ENDPOINT's, the same server: it must not see the token either.
    const gated = stage.hub.log(({ path, origin }) => origin === "hub" && path.includes("org/gated"));
    expect(new Set(gated.map(({ headers }) => headers.authorization))).toEqual(new Set([`Bearer ${TOKEN}`]));
    const open = stage.hub.log(({ path, origin }) => origin === "hub" && path.includes("org/quants"));
    expect(new Set(open.map(({ headers }) => headers.authorization))).toEqual(new Set([null]));

    const told = [install, other, missing].map(({ stdout, stderr }) => stdout + stderr).join("");
    expect(told).not.toContain(TOKEN);
    expect(told).not.toContain("Signature=");
    for (const path of await filesBelow(stage.home)) {
      const bytes = await readFile(join(stage.home, path));
      expect([path, bytes.includes(TOKEN), bytes.includes("Signature=")]).toEqual([path, false, false]);
    }
  });
});
