// `luci verify` and `--repair` on the built binary: what is said of damage, and that mending fetches no more than it must.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { open, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile, wholeRepo } from "../support/model-repos.ts";
import { prng } from "../support/prng.ts";
import {
  arrivedAfter,
  fileBytes,
  filesBelow,
  isFileRequest,
  openStage,
  resultOf,
  snapshot,
} from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const MIB = 1024 * 1024;
const PIECE_BYTES = 8 * MIB;
const BIG_PIECES = 26;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    repos: [
      // 200 MiB and 13 bytes: 25 whole pieces and a crumb.
      { name: "org/big", files: [await ggufFile("big.gguf", 200 * MIB, 1)] },
      { name: "org/mid", files: [await ggufFile("mid.gguf", 20 * MIB, 2)] },
      wholeRepo(),
    ],
  });
  // Several connections help each other at the end, and then bytes come twice: here every byte is counted.
  await writeFile(join(stage.home, "config.toml"), "connections = 1\n");
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.behave({ intercept: null, rateBytesPerSec: null });
  stage.hub.reset();
});
afterAll(() => stage[Symbol.asyncDispose]());

interface Finding {
  readonly kind: string;
  readonly model: string | null;
  readonly file: string;
  readonly sizeBytes: number;
  readonly badPieces: readonly { readonly startBytes: number; readonly endBytes: number }[];
  readonly pieces: number;
}

async function install(ref: string): Promise<void> {
  const run = await stage.luci(["install", ref]);
  expect([run.exitCode, run.stderr]).toEqual([0, run.stderr]);
  stage.hub.reset();
}

/** Runs `verify --json`; answers exit code and findings. */
async function verify(...args: string[]): Promise<{ exitCode: number; findings: Finding[] }> {
  const run = await stage.luci(["verify", "--json", ...args]);
  return { exitCode: run.exitCode, findings: resultOf(run)["findings"] as Finding[] };
}

function piece(index: number): { startBytes: number; endBytes: number } {
  return { startBytes: index * PIECE_BYTES, endBytes: (index + 1) * PIECE_BYTES };
}

/** Turns single bits over, and puts the modification time back as a failing disk would leave it. */
async function flipBits(path: string, atBytes: readonly number[]): Promise<void> {
  const { atime, mtime } = await stat(path);
  const file = await open(path, "r+");
  const byte = new Uint8Array(1);
  for (const offset of atBytes) {
    await file.read(byte, 0, 1, offset);
    await file.write(
      byte.map((bits) => bits ^ 0x10),
      0,
      1,
      offset,
    );
  }
  await file.close();
  await utimes(path, atime, mtime);
}

/** What the CDN was asked for, as `[start, end)` sorted, neighbours joined. */
function askedRanges(): { startBytes: number; endBytes: number }[] {
  const ranges = stage.hub
    .log(({ origin }) => origin === "cdn")
    .map(({ range }) => {
      const [first = 0, last = 0] = (range ?? "").match(/\d+/g)?.map(Number) ?? [];
      return { startBytes: first, endBytes: last + 1 };
    });
  return ranges.toSorted((one, other) => one.startBytes - other.startBytes);
}

