// luci as a process among others: terminals, pipes, suspended machines, and what a shell may do to a program.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile } from "../support/model-repos.ts";
import { prng } from "../support/prng.ts";
import { startOnPty } from "../support/pty-run.ts";
import { luciBinary, parseEvents } from "../support/run-luci.ts";
import { ONE_BY_ONE, arrivedAfter, fileBytes, hold, isFileRequest, openStage } from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const INSTALL = ["install", "hf:org/model:model.gguf"];
const isPosix = process.platform !== "win32";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    repos: [{ name: "org/model", files: [await ggufFile("model.gguf", 24 * MIB, 1)] }],
  });
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  stage.hub.behave({ intercept: null, rateBytesPerSec: null });
  stage.hub.reset();
});
afterAll(() => stage[Symbol.asyncDispose]());

interface ShellRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell line; `$LUCI` is the binary. */
async function shell(
  line: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<ShellRun> {
  const child = Bun.spawn(["sh", "-c", line], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: stage.home,
    env: {
      PATH: process.env["PATH"],
      HOME: stage.home,
      LUCI_HOME: stage.home,
      HF_ENDPOINT: stage.hub.url,
      LUCI: luciBinary(),
      NO_COLOR: "1",
      ...env,
    },
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

function served(bytes: number): Promise<void> {
  return stage.hub.whenServed(bytes, { filter: isFileRequest, signal: AbortSignal.timeout(60_000) });
}

describe.skipIf(!isPosix)("at a terminal", () => {
  test("ten Ctrl-C at random moments: answered, kept, and the terminal is as before", async () => {
    const random = prng(20_260_202);
    const env = { HOME: stage.home, LUCI_HOME: stage.home, HF_ENDPOINT: stage.hub.url };
    let bars = 0;
    for (let round = 0; round < 10; round += 1) {
      stage.hub.behave({ rateBytesPerSec: MIB });
      const moreBytes = fileBytes(stage.hub) + random.integer(0, MIB);
      const run = startOnPty(INSTALL, env);
      await (round % 3 === 0 ? wait(random.integer(60, 400)) : served(moreBytes));
      // What is left must last until Ctrl-C is heard; and once at least there is something to keep.
      hold(stage.hub);
      if (round === 8) await arrivedAfter(stage, { servedBytes: moreBytes, leastBytes: 1 });
      await until("luci has the terminal", () => run.isRunning());
      if (round % 3 === 1) await until("the cursor is hidden", () => run.shown().includes("\u001B[?25l"));
      run.interrupt();
      // Unheard, it would end by itself, and well.
      const { exitCode, shown, before, after } = await run.ended;
      const seen = [`LUCI_TEST_SEED=${random.seed}`, round];
      expect([...seen, exitCode]).toEqual([...seen, 130]);
      expect([...seen, after]).toEqual([...seen, before]);
      if (shown.includes("\u001B[?25l")) bars += 1;
      expect([...seen, shown.lastIndexOf("\u001B[?25h") >= shown.lastIndexOf("\u001B[?25l")]).toEqual([
        ...seen,
        true,
      ]);
      await checkInvariants(stage.models, stage.hub);
    }
    // Otherwise no cursor was ever hidden, and the test saw nothing.
    expect(bars).toBeGreaterThanOrEqual(3);
    stage.hub.behave({ rateBytesPerSec: null });
    stage.hub.reset();
    expect((await stage.luci([...INSTALL, ...ONE_BY_ONE])).exitCode).toBe(0);
    expect(fileBytes(stage.hub)).toBeLessThan(24 * MIB);
  });
});

describe.skipIf(!isPosix)("a machine that sleeps", () => {
  test("longer than the stall time is no stall, and nothing is tried again", async () => {
    stage.hub.behave({ rateBytesPerSec: 4 * MIB });
    const child = stage.start([...INSTALL, "--json", "--connections", "2"], {
      env: { LUCI_STALL_SECONDS: "4" },
    });
    await served(2 * MIB);
    child.kill("SIGSTOP");
    await wait(5_500);
    child.kill("SIGCONT");
    const { exitCode, stdout, stderr } = await child.ended;
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(parseEvents(stdout).filter(({ type }) => type === "file.retrying")).toEqual([]);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["model.gguf"]);
  });
});

describe.skipIf(!isPosix)("in a pipeline", () => {
  test("a slow reader gets megabytes of JSON complete", async () => {
    const source = (name: string) => ({
      hub: "huggingface",
      repo: `org/${name}`,
      revision: "0".repeat(40),
      files: [{ path: `${name}.gguf`, size: 1, sha256: "0".repeat(64) }],
    });
    const names = Array.from({ length: 8_000 }, (_, index) => `model-${index}-${"x".repeat(60)}`);
    const models = names.map((name) => ({ name, aliases: [], tier: 0, source: source(name) }));
    const path = join(stage.home, "many.json");
    await writeFile(path, JSON.stringify({ version: 1, groups: {}, models }));
    const { exitCode, stdout, stderr } = await shell(
      '"$LUCI" list --available --json | { dd bs=1k count=3 2>/dev/null; sleep 1; cat; }',
      { LUCI_CATALOG: path },
    );
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout.length).toBeGreaterThan(2_000_000);
    const events = parseEvents(stdout);
    expect(events.at(-1)).toMatchObject({ type: "result" });
    expect(stdout).toContain(names.at(-1)!);
  });

  test("a reader that has seen enough ends it quietly, as SIGPIPE would", async () => {
    // It does not end by itself, however late its reader goes.
    const line = '("$LUCI" ps --watch --json; echo "exit $?" >&2) | head -n 1';
    const { exitCode, stdout, stderr } = await shell(line);
    expect([exitCode, stderr]).toEqual([0, "exit 141\n"]);
    expect(parseEvents(stdout)).toMatchObject([{ type: "run.started" }]);
  });

  test("an install whose reader went away keeps what it has", async () => {
    // Nor does this one.
    hold(stage.hub);
    const { stderr } = await shell(`("$LUCI" ${INSTALL.join(" ")} --json; echo "exit $?" >&2) | head -n 4`);
    expect(stderr).toBe("exit 141\n");
    await checkInvariants(stage.models, stage.hub);
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci(INSTALL)).exitCode).toBe(0);
  });
});

