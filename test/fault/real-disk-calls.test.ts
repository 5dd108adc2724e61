// System calls of the compiled luci that fail, injected by strace: each kind, each time it is made. No wrong file,
// no stack, the disk's exit code, and a plain second run makes it good.
// needs: strace (strace)

import { describe, expect, test } from "bun:test";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkInvariants } from "../support/invariants.ts";
import { vouchedBytes, whenWritten } from "../support/kept-bytes.ts";
import { ggufFile } from "../support/model-repos.ts";
import { ONE_BY_ONE, type Stage, type StageRun, fileBytes, heldAfter, openStage } from "../support/stage.ts";
import { tempHome } from "../support/temp-home.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const ONE = ["install", "hf:org/one:one.gguf"];
/** strace counts per thread: beyond this no thread of these small runs comes. */
const MOST_CALLS = 30;

const canTrace =
  process.platform === "linux" &&
  Bun.which("strace") !== null &&
  Bun.spawnSync(["strace", "-qq", "-o", "/dev/null", "true"]).success;
if (!canTrace) {
  const message = "strace is missing or may not trace: no failing system call is tried";
  if (process.env["CI"]) throw new Error(message);
  console.warn(message);
}

/** strace counts per thread, and which one makes a call is up to the scheduler: with two of them, one makes half of the writes. */
const FEW_THREADS = { env: { UV_THREADPOOL_SIZE: "1" } } as const;

function failing(call: string, how: string, log = "/dev/null"): Required<Pick<StageRun, "wrapper">> {
  const trace = ["strace", "-f", "-qq", "-o", log, "-e", `trace=${call}`];
  return { wrapper: [...trace, "-e", `inject=${call}:${how}`] };
}

async function stageOf(sizeBytes: number): Promise<Stage> {
  return openStage({ repos: [{ name: "org/one", files: [await ggufFile("one.gguf", sizeBytes, 1)] }] });
}

async function expectWhole(stage: Stage): Promise<void> {
  const { finals, models } = await checkInvariants(stage.models, stage.hub);
  expect([finals, models.length]).toEqual([["one.gguf"], 1]);
}

/** No stack, nothing unfinished in the words, the path where there is a reason. */
function expectCalm(stderr: string): void {
  expect(stderr).not.toMatch(/at .*\.ts:|E_INTERNAL|FileHandle|undefined/);
}

describe.skipIf(!canTrace)("a system call that fails once", () => {
  const rows = [
    ["pwritev", "ENOSPC"],
    ["pwritev", "EIO"],
    ["pwritev", "EDQUOT"],
    ["fsync", "EIO"],
    ["rename", "EXDEV"],
    ["rename", "EIO"],
    ["link", "EIO"],
    ["link", "EPERM"],
    ["unlink", "EIO"],
    ["pwrite64", "ENOSPC"],
    ["mkdir", "EROFS"],
    ["ftruncate", "EIO"],
    ["flock", "ENOLCK"],
  ] as const;
  test.each(rows)("%s: %s, each time it is made", async (call, errno) => {
    await using stage = await stageOf(2 * MIB);
    await using logs = await tempHome();
    const log = join(logs.path, "calls");
    let met = 0;
    for (let nth = 1; nth <= MOST_CALLS; nth += 1) {
      await rm(stage.models, { recursive: true, force: true });
      const how = failing(call, `error=${errno}:when=${nth}`, log);
      const run = await stage.luci([...ONE, "--disk-wait", "0"], how);
      // A call that luci does not make cannot fail.
      if (nth === 1) expect(await readFile(log, "utf8")).toContain("(INJECTED)");
      expect([nth, [0, 8].includes(run.exitCode), run.stderr]).toEqual([nth, true, run.stderr]);
      expectCalm(run.stderr);
      if (run.exitCode === 8) expect(run.stderr).toContain(stage.home);
      await checkInvariants(stage.models, stage.hub);
      const again = await stage.luci(ONE);
      expect([nth, again.exitCode, again.stderr]).toEqual([nth, 0, again.stderr]);
      await expectWhole(stage);
      if (run.exitCode === 8) met = nth;
      // Some failures are borne in silence: two in a row may be, three are the end of such calls.
      if (run.exitCode === 0 && nth >= met + 3) break;
    }
  });

  test("openat: EMFILE, EACCES and EIO by turns, each time a file is opened", async () => {
    await using stage = await stageOf(MIB);
    const words: string[] = [];
    for (let nth = 1; nth <= MOST_CALLS; nth += 1) {
      const errno = ["EMFILE", "EACCES", "EIO"][nth % 3] ?? "EIO";
      await rm(stage.models, { recursive: true, force: true });
      const run = await stage.luci(ONE, failing("openat", `error=${errno}:when=${nth}`));
      words.push(run.stderr);
      expectCalm(run.stderr);
      await checkInvariants(stage.models, stage.hub);
      expect((await stage.luci(ONE)).exitCode).toBe(0);
      await expectWhole(stage);
    }
    expect(words.join("")).toMatch(/too many open files[^]*ulimit -n|permission denied|input\/output error/);
  }, 600_000);
});