describe("five flipped bits in three pieces of 200 MiB", () => {
  const random = prng(20_260_301);
  /** Sorted, apart from each other, and none is the crumb at the end. */
  const pieces = [random.integer(0, 8), random.integer(9, 16), random.integer(17, 25)] as const;
  const bits = [0, 1, 1, 2, 2].map(
    (which, index) => pieces[which]! * PIECE_BYTES + random.integer(index * MIB, (index + 1) * MIB),
  );
  const final = () => join(stage.models, "big.gguf");

  test("are named piece by piece, and nothing is changed", async () => {
    await install("hf:org/big:big.gguf");
    await flipBits(final(), bits);
    const before = await snapshot(stage.models);
    const run = await stage.luci(["verify"]);
    expect([random.seed, run.exitCode]).toEqual([random.seed, 4]);
    expect(run.stdout).toContain(`3 of ${BIG_PIECES} pieces damaged: `);
    expect(run.stderr).toContain("verify --repair");
    const { exitCode, findings } = await verify("org/big:big.gguf");
    expect([random.seed, exitCode]).toEqual([random.seed, 4]);
    expect(findings).toMatchObject([
      { kind: "digest", file: "big.gguf", pieces: BIG_PIECES, badPieces: pieces.map(piece) },
    ]);
    expect(await snapshot(stage.models)).toEqual(before);
    expect(stage.hub.log()).toEqual([]);
  });

  test("are mended by fetching those three pieces and nothing else", async () => {
    await install("hf:org/big:big.gguf");
    await flipBits(final(), bits);
    const run = await stage.luci(["verify", "--repair", "--json"]);
    expect([random.seed, run.exitCode]).toEqual([random.seed, 0]);
    expect(askedRanges()).toEqual(pieces.map(piece));
    expect(fileBytes(stage.hub)).toBe(3 * PIECE_BYTES);
    expect(resultOf(run)).toMatchObject({
      repaired: [{ fetchedBytes: 3 * PIECE_BYTES, files: [{ how: "repaired" }] }],
    });
    const { exitCode, findings } = await verify();
    expect([exitCode, findings.map(({ kind }) => kind)]).toEqual([0, ["ok"]]);
    await checkInvariants(stage.models, stage.hub);
    expect(await filesBelow(stage.partials)).toEqual([]);
  });

  test("and an interrupted repair leaves the installed file as it is", async () => {
    await install("hf:org/big:big.gguf");
    await flipBits(final(), bits);
    const before = (await snapshot(stage.models))["big.gguf"];
    const soundBytes = stage.hub.filesOf("org/big").get("big.gguf")!.content.sizeBytes - 3 * PIECE_BYTES;
    for (const policy of ["resume", "delete", "resume"]) {
      stage.hub.behave({ rateBytesPerSec: 4 * MIB });
      stage.hub.reset();
      const after = arrivedAfter(stage, { servedBytes: 3 * MIB, leastBytes: soundBytes + MIB });
      const run = await stage.luci(["verify", "--repair", "--json"], {
        signalAfter: { signal: "SIGINT", after },
        env: { LUCI_PARTIALS: policy },
      });
      expect([policy, run.exitCode]).toEqual([policy, 130]);
      expect((await snapshot(stage.models))["big.gguf"]).toBe(before);
      expect((await filesBelow(stage.partials)).length).toBe(policy === "resume" ? 2 : 0);
    }
    stage.hub.behave({ rateBytesPerSec: null });
    const lostBytes = fileBytes(stage.hub);
    stage.hub.reset();
    expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
    // What the interrupted repair had fetched is not fetched again.
    expect(fileBytes(stage.hub)).toBeLessThan(3 * PIECE_BYTES);
    expect(fileBytes(stage.hub)).toBeGreaterThanOrEqual(3 * PIECE_BYTES - lostBytes);
    await checkInvariants(stage.models, stage.hub);
    expect((await verify()).exitCode).toBe(0);
  });
});

describe("a repository", () => {
  const lost = "org--whole/tokenizer/vocab.json";
  const isLost = (path: string) => path.endsWith("/tokenizer/vocab.json");

  test.each([
    ["verify", ["verify", "--repair"]],
    ["install", ["install", "hf:org/whole"]],
  ])("with a missing file: `%s` fetches that one and no other", async (_what, args) => {
    await install("hf:org/whole");
    const before = await snapshot(stage.models);
    await rm(join(stage.models, lost));
    const found = await verify();
    expect(found.exitCode).toBe(4);
    expect(found.findings.filter(({ kind }) => kind !== "ok")).toMatchObject([
      { kind: "missing", file: lost },
    ]);
    expect((await stage.luci(args)).exitCode).toBe(0);
    expect(stage.hub.log(isFileRequest).map(({ path }) => isLost(path))).toEqual([true]);
    const after = await snapshot(stage.models);
    const changed = Object.keys(before).filter((path) => before[path] !== after[path]);
    expect(changed.filter((path) => !path.startsWith(".luci/"))).toEqual([lost]);
    expect((await verify()).exitCode).toBe(0);
  });

  test("with several kinds of damage is told file by file and mended in one go", async () => {
    await install("hf:org/whole");
    const at = (path: string) => join(stage.models, "org--whole", path);
    await flipBits(at("model-00001-of-00002.safetensors"), [500_000]);
    await truncate(at("model-00002-of-00002.safetensors"), 1000);
    await rm(at("tokenizer"), { recursive: true });
    await writeFile(at("config.json"), '{"model_type":"other"}\n');
    const { exitCode, findings } = await verify();
    expect(exitCode).toBe(4);
    expect(
      Object.fromEntries(findings.map(({ file, kind }) => [file.slice("org--whole/".length), kind])),
    ).toEqual({
      "README.md": "ok",
      "config.json": "digest",
      "model-00001-of-00002.safetensors": "digest",
      "model-00002-of-00002.safetensors": "size",
      "tokenizer/deep/er/merges.txt": "missing",
      "tokenizer/empty.txt": "missing",
      "tokenizer/vocab.json": "missing",
    });
    expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
    await checkInvariants(stage.models, stage.hub);
    expect((await verify()).findings.map(({ kind }) => kind)).toEqual(Array(7).fill("ok"));
  });
});

