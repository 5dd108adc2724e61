// Looking after a models folder on the built binary: cleanup, remove, usage, list, info, path, and output that is
// complete through any pipe.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile, quantsRepo, wholeRepo } from "../support/model-repos.ts";
import { luciBinary, parseEvents } from "../support/run-luci.ts";
import {
  ONE_BY_ONE,
  errorOf,
  filesBelow,
  finalsBelow,
  keptAfter,
  openStage,
  resultOf,
  snapshot,
  writeCatalog,
  writeTree,
} from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const MIB = 1024 * 1024;
const DAY_S = 24 * 60 * 60;
const HEX = "0123456789abcdef".repeat(4);

let stage: Stage;
beforeAll(async () => {
  const big = { name: "org/big", files: [await ggufFile("big.gguf", 12 * MIB, 7)] };
  stage = await openStage({ repos: [await quantsRepo(), wholeRepo(), big] });
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.behave({ rateBytesPerSec: null });
  stage.hub.reset();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Leaves a partial of `org/big` with its journal, larger than any other model here. */
async function leavePartial(ref = "hf:org/big:big.gguf", env: Record<string, string> = {}): Promise<void> {
  stage.hub.behave({ rateBytesPerSec: 4 * MIB });
  stage.hub.reset();
  const after = keptAfter(stage, { servedBytes: 4 * MIB, leastBytes: 2.5 * MIB });
  const { exitCode } = await stage.luci(["install", ref], { env, signalAfter: { signal: "SIGINT", after } });
  expect(exitCode).toBe(130);
  stage.hub.behave({ rateBytesPerSec: null });
}

/** One of everything that crashed runs leave. */
async function leaveAll(): Promise<void> {
  await leavePartial();
  await writeTree(join(stage.models, ".luci", "v1"), {
    [`partials/sha256-${HEX}.part`]: "data without a journal",
    [`partials/source-${HEX.slice(32)}.json`]: "a journal without data",
    [`manifests/x.json.4194305.000000000000.1.tmp`]: "half a text",
    [`locks/sha256-${HEX}.lock`]: '{"pid":4194305,"host":"gone","tag":"4194305.000000000000","sinceMs":0}\n',
  });
  const old = Date.now() / 1000 - 3 * DAY_S;
  for (const name of [
    `partials/sha256-${HEX}.part`,
    "manifests/x.json.4194305.000000000000.1.tmp",
    `locks/sha256-${HEX}.lock`,
  ])
    await utimes(join(stage.models, ".luci", "v1", name), old, old);
}

describe("cleanup", () => {
  test("shows a plan and deletes nothing where nobody can be asked", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0"]);
    await leaveAll();
    const before = await snapshot(stage.models);
    for (const args of [["cleanup"], ["cleanup", "--dry-run"], ["cleanup", "--dry-run", "--yes"]]) {
      const run = await stage.luci(args, { stdin: "y\ny\n" });
      expect([args, run.exitCode]).toEqual([args, 0]);
      expect(run.stdout).toContain("org/big:big.gguf · big.gguf");
      expect(run.stderr).toMatch(/Nothing was deleted: 5 items with .* may go/);
      expect(await snapshot(stage.models)).toEqual(before);
    }
    const { items } = resultOf(await stage.luci(["cleanup", "--json"])) as {
      items: { kind: string; reason: string }[];
    };
    expect(items.map(({ kind, reason }) => `${kind}: ${reason}`).toSorted()).toEqual([
      "lock: its process is gone",
      "orphan: data without a journal",
      "orphan: journal without data",
      expect.stringMatching(/^partial: unfinished download, kept \S+ MB of \S+ MB$/),
      "temporary: left by a run that was killed",
    ]);
    expect(await snapshot(stage.models)).toEqual(before);
  });

  test("with `--yes` deletes exactly that, and no finished model", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0"]);
    const before = await snapshot(stage.models);
    await leaveAll();
    const run = await stage.luci(["cleanup", "--yes"]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toContain("Deleted 5 items");
    expect(await snapshot(stage.models)).toEqual(before);
    expect((await stage.luci(["cleanup", "--yes"])).stderr).toContain("Nothing to clean up");
    await checkInvariants(stage.models, stage.hub);
  });

  test("with `--older-than` leaves alone what is younger", async () => {
    await leaveAll();
    const run = await stage.luci(["cleanup", "--yes", "--older-than", "1d", "--json"]);
    const { items, kept } = resultOf(run) as { items: unknown[]; kept: { kind: string }[] };
    expect([items.length, kept.map(({ kind }) => kind).toSorted()]).toEqual([3, ["orphan", "partial"]]);
    expect((await stage.luci(["cleanup", "--yes", "--older-than", "4d"])).stderr).toContain(
      "Nothing to clean up",
    );
    stage.hub.reset();
    const again = ["install", "hf:org/big:big.gguf", ...ONE_BY_ONE];
    expect((await stage.luci(again)).exitCode).toBe(0);
    expect(stage.hub.servedBytes(({ origin }) => origin === "cdn")).toBeLessThan(12 * MIB);
  });

  test("deletes nothing while a record cannot be read", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0"]);
    await leaveAll();
    await writeFile(join(stage.manifests, "torn.json"), '{"format":1,');
    const before = await snapshot(stage.models);
    const run = await stage.luci(["cleanup", "--yes", "--json"]);
    expect(run.exitCode).toBe(4);
    expect(errorOf(run)["message"]).toContain("torn.json: this record cannot be read");
    expect(await snapshot(stage.models)).toEqual(before);
    expect((await stage.luci(["remove", "org/quants:Q8_0"])).exitCode).toBe(4);
    expect(await snapshot(stage.models)).toEqual(before);
  });

  test("verify says of a record that cannot be read what helps, which is no repair", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0"]);
    await writeFile(join(stage.manifests, "torn.json"), '{"format":1,');
    const run = await stage.luci(["verify", "--json"]);
    expect(run.exitCode).toBe(4);
    expect(errorOf(run)["hint"]).toContain("Move that file away");
  });

  test("takes a link away, never what it points to", async () => {
    const precious = join(stage.home, "precious");
    await writeFile(precious, "precious");
    await leavePartial();
    await symlink(precious, join(stage.partials, `sha256-${HEX}.part`));
    expect((await stage.luci(["cleanup", "--yes"])).exitCode).toBe(0);
    expect(await readFile(precious, "utf8")).toBe("precious");
    expect(await filesBelow(stage.partials)).toEqual([]);
    await rm(precious);
  });
});

