// The compiled luci on real file systems that are small, full, read-only, forbidden or oddly shaped: the right exit
// code, one line with the path, nothing wrong left behind, and a plain second run once it is mended.
// needs: prlimit (util-linux)
// needs: setpriv (util-linux)
// needs: chattr (e2fsprogs)

import { describe, expect, test } from "bun:test";
import { chmod, chown, mkdir, open, readdir, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile } from "../support/model-repos.ts";
import { whenWritten } from "../support/kept-bytes.ts";
import { canHave, execute, fill, freezeFolder, mountTmpfs } from "../support/real-disk.ts";
import {
  ONE_BY_ONE,
  type Stage,
  fileBytes,
  filesBelow,
  finalsBelow,
  heldAfter,
  openStage,
} from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const NOBODY = 65_534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
const ONE = ["install", "hf:org/one:one.gguf"];

const able = await canHave({
  what: "luci on small, read-only and forbidden file systems",
  programs: ["mount", "umount", "prlimit", "setpriv", "chattr"],
  probe: async () => {
    await (await mountTmpfs(MIB))[Symbol.asyncDispose]();
  },
});

function stageOf(sizeBytes: number, rateBytesPerSec?: number): Promise<Stage> {
  return ggufFile("one.gguf", sizeBytes, 1).then((file) =>
    openStage({
      repos: [{ name: "org/one", files: [file] }],
      ...(rateBytesPerSec ? { rateBytesPerSec } : {}),
    }),
  );
}

/** The one reason for people, and nothing of the program behind it. */
function expectReason(stderr: string, wanted: RegExp): void {
  expect(stderr).toMatch(wanted);
  expect(stderr).not.toMatch(/at .*\.ts:|E_INTERNAL|FileHandle|undefined/);
}

async function expectWhole(stage: Stage, models: string): Promise<void> {
  const { finals } = await checkInvariants(models, stage.hub);
  expect(finals).toEqual(["one.gguf"]);
}

function whenSaid(child: { output(): { stderr: string } }, text: string): Promise<void> {
  return until(`it says ${text}`, () => child.output().stderr.includes(text));
}