describe("a file", () => {
  const final = () => join(stage.models, "mid.gguf");
  const PAGE = "/org/mid/resolve/main/mid.gguf";

  test("that was cut short is mended from the cut on", async () => {
    await install("hf:org/mid:mid.gguf");
    await truncate(final(), 10 * MIB);
    const { exitCode, findings } = await verify();
    expect([exitCode, findings[0]?.kind, findings[0]?.sizeBytes]).toEqual([4, "size", 10 * MIB]);
    const told = await stage.luci(["verify"]);
    expect(told.stdout).toContain(`it has ${10 * MIB} bytes instead of`);
    expect(told.stdout + told.stderr).toContain("0 of 1 file of 1 model read, 0 B");
    expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
    expect(fileBytes(stage.hub)).toBe(12 * MIB + 13);
    await checkInvariants(stage.models, stage.hub);
  });

  test("that grew is mended", async () => {
    await install("hf:org/mid:mid.gguf");
    await writeFile(final(), "surplus", { flag: "a" });
    expect((await verify()).findings).toMatchObject([{ kind: "size" }]);
    expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
    await checkInvariants(stage.models, stage.hub);
  });

  test("that belongs to no model is called foreign, and left alone", async () => {
    await install("hf:org/mid:mid.gguf");
    await writeFile(join(stage.models, "my notes.txt"), "mine");
    const run = await stage.luci(["verify", "--repair"]);
    expect(run.exitCode).toBe(0);
    expect(run.stdout).toMatch(/foreign.*my notes\.txt/);
    expect(await Bun.file(join(stage.models, "my notes.txt")).text()).toBe("mine");
    expect(stage.hub.log()).toEqual([]);
  });

  test("nobody published a digest for is unverified, and damage to it is found and mended all the same", async () => {
    await install(`${stage.hub.url.replace("127.0.0.1", "localhost")}${PAGE}`);
    const sound = await verify();
    expect([sound.exitCode, sound.findings[0]?.kind]).toEqual([0, "unverifiable"]);
    expect((await stage.luci(["verify"])).stdout).toContain("no digest was published");
    await flipBits(final(), [9 * MIB]);
    const { exitCode, findings } = await verify();
    expect([exitCode, findings]).toMatchObject([4, [{ kind: "digest", badPieces: [piece(1)] }]]);
    expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
    expect(fileBytes(stage.hub)).toBe(PIECE_BYTES);
    await checkInvariants(stage.models, stage.hub);
  });

  test("is only looked at with `--quick`, which says so", async () => {
    await install("hf:org/mid:mid.gguf");
    await flipBits(final(), [1 * MIB]);
    const run = await stage.luci(["verify", "--quick"]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toContain("looked at (sizes and times only)");
    await utimes(final(), 1, 1);
    const touched = await stage.luci(["verify", "--quick"]);
    expect(touched.stdout).toContain("it was written to since it was installed: run a full verify");
    expect((await verify()).exitCode).toBe(4);
    await truncate(final(), 100);
    expect((await verify("--quick")).exitCode).toBe(4);
  });

  test("that can no longer be fetched stays damaged, with the reason", async () => {
    await install("hf:org/mid:mid.gguf");
    await flipBits(final(), [1 * MIB]);
    const before = (await snapshot(stage.models))["mid.gguf"];
    stage.hub.behave({ intercept: () => new Response("", { status: 404 }) });
    const run = await stage.luci(["verify", "--repair"]);
    expect(run.exitCode).toBe(7);
    expect(run.stderr).toContain("mid.gguf");
    expect((await snapshot(stage.models))["mid.gguf"]).toBe(before);
    stage.hub.behave({ intercept: null });
    expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
    await checkInvariants(stage.models, stage.hub);
  });

  test("of a name that is not installed: exit 7", async () => {
    expect((await stage.luci(["verify", "nobody"])).exitCode).toBe(7);
  });
});
