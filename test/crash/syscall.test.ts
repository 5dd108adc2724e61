// Death at each system call that changes the disk, of install, repair, remove and cleanup, injected by strace: what is
// left is never wrong, the next run needs no help, and cleanup leaves nothing behind.
// needs: strace (strace)

import { describe, expect, test } from "bun:test";
import { appendFile, readdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile } from "../support/model-repos.ts";
import { finalsBelow, filesBelow, openStage, writeCatalog } from "../support/stage.ts";
import type { Stage, StageRun } from "../support/stage.ts";

const MIB = 1024 * 1024;
/** What changes names or makes data durable; the rest a crash cannot put in a wrong order. */
const CALLS = ["mkdir", "pwritev", "fdatasync", "fsync", "link", "rename", "unlink", "rmdir"];
/** strace counts per thread: beyond this no thread of these small runs comes. */
const MOST_CALLS = 40;
/** Of these there are many at every start, so not each is worth a death. */
const STEP_OF: Readonly<Record<string, number>> = { openat: 20 };
/** A process of another machine, believed alive for half an hour. */
const OTHER_TAG = `4194305.${"0".repeat(12)}`;

const canTrace =
  process.platform === "linux" &&
  Bun.which("strace") !== null &&
  Bun.spawnSync(["strace", "-qq", "true"]).success;
if (!canTrace) {
  if (process.env["CI"])
    throw new Error("strace is missing or may not trace: death at system calls cannot be tried");
  console.warn("strace is missing or may not trace: no death at system calls is tried");
}

/** Dies at the n-th call of a kind. Answers whether it did; false means that there were fewer. */
async function dieAt(
  stage: Stage,
  args: readonly string[],
  at: { call: string; nth: number; env?: StageRun["env"] },
): Promise<boolean> {
  const { call, nth, env } = at;
  const inject = `inject=${call}:signal=SIGKILL:when=${nth}`;
  const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
  const run = await stage.luci(args, { wrapper, ...(env ? { env } : {}) });
  if (run.exitCode === 137) return true;
  expect([args, at, run.exitCode, run.stderr]).toEqual([args, at, 0, run.stderr]);
  return false;
}

interface Sweep {
  readonly args: readonly string[];
  readonly env?: StageRun["env"];
  readonly calls: readonly string[];
  /** Before each death: the state the command finds. */
  prepare(): Promise<void>;
  /** After each death: what must hold whatever happened. */
  check(at: { call: string; nth: number }): Promise<void>;
}

/** One death at every call of every kind; answers how many there were. */
async function sweep(stage: Stage, { args, env, calls, prepare, check }: Sweep): Promise<number> {
  let deaths = 0;
  for (const call of calls) {
    const step = STEP_OF[call] ?? 1;
    for (let nth = step; nth <= MOST_CALLS * step; nth += step) {
      await prepare();
      const at = { call, nth };
      const died = await dieAt(stage, args, { ...at, env });
      if (died) deaths += 1;
      await check(at).catch((cause: unknown) => {
        throw new Error(`after death at ${call} ${nth} of \`luci ${args.join(" ")}\``, { cause });
      });
      if (!died) break;
    }
  }
  return deaths;
}

async function clear(stage: Stage): Promise<void> {
  await rm(stage.models, { recursive: true, force: true });
}

/** A plain run makes it whole, and cleanup then finds nothing but what is needed. */
async function recover(stage: Stage, args: readonly string[]): Promise<void> {
  await checkInvariants(stage.models, stage.hub);
  const run = await stage.luci(args);
  expect([run.exitCode, run.stderr]).toEqual([0, run.stderr]);
  const { models, finals } = await checkInvariants(stage.models, stage.hub);
  expect([models.length, finals.length > 0]).toEqual([1, true]);
  await expectTidy(stage);
}

async function expectTidy(stage: Stage): Promise<void> {
  const { exitCode } = await stage.luci(["cleanup", "--yes"]);
  const left = (await filesBelow(join(stage.models, ".luci"))).filter(
    (path) => !path.includes("/manifests/"),
  );
  expect([exitCode, left]).toEqual([0, []]);
  const manifests = await readdir(stage.manifests).catch(() => []);
  expect(manifests.filter((name) => !name.endsWith(".json"))).toEqual([]);
}