describe.skipIf(!able)("a small disk", () => {
  test("that can never hold the model: refused before the first byte", async () => {
    await using stage = await stageOf(20 * MIB);
    await using disk = await mountTmpfs(8 * MIB);
    const run = await stage.luci([...ONE, "--dir", disk.path]);
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, /Not enough room in .*: 23\.1 MB needed .*, 8\.39 MB free/);
    expect([await filesBelow(disk.path), fileBytes(stage.hub)]).toEqual([[], 0]);
  });

  test("that holds it, but for the reserve of a large one: never waited for", async () => {
    await using stage = await stageOf(20 * MIB, 6 * MIB);
    await using disk = await mountTmpfs(23 * MIB);
    const run = await stage.luci([...ONE, "--dir", disk.path]);
    expect([run.exitCode, run.stderr.includes("Paused")]).toEqual([0, false]);
    await expectWhole(stage, disk.path);
  });

  test("that others fill meanwhile: it waits, and goes on when they are gone", async () => {
    await using stage = await stageOf(20 * MIB, 4 * MIB);
    await using disk = await mountTmpfs(40 * MIB);
    const filler = join(disk.path, "filler");
    const child = stage.start([...ONE, "--dir", disk.path, "--connections", "2"]);
    await heldAfter(stage.hub, 5 * MIB);
    await fill(filler);
    await whenSaid(child, "Paused: ");
    await rm(filler);
    stage.hub.behave({ rateBytesPerSec: null });
    const run = await child.ended;
    expect(run.exitCode).toBe(0);
    expectReason(run.stderr, /Paused: .*goes on by itself[^]*There is room on the disk again/);
    await expectWhole(stage, disk.path);
    expect(fileBytes(stage.hub)).toBeLessThan(30 * MIB);
  });

  test("that others fill for good: exit 8, what came is kept, and the next run goes on", async () => {
    await using stage = await stageOf(20 * MIB, 4 * MIB);
    await using disk = await mountTmpfs(40 * MIB);
    const filler = join(disk.path, "filler");
    const child = stage.start([...ONE, "--dir", disk.path, "--connections", "2", "--disk-wait", "2s"]);
    await heldAfter(stage.hub, 8 * MIB);
    await whenWritten(disk.path, 6 * MIB);
    // Room that luci makes for its journal must not go to who fills.
    child.kill("SIGSTOP");
    await fill(filler);
    child.kill("SIGCONT");
    const run = await child.ended;
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, /no room came within 2s; what arrived is kept/);
    await rm(filler);
    expect((await checkInvariants(disk.path, stage.hub)).journals).toBe(1);
    stage.hub.reset();
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci([...ONE, "--dir", disk.path, ...ONE_BY_ONE])).exitCode).toBe(0);
    // The disk was full to the last byte: a mebibyte made way for the journal.
    expect(fileBytes(stage.hub)).toBeLessThan(16 * MIB);
    await expectWhole(stage, disk.path);
  });

  test("that others fill for good under several models: it is the disk for all of them", async () => {
    const files = await Promise.all([ggufFile("one.gguf", 20 * MIB, 1), ggufFile("two.gguf", 20 * MIB, 2)]);
    const repos = files.map((file) => ({ name: `org/${file.path}`, files: [file] }));
    await using stage = await openStage({ repos, rateBytesPerSec: 4 * MIB });
    await using disk = await mountTmpfs(64 * MIB);
    const refs = files.map(({ path }) => `hf:org/${path}:${path}`);
    const child = stage.start(["install", ...refs, "--dir", disk.path, "--disk-wait", "1s"]);
    await heldAfter(stage.hub, 5 * MIB);
    await fill(join(disk.path, "filler"));
    const run = await child.ended;
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, /2 of 2 models had no room on the disk/);
    await rm(join(disk.path, "filler"));
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci(["install", ...refs, "--dir", disk.path])).exitCode).toBe(0);
    expect((await checkInvariants(disk.path, stage.hub)).models).toHaveLength(2);
  });

  test("Ctrl-C during the wait is answered at once", async () => {
    await using stage = await stageOf(20 * MIB, 4 * MIB);
    await using disk = await mountTmpfs(40 * MIB);
    const child = stage.start([...ONE, "--dir", disk.path]);
    await heldAfter(stage.hub, 5 * MIB);
    await fill(join(disk.path, "filler"));
    await whenSaid(child, "Paused: ");
    child.kill("SIGINT");
    // Unheard, it would wait for room for far longer than a run of these tests may last.
    expect((await child.ended).exitCode).toBe(130);
    await rm(join(disk.path, "filler"));
    await checkInvariants(disk.path, stage.hub);
  });

  test("with --disk-wait 0 is not waited for", async () => {
    await using stage = await stageOf(20 * MIB, 4 * MIB);
    await using disk = await mountTmpfs(40 * MIB);
    const child = stage.start([...ONE, "--dir", disk.path], { env: { LUCI_DISK_WAIT: "0" } });
    await heldAfter(stage.hub, 5 * MIB);
    await fill(join(disk.path, "filler"));
    const run = await child.ended;
    expect([run.exitCode, run.stderr.includes("Paused")]).toEqual([8, false]);
    await rm(join(disk.path, "filler"));
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci([...ONE, "--dir", disk.path])).exitCode).toBe(0);
  });
});

describe.skipIf(!able)("a process that may not have all of it", () => {
  test("files of 10 MiB at most: said with the path, and kept", async () => {
    await using stage = await stageOf(20 * MIB);
    const run = await stage.luci([...ONE, ...ONE_BY_ONE], {
      wrapper: ["prlimit", `--fsize=${10 * MIB}`],
    });
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, /\.part: the file is larger than this file system or process may have/);
    stage.hub.reset();
    expect((await stage.luci([...ONE, ...ONE_BY_ONE])).exitCode).toBe(0);
    // The first eight mebibytes were one request; how much more of the ten came before the refused write, nobody says.
    expect(fileBytes(stage.hub)).toBeLessThan(13 * MIB);
    await expectWhole(stage, stage.models);
  });

  test.each([8, 12, 16, 20, 24, 28, 32])(
    "%p open files: it works or says which limit it is",
    async (files) => {
      await using stage = await stageOf(2 * MIB);
      const run = await stage.luci(ONE, { wrapper: ["prlimit", `--nofile=${files}`] });
      const { exitCode, stderr } = run;
      // Below a certain number the runtime itself does not start: that is not luci's to say.
      if (files >= 16 && exitCode !== 0) expectReason(stderr, /too many open files|ulimit/);
      await checkInvariants(stage.models, stage.hub);
      expect((await stage.luci(ONE)).exitCode).toBe(0);
      await expectWhole(stage, stage.models);
    },
  );
});