describe.skipIf(!canTrace)("a write", () => {
  test("that has no room once is waited for and made again", async () => {
    await using stage = await stageOf(20 * MIB);
    const args = [...ONE, ...ONE_BY_ONE];
    // Three requests at least, and each is written by itself.
    const run = await stage.luci(args, { ...FEW_THREADS, ...failing("pwritev", "error=ENOSPC:when=2") });
    expect([run.exitCode, run.stderr.includes("Paused: ")]).toEqual([0, true]);
    await expectWhole(stage);
    // What lay in socket buffers when the transfers paused was served, and is asked for again.
    expect(fileBytes(stage.hub)).toBeLessThan(60 * MIB);
  });

  test("of the lock that has no room is waited for too", async () => {
    await using stage = await stageOf(2 * MIB);
    const run = await stage.luci(ONE, failing("pwrite64", "error=ENOSPC:when=1"));
    expect([run.exitCode, run.stderr.includes("Paused: ")]).toEqual([0, true]);
    expect(run.stderr).not.toContain("another luci");
    await expectWhole(stage);
  });

  test("that says it wrote what it did not is found out by the digest, never published", async () => {
    await using stage = await stageOf(20 * MIB);
    const once = await stage.luci(ONE, { ...FEW_THREADS, ...failing("pwritev", "retval=4096:when=2") });
    expect(once.stderr).toMatch(/do not match the published digest/);
    await checkInvariants(stage.models, stage.hub);
    // The second write of a thread may also be the record's, which then takes no name.
    expect([0, 4, 8]).toContain(once.exitCode);
    await rm(stage.models, { recursive: true, force: true });
    const always = await stage.luci(ONE, failing("pwritev", "retval=65536:when=1+"));
    expect([4, 8]).toContain(always.exitCode);
    expectCalm(always.stderr);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual([]);
    expect((await stage.luci(ONE)).exitCode).toBe(0);
    await expectWhole(stage);
  });
});

describe.skipIf(!canTrace)("a record", () => {
  test("that the disk says it wrote and did not takes no name", async () => {
    await using stage = await stageOf(MIB);
    expect((await stage.luci(ONE)).exitCode).toBe(0);
    // Its file is found whole: all there is to write is the record.
    await rm(join(stage.models, ".luci/v1/manifests"), { recursive: true });
    const run = await stage.luci(ONE, failing("pwritev", "retval=1000000:when=1+"));
    expect([run.exitCode, run.stderr]).toEqual([8, expect.stringContaining("kept less than was written")]);
    expectCalm(run.stderr);
    await checkInvariants(stage.models, stage.hub);
    expect((await stage.luci(ONE)).exitCode).toBe(0);
    await expectWhole(stage);
  });
});

describe.skipIf(!canTrace)("a sync of data", () => {
  test("that fails once: what it was for is fetched once more", async () => {
    await using stage = await stageOf(40 * MIB);
    const run = await stage.luci(ONE, failing("fdatasync", "error=EIO:when=1"));
    expect(run.stderr).toMatch(/failed to keep its last bytes, they are fetched once more/);
    expect(fileBytes(stage.hub)).toBeGreaterThan(40 * MIB);
    expect(fileBytes(stage.hub)).toBeLessThan(100 * MIB);
    // Counted by thread: a second thread may have met its own first one, and twice is the end.
    expect([0, 8]).toContain(run.exitCode);
    await checkInvariants(stage.models, stage.hub);
    if (run.exitCode === 8) expect((await stage.luci(ONE)).exitCode).toBe(0);
    await expectWhole(stage);
  });

  test("that always fails: exit 8, nothing published, and the next run begins with what is proved", async () => {
    await using stage = await stageOf(40 * MIB);
    const run = await stage.luci(ONE, failing("fdatasync", "error=EIO:when=1+"));
    expect(run.exitCode).toBe(8);
    expect(run.stderr).toMatch(/\.part: the disk reported an input\/output error/);
    expectCalm(run.stderr);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual([]);
    expect((await stage.luci(ONE)).exitCode).toBe(0);
    await expectWhole(stage);
  });

  test.each([
    ["once: it says so, and everything is kept", 1, true],
    ["twice: the second ends it", 2, false],
  ])("that takes long when Ctrl-C comes %s", async (_what, times, isKept) => {
    // Luci waits for ten seconds: one sync, and another that was under way before, must not take as long.
    const delayMs = isKept ? 4_000 : 8_000;
    await using stage = await stageOf(40 * MIB);
    stage.hub.behave({ rateBytesPerSec: 8 * MIB });
    // With -D it is luci that is the child, and hears the signal.
    const [strace = "", ...slow] = failing("fdatasync", `delay_enter=${delayMs * 1_000}`).wrapper;
    const child = stage.start([...ONE, ...ONE_BY_ONE], { wrapper: [strace, "-D", ...slow] });
    await heldAfter(stage.hub, 6 * MIB);
    await whenWritten(stage.models, 3 * MIB);
    child.kill("SIGINT");
    await until("it says what it waits for", () => child.output().stderr.includes("still writing"));
    if (times > 1) child.kill("SIGINT");
    const { exitCode, stderr } = await child.ended;
    expect([exitCode, stderr.includes("Kept")]).toEqual([130, isKept]);
    expectCalm(stderr);
    if (isKept) expect(await vouchedBytes(stage.models)).toBeGreaterThan(2 * MIB);
    await checkInvariants(stage.models, stage.hub);
  });
});