describe.skipIf(!canTrace)("death at a system call", () => {
  test("of an install", async () => {
    const files = [await ggufFile("sub/one.gguf", 200_000, 1), { path: "config.json", content: "{}\n" }];
    await using stage = await openStage({ repos: [{ name: "org/two", files }] });
    const args = ["install", "hf:org/two"];
    const deaths = await sweep(stage, {
      args,
      calls: CALLS,
      prepare: () => clear(stage),
      check: () => recover(stage, args),
    });
    expect(deaths).toBeGreaterThan(12);
  }, 1_800_000);

  test("of an install that makes checkpoints", async () => {
    const repos = [{ name: "org/one", files: [await ggufFile("one.gguf", 36 * MIB, 2)] }];
    await using stage = await openStage({ repos });
    const args = ["install", "hf:org/one:one.gguf"];
    const deaths = await sweep(stage, {
      args,
      calls: ["fdatasync", "rename", "fsync"],
      prepare: () => clear(stage),
      check: () => recover(stage, args),
    });
    expect(deaths).toBeGreaterThan(4);
  }, 1_800_000);

  test("of an install of several models, two of one file, and of small files", async () => {
    const files = [
      await ggufFile("sub/one.gguf", 90_000, 5),
      await ggufFile("two.gguf", 50_000, 6),
      { path: "config.json", content: "{}\n" },
    ];
    const twin = { name: "org/twin", files: [await ggufFile("twin.gguf", 2 * MIB, 7)] };
    await using stage = await openStage({ repos: [{ name: "org/small", files }, twin] });
    const env = await writeCatalog(stage, [
      { name: "alpha", repo: "org/twin", files: ["twin.gguf"] },
      { name: "beta", repo: "org/twin", files: ["twin.gguf"] },
    ]);
    const args = ["install", "alpha", "hf:org/small", "beta"];
    const deaths = await sweep(stage, {
      args,
      env,
      calls: ["openat", "ftruncate", "pwrite64", "link", "rename", "unlink", "fsync"],
      prepare: () => clear(stage),
      check: async () => {
        await checkInvariants(stage.models, stage.hub);
        const run = await stage.luci(args, { env });
        expect([run.exitCode, run.stderr]).toEqual([0, run.stderr]);
        const { models } = await checkInvariants(stage.models, stage.hub);
        expect(models).toEqual(["alpha", "beta", "org/small"]);
        await expectTidy(stage);
      },
    });
    expect(deaths).toBeGreaterThan(12);
  }, 1_800_000);

  test("of a repair: the installed file is the damaged or the whole one, never less", async () => {
    const repos = [{ name: "org/one", files: [await ggufFile("one.gguf", 9 * MIB, 3)] }];
    await using stage = await openStage({ repos });
    const final = join(stage.models, "one.gguf");
    await stage.luci(["install", "hf:org/one:one.gguf"]);
    const sound = await Bun.file(final).bytes();
    const damaged = sound.with(100, 255 - sound[100]!);
    const deaths = await sweep(stage, {
      args: ["verify", "--repair"],
      calls: ["openat", "ftruncate", "mkdir", "pwritev", "fdatasync", "fsync", "link", "rename", "unlink"],
      prepare: async () => {
        await Bun.write(final, damaged);
        await utimes(final, 1, 1);
      },
      check: async () => {
        const found = await Bun.file(final).bytes();
        expect([damaged, sound].some((bytes) => Buffer.compare(bytes, found) === 0)).toBe(true);
        expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
        await checkInvariants(stage.models, stage.hub);
        await expectTidy(stage);
      },
    });
    expect(deaths).toBeGreaterThan(4);
  }, 1_800_000);

  test("of a removal: the model is whole, or cleanup takes the rest away", async () => {
    const files = [await ggufFile("sub/one.gguf", 200_000, 1), { path: "config.json", content: "{}\n" }];
    await using stage = await openStage({ repos: [{ name: "org/two", files }] });
    const deaths = await sweep(stage, {
      args: ["remove", "org/two"],
      calls: ["openat", "mkdir", "rename", "fsync", "unlink", "rmdir"],
      prepare: async () => {
        await clear(stage);
        await stage.luci(["install", "hf:org/two"]);
      },
      check: async () => {
        await checkInvariants(stage.models, stage.hub);
        await expectTidy(stage);
        const { models, finals } = await checkInvariants(stage.models, stage.hub);
        expect([models.length, finals.length]).toEqual(models.length > 0 ? [1, 2] : [0, 0]);
      },
    });
    expect(deaths).toBeGreaterThan(4);
  }, 1_800_000);

  test("of a cleanup: what is installed stays, and the next one finishes", async () => {
    const repos = [{ name: "org/one", files: [await ggufFile("one.gguf", MIB, 4)] }];
    await using stage = await openStage({ repos });
    await stage.luci(["install", "hf:org/one:one.gguf"]);
    const deaths = await sweep(stage, {
      args: ["cleanup", "--yes"],
      calls: ["openat", "mkdir", "rename", "unlink"],
      prepare: async () => {
        for (const key of ["sha256-00", "source-11"]) {
          await appendFile(join(stage.partials, `${key}.part`), "data without a journal");
          const torn = join(stage.partials, `${key}.json.${OTHER_TAG}.1.tmp`);
          await appendFile(torn, "torn");
          await utimes(torn, 1, 1);
        }
      },
      check: async () => {
        expect(await finalsBelow(stage.models)).toEqual(["one.gguf"]);
        await expectTidy(stage);
        await checkInvariants(stage.models, stage.hub);
      },
    });
    expect(deaths).toBeGreaterThan(2);
  }, 1_800_000);
});