describe.skipIf(!able)("a place that is not to be written", () => {
  const refs = ["install", "hf:org/one:one.gguf", "hf:org/other"];

  async function twoModels(): Promise<Stage> {
    const other = [await ggufFile("w.gguf", MIB, 2), { path: "config.json", content: "{}\n" }];
    const one = await ggufFile("one.gguf", 2 * MIB, 1);
    return openStage({
      repos: [
        { name: "org/one", files: [one] },
        { name: "org/other", files: other },
      ],
    });
  }

  test("a models folder on a read-only file system", async () => {
    await using stage = await stageOf(MIB);
    await using frozen = new AsyncDisposableStack();
    frozen.use(await freezeFolder(stage.models));
    const run = await stage.luci(ONE);
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, new RegExp(`${stage.models}.*: the file system is read-only`));
    expect(await filesBelow(stage.models)).toEqual([]);
  });

  test("one model's folder on a read-only file system: the other model goes on", async () => {
    await using stage = await twoModels();
    const frozen = await freezeFolder(join(stage.models, "org--other"));
    try {
      const run = await stage.luci(refs);
      expect(run.exitCode).toBe(3);
      expectReason(run.stderr, /org--other\/.*: the file system is read-only/);
      await expectWhole(stage, stage.models);
    } finally {
      await frozen[Symbol.asyncDispose]();
    }
    stage.hub.reset();
    expect((await stage.luci(refs)).exitCode).toBe(0);
    expect((await checkInvariants(stage.models, stage.hub)).models).toHaveLength(2);
  });

  test("one model's folder that belongs to another user: the other model goes on", async () => {
    await using stage = await twoModels();
    const folder = join(stage.models, "org--other");
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o555);
    for (const path of [stage.home, stage.models]) await chown(path, NOBODY, NOBODY);
    const run = await stage.luci(refs, { wrapper: AS_NOBODY });
    expect(run.exitCode).toBe(3);
    expectReason(run.stderr, /org--other\/.*: permission denied/);
    await expectWhole(stage, stage.models);
    await chown(folder, NOBODY, NOBODY);
    await chmod(folder, 0o755);
    expect((await stage.luci(refs, { wrapper: AS_NOBODY })).exitCode).toBe(0);
  });

  test("a models folder of another user", async () => {
    await using stage = await stageOf(MIB);
    await mkdir(stage.models);
    await chmod(stage.home, 0o755);
    const run = await stage.luci(ONE, { wrapper: AS_NOBODY });
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, new RegExp(`${stage.models}.*: permission denied`));
    expect(await filesBelow(stage.home)).toEqual([]);
  });

  test("a damaged file that is immutable: repair says so, and it stays as it is", async () => {
    await using stage = await stageOf(MIB);
    expect((await stage.luci(ONE)).exitCode).toBe(0);
    const final = join(stage.models, "one.gguf");
    const file = await open(final, "r+");
    await file.write(Uint8Array.of(1, 2, 3), 0, 3, 600_000);
    await file.close();
    await execute(["chattr", "+i", final]);
    try {
      const run = await stage.luci(["verify", "--repair"]);
      expect(run.exitCode).toBe(8);
      expectReason(run.stderr, /one\.gguf: the system does not permit it/);
      const removal = await stage.luci(["remove", "org/one:one.gguf"]);
      expect(removal.exitCode).toBe(8);
      expectReason(removal.stderr, /one\.gguf: the system does not permit it[^]*Nothing was removed/);
    } finally {
      await execute(["chattr", "-i", final]);
    }
    expect((await stage.luci(["verify", "--repair"])).exitCode).toBe(0);
    await expectWhole(stage, stage.models);
  });
});