describe("remove", () => {
  test("takes the model, its files and its empty folders, and nothing else", async () => {
    await stage.luci(["install", "hf:org/whole", "hf:org/quants:Q8_0"]);
    await writeFile(join(stage.models, "org--whole", "mine.txt"), "mine");
    const before = await snapshot(stage.models);
    const dry = await stage.luci(["remove", "org/whole", "--dry-run"]);
    expect([dry.exitCode, dry.stdout.trim().split("\n").length]).toEqual([0, 7]);
    expect(await snapshot(stage.models)).toEqual(before);
    expect((await stage.luci(["remove", "hf:org/whole"])).exitCode).toBe(0);
    expect(await finalsBelow(stage.models)).toEqual(["org--whole/mine.txt", "quants-Q8_0.gguf"]);
    await rm(join(stage.models, "org--whole"), { recursive: true });
    await checkInvariants(stage.models, stage.hub);
    expect((await stage.luci(["verify"])).exitCode).toBe(0);
  });

  test("keeps a file that another model shares, and says so", async () => {
    const env = await writeCatalog(stage, [
      { name: "mine", repo: "org/quants", files: ["quants-Q8_0.gguf"] },
    ]);
    await stage.luci(["install", "mine", "hf:org/quants:Q8_0"], { env });
    const run = await stage.luci(["remove", "mine"], { env });
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toContain("another model uses it");
    expect(await finalsBelow(stage.models)).toEqual(["quants-Q8_0.gguf"]);
    expect((await stage.luci(["remove", "org/quants:Q8_0"], { env })).exitCode).toBe(0);
    expect(await finalsBelow(stage.models)).toEqual([]);
    expect(await filesBelow(join(stage.models, ".luci"))).toEqual([]);
  });

  test("removes nothing when one of the names is wrong", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0"]);
    const before = await snapshot(stage.models);
    const run = await stage.luci(["remove", "org/quants:Q8_0", "nobody"]);
    expect(run.exitCode).toBe(7);
    expect(await snapshot(stage.models)).toEqual(before);
  });
});