describe.skipIf(!isPosix)("started by a shell", () => {
  test.each([
    ["standard input", "<&-"],
    ["standard output", ">&-"],
    ["standard error", "2>&-"],
    ["all three", "<&- >&- 2>&-"],
  ])("with %s closed it installs, and writes no word into a model", async (_what, redirection) => {
    expect((await shell(`"$LUCI" ${INSTALL.join(" ")} ${redirection}`)).exitCode).toBe(0);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["model.gguf"]);
  });

  test.skipIf(process.platform !== "linux")(
    "`nohup` outlives its terminal, anything else is told",
    async () => {
      for (const [prefix, exit] of [
        ["nohup", 0],
        ["env", 129],
      ] as const) {
        await rm(stage.models, { recursive: true, force: true });
        stage.hub.behave({ rateBytesPerSec: 4 * MIB });
        stage.hub.reset();
        const child = stage.start(INSTALL, { wrapper: [prefix] });
        await served(2 * MIB);
        child.kill("SIGHUP");
        expect([prefix, (await child.ended).exitCode]).toEqual([prefix, exit]);
      }
    },
  );

  test("in the background with SIGINT ignored it still answers", async () => {
    stage.hub.behave({ rateBytesPerSec: 2 * MIB });
    const child = stage.start(INSTALL, { wrapper: ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] });
    await served(MIB);
    child.kill("SIGINT");
    expect((await child.ended).exitCode).toBe(130);
  });

  test("without HOME the user's own folder is used", async () => {
    const home = (await shell("unset HOME; cd ~ 2>/dev/null; echo", { HOME: undefined })).exitCode;
    expect(home).toBe(0);
    const { exitCode, stderr, stdout } = await shell('"$LUCI" usage', {
      HOME: undefined,
      LUCI_HOME: undefined,
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(join(".luciferai", "models"));
  });

  test("a word of 100 000 letters is refused in few words", async () => {
    const { exitCode, stderr } = await stage.luci(["install", "a".repeat(100_000)]);
    expect(exitCode).toBe(2);
    expect(stderr.length).toBeLessThan(1_000);
  });

  test("10 000 models that cannot be reached are 10 000 answers and one exit code", async () => {
    const refs = Array.from({ length: 10_000 }, (_, index) => `hf:org/m${index}`);
    const env = { HF_ENDPOINT: "http://127.0.0.1:9" };
    const run = await stage.luci(["install", ...refs, "--retries", "0"], { env, timeoutMs: 500_000 });
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toContain("10000 of 10000 models failed");
  }, 600_000);

  test.each(["-n 64", "-n 32", "-v 4000000"])("under `ulimit %s` it installs", async (limit) => {
    const { exitCode, stderr } = await shell(`ulimit ${limit}; "$LUCI" ${INSTALL.join(" ")}`);
    expect([exitCode, stderr]).toEqual([0, stderr]);
    expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["model.gguf"]);
  });
});

test("what the environment tells the runtime runs no code", async () => {
  const owned = join(stage.home, "owned");
  const evil = join(stage.home, "evil.js");
  await writeFile(evil, `require("node:fs").writeFileSync(${JSON.stringify(owned)}, "owned");`);
  for (const [name, value] of [
    ["BUN_OPTIONS", `--preload ${evil}`],
    ["BUN_INSPECT_PRELOAD", evil],
    ["BUN_INSPECT", "ws://127.0.0.1:9/x"],
    ["NODE_OPTIONS", `--require ${evil}`],
  ] as const) {
    const { exitCode } = await stage.luci(["list"], { env: { [name]: value }, cwd: stage.home });
    // The runtime refuses some of them in its own words, before luci begins.
    expect([name, [0, 1].includes(exitCode)]).toEqual([name, true]);
    expect([name, await Bun.file(owned).exists()]).toEqual([name, false]);
  }
});