describe.skipIf(!able)("a place of an odd shape", () => {
  test("home and models folder behind links: the real places are written, and named", async () => {
    await using stage = await stageOf(2 * MIB);
    await using disk = await mountTmpfs(16 * MIB);
    const [home, models] = [join(disk.path, "home"), join(disk.path, "real-models")];
    await mkdir(models);
    await mkdir(join(stage.home, "real-home"));
    await symlink(join(stage.home, "real-home"), home);
    await symlink(models, join(stage.home, "real-home", "models"));
    const env = { LUCI_HOME: home };
    expect((await stage.luci(ONE, { env })).exitCode).toBe(0);
    await expectWhole(stage, models);
    const where = await stage.luci(["path", "org/one:one.gguf"], { env });
    expect(await Bun.file(where.stdout.trim()).exists()).toBe(true);
    expect((await stage.luci(["verify"], { env })).exitCode).toBe(0);
    expect((await stage.luci(["cleanup", "--yes"], { env })).exitCode).toBe(0);
    expect((await stage.luci(["remove", "org/one:one.gguf"], { env })).exitCode).toBe(0);
    expect(await finalsBelow(models)).toEqual([]);
  });

  test("a folder name that no file system takes", async () => {
    await using stage = await stageOf(MIB);
    const run = await stage.luci([...ONE, "--dir", join(stage.home, "n".repeat(300))]);
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, /the name is too long for this file system/);
    expect(fileBytes(stage.hub)).toBe(0);
  });

  test.each([
    ["models", /models.*: a part of this path is a file|models.*a file/],
    ["models/.luci", /\.luci.*: a part of this path is a file|\.luci.*a file/],
    ["models/.luci/v1/partials", /partials.*: a part of this path is a file|partials.*a file/],
    ["models/.luci/v1/manifests", /manifests.*: a part of this path is a file|manifests.*a file/],
    ["models/.luci/v1/locks", /locks.*: a part of this path is a file|locks.*a file/],
  ])("a file where the folder %s should be", async (path, words) => {
    await using stage = await stageOf(2 * MIB);
    await mkdir(join(stage.home, path, ".."), { recursive: true });
    await writeFile(join(stage.home, path), "mine");
    const run = await stage.luci(ONE);
    expect([8, 10]).toContain(run.exitCode);
    expectReason(run.stderr, words);
    expect(await Bun.file(join(stage.home, path)).text()).toBe("mine");
    await rm(join(stage.home, path));
    expect((await stage.luci(ONE)).exitCode).toBe(0);
    await expectWhole(stage, stage.models);
  });

  test("a folder where the file should be", async () => {
    await using stage = await stageOf(MIB);
    await mkdir(join(stage.models, "one.gguf"), { recursive: true });
    const run = await stage.luci(ONE);
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, /one\.gguf: a folder stands in the file's place/);
  });

  test("no inode left: said as a full disk", async () => {
    await using stage = await stageOf(MIB);
    await using disk = await mountTmpfs(8 * MIB);
    await execute(["mount", "-o", "remount,nr_inodes=4", disk.path]);
    const run = await stage.luci([...ONE, "--dir", disk.path, "--disk-wait", "0"]);
    expect(run.exitCode).toBe(8);
    expectReason(run.stderr, /the disk is full/);
    await execute(["mount", "-o", "remount,nr_inodes=400", disk.path]);
    expect((await stage.luci([...ONE, "--dir", disk.path])).exitCode).toBe(0);
    await expectWhole(stage, disk.path);
  });

  test("a data file that was cut shorter than its journal says", async () => {
    await using stage = await stageOf(20 * MIB, 8 * MIB);
    const child = stage.start([...ONE, ...ONE_BY_ONE]);
    await heldAfter(stage.hub, 9 * MIB);
    await whenWritten(stage.models, 6 * MIB);
    child.kill("SIGINT");
    expect((await child.ended).exitCode).toBe(130);
    expect((await checkInvariants(stage.models, stage.hub)).journals).toBe(1);
    const [part = ""] = (await readdir(stage.partials)).filter((name) => name.endsWith(".part"));
    expect((await stat(join(stage.partials, part))).size).toBeGreaterThan(5 * MIB);
    await truncate(join(stage.partials, part), 5 * MIB);
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await stage.luci(ONE)).exitCode).toBe(0);
    await expectWhole(stage, stage.models);
  });
});