describe("looking", () => {
  test("usage shows models, unfinished downloads and other files, biggest first", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0", "hf:org/quants:Q4_K_M"]);
    await leavePartial();
    await writeFile(join(stage.models, "mine.bin"), new Uint8Array(1.5 * MIB));
    const { stdout, exitCode } = await stage.luci(["usage"]);
    expect(exitCode).toBe(0);
    const order = ["org/big:big.gguf", "org/quants:Q8_0", "mine.bin", "org/quants:Q4_K_M", "in all"];
    expect(order.map((word) => stdout.indexOf(word))).toEqual(
      order.map((word) => stdout.indexOf(word)).toSorted((one, other) => one - other),
    );
    expect(stdout).toContain("unfinished download");
    expect(stdout).toContain("not from luci");
    expect(stdout).toMatch(/in all, .* free/);
    const result = resultOf(await stage.luci(["usage", "--json"])) as {
      models: { sizeBytes: number }[];
      others: unknown;
      totalBytes: number;
      partials: { sizeBytes: number }[];
    };
    const sizes = [...result.models, ...result.partials].map(({ sizeBytes }) => sizeBytes);
    expect(result.totalBytes).toBe(sizes.reduce((sum, size) => sum + size, 1.5 * MIB));
  });

  test("list marks what is gone or cut, and usage counts what is on the disk", async () => {
    await stage.luci(["install", "hf:org/quants:Q8_0", "hf:org/quants:Q4_K_M"]);
    const [cut = "", gone = ""] = await finalsBelow(stage.models);
    await truncate(join(stage.models, cut), 100_000);
    await rm(join(stage.models, gone));
    const { stdout } = await stage.luci(["list"]);
    expect(stdout).toMatch(/Q4_K_M .* incomplete$/im);
    expect(stdout).toMatch(/Q8_0 .* missing$/im);
    const result = resultOf(await stage.luci(["usage", "--json"]));
    expect(result).toMatchObject({
      totalBytes: 100_000,
      models: [
        { sizeBytes: 100_000, files: 1 },
        { sizeBytes: 0, files: 0 },
      ],
    });
  });

  test("list, info and path tell of what is there, and of what is unfinished", async () => {
    const env = await writeCatalog(stage, [
      { name: "bigone", repo: "org/big", files: ["big.gguf"], aliases: ["huge"], tier: 3 },
    ]);
    expect((await stage.luci(["list"], { env })).stderr).toContain("No models installed");
    expect((await stage.luci(["list", "--available"], { env })).stdout).toMatch(/tier 3\n(.*\n)*?.*bigone/);
    await stage.luci(["install", "huge"], { env });
    expect((await stage.luci(["list"], { env })).stdout).toMatch(/^bigone +12\.6 MB +\d{4}-\d\d-\d\d\n$/);
    expect((await stage.luci(["path", "HUGE"], { env })).stdout).toBe(`${join(stage.models, "big.gguf")}\n`);
    const info = await stage.luci(["info", "huge"], { env });
    expect(info.stdout).toContain("checked against the catalog's");
    expect(info.stdout).toContain(stage.hub.filesOf("org/big").get("big.gguf")!.content.sha256);
    expect(stage.hub.log(({ path }) => path.startsWith("/api/"))).toEqual([]);

    await stage.luci(["remove", "bigone"], { env });
    await leavePartial("huge", env);
    const unfinished = (await stage.luci(["info", "huge"], { env })).stdout;
    expect(unfinished).toMatch(/installed +no/);
    expect(unfinished).toMatch(/kept +\d[\d.]* MB of an unfinished download/);
    expect((await stage.luci(["path", "huge"], { env })).exitCode).toBe(7);
  });
});

describe("`--json` through a pipe", () => {
  /** A model of so many files that its audit is told in megabytes. */
  async function fakeModel(files: number): Promise<void> {
    await stage.luci(["install", "hf:org/quants:Q8_0"]);
    const [record = ""] = await filesBelow(stage.manifests);
    const manifest = JSON.parse(await readFile(join(stage.manifests, record), "utf8")) as {
      files: { path: string }[];
    };
    const [file] = manifest.files;
    manifest.files = Array.from({ length: files }, (_, index) => ({
      ...file,
      path: `${"x".repeat(100)}/${index}`,
    }));
    await writeFile(join(stage.manifests, record), JSON.stringify(manifest));
  }

  test("is complete however slowly it is read: 2 MB and more, every line JSON, the result last", async () => {
    await fakeModel(4000);
    const command = `"${luciBinary()}" verify --quick --json org/quants:Q8_0 2>err | (sleep 1; cat) > out; echo "\${PIPESTATUS[0]}" > code`;
    const run = Bun.spawn(["bash", "-c", command], {
      cwd: stage.home,
      env: { PATH: process.env["PATH"] ?? "", HOME: stage.home, LUCI_HOME: stage.home },
    });
    expect(await run.exited).toBe(0);
    const [out = "", err = "", code] = await Promise.all(
      ["out", "err", "code"].map((name) => readFile(join(stage.home, name), "utf8")),
    );
    expect(code).toBe("4\n");
    expect(out.length).toBeGreaterThan(2 * MIB);
    expect(out).toEndWith("}\n");
    const events = parseEvents(out);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect([events[0]?.["type"], events.at(-1)?.["type"]]).toEqual(["run.started", "result"]);
    expect(events.filter(({ type }) => type === "finding")).toHaveLength(4000);
    expect((resultOf({ stdout: out, stderr: err })["findings"] as unknown[]).length).toBeGreaterThanOrEqual(
      4000,
    );
    expect(errorOf({ stderr: err })).toMatchObject({ code: "E_DAMAGED", exit: 4 });
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("a reader that goes away ends it quietly", async () => {
    await fakeModel(4000);
    const command = `("${luciBinary()}" verify --quick --json; echo "$?" > code) 2>err | head -n 2 > out`;
    await Bun.spawn(["bash", "-c", command], {
      cwd: stage.home,
      env: { PATH: process.env["PATH"] ?? "", HOME: stage.home, LUCI_HOME: stage.home },
    }).exited;
    const [out = "", err = "", code = ""] = await Promise.all(
      ["out", "err", "code"].map((name) => readFile(join(stage.home, name), "utf8")),
    );
    expect(parseEvents(out)).toHaveLength(2);
    expect(err).not.toContain("    at ");
    expect(code.trim()).toMatch(/^(4|141)$/);
  });

  test.each([
    ["install", ["install", "hf:org/quants:Q4_K_M"], 0],
    ["an install that fails", ["install", "hf:org/nothing"], 7],
    ["list", ["list"], 0],
    ["usage", ["usage"], 0],
    ["cleanup", ["cleanup"], 0],
    ["info", ["info", "tinyllama"], 0],
    ["version", ["version"], 0],
  ])("%s ends in a result, with nothing but the error on standard error", async (_what, args, exitCode) => {
    const run = await stage.luci([...args, "--json"]);
    const events = parseEvents(run.stdout);
    expect([run.exitCode, events.at(-1)?.["type"]]).toEqual([exitCode, "result"]);
    expect(run.stderr === "").toBe(exitCode === 0);
    if (exitCode !== 0) expect(errorOf(run)).toMatchObject({ exit: exitCode });
  });
});
