// One act of the disk fails, whichever it is and however it fails, in every command that changes the disk: what is
// installed stays right, the reason is told with its path, and a run on a sound disk makes it good.

import { expect, test } from "bun:test";
import { cp, open, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cleanup } from "../../src/app/cleanup.ts";
import { remove } from "../../src/app/remove.ts";
import { verify } from "../../src/app/verify.ts";
import { LuciError } from "../../src/domain/errors.ts";
import type { Files } from "../../src/platform/files.ts";
import { ownIdentity, ownerTag } from "../../src/platform/machine.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { type DiskAct, type DiskFault, diskRefusal, failAct, faultyFiles } from "../support/faulty-files.ts";
import { inspect } from "../support/invariants.ts";
import { deadTag } from "../support/owner-tags.ts";
import { prng } from "../support/prng.ts";
import { type Rig, type RunOptions, cdnBytes, eventsOf, modelContent, openRig } from "../support/rig.ts";
import { openRoomPartial, planFile } from "../support/store-room.ts";

const KIB = 1024;
const TINY = 200 * KIB + 13;
/** Of these a lock is held, and a worker reads them: they meet more acts than small files do. */
const LARGE = 1024 * KIB + 13;
/** What an earlier run got. */
const EARLIER = 120 * KIB;
/** Every act meets these, but for half of the longest scenario's. */
const ALWAYS: readonly DiskFault[] = ["EIO", "crash"];
/** Every act meets these too; in a first install one of them, up to the seed, unless LUCI_TEST_SWEEP=full. */
const BY_TURNS: readonly DiskFault[] = ["ENOSPC", "EDQUOT", "EROFS", "torn", "late"];
const WHOLE = { connections: 1, jobs: 1, retries: 0 } as const;

const gone = await deadTag();

/** What went wrong, in the one form all commands share; null when nothing did. */
type Ending = { readonly code: string; readonly message: string } | null;

interface Scenario {
  /** The model's one file. */
  readonly sizeBytes: number;
  /** Leaves behind what the command finds. Runs once. */
  prepare(rig: Rig): Promise<void>;
  act(rig: Rig, options: RunOptions): Promise<Ending>;
  /** On a sound disk, after the fault. */
  recover(rig: Rig): Promise<void>;
  /** Codes that are right for a disk's fault here. */
  readonly codes: readonly string[];
  /** Acts that a run on a sound disk has among others: how many, and of the rest which, is up to how bytes arrive. */
  readonly meets: readonly string[];
}

/** What every run does that puts a file in its place. */
const PLACES = ["open", "makeFolder", "write", "sync", "syncFolder", "replaceText"];
const DISK = ["E_IO", "E_NO_SPACE", "E_PERMISSION"];
/** Where records are read first, one that cannot be read forbids everything else. */
const RECORDS = [...DISK, "E_DAMAGED"];
const PAIR = "hf:org/pair";

async function publishPair(rig: Rig): Promise<void> {
  const weights = { path: "sub/w.gguf", content: await modelContent(TINY + 2) };
  const files = [weights, { path: "config.json", content: "{}\n" }];
  rig.hub.publish({ name: "org/pair", files });
}

async function endOf(act: Promise<Ending>): Promise<Ending> {
  try {
    return await act;
  } catch (error) {
    if (error instanceof LuciError) return error;
    throw error;
  }
}

async function installed(rig: Rig, refs?: readonly string[]): Promise<void> {
  rig.hub.reset();
  const run = await rig.install({ settings: WHOLE, ...(refs ? { refs } : {}) });
  expect(run.error).toBeNull();
  expect(cdnBytes(rig.hub)).toBeLessThanOrEqual(rig.content.sizeBytes + 2 + 3);
  const { finals, models, breaches } = await inspect(rig.models, rig.hub);
  expect([breaches, models.length, finals.length]).toEqual([[], 1, refs ? 2 : 1]);
}

const installSmall: Scenario = {
  sizeBytes: TINY,
  prepare: async () => undefined,
  act: async (rig, options) => (await rig.install({ settings: WHOLE, ...options })).error,
  recover: (rig) => installed(rig),
  codes: DISK,
  meets: [...PLACES, "renameToFree"],
};

const installLarge: Scenario = { ...installSmall, sizeBytes: LARGE };

const installPair: Scenario = {
  sizeBytes: TINY,
  prepare: publishPair,
  act: async (rig, options) => (await rig.install({ settings: WHOLE, refs: [PAIR], ...options })).error,
  recover: (rig) => installed(rig, [PAIR]),
  codes: DISK,
  meets: installSmall.meets,
};

/** An earlier run's bytes are there, and a journal claims them. */
const resumeSmall: Scenario = {
  sizeBytes: TINY,
  prepare: async (rig) => {
    const { sizeBytes, sha256 } = rig.content;
    const { store } = rig.context();
    // Not by a connection that is cut: what of its bytes arrived before, only the runtime knows.
    const { partial } = await openRoomPartial(
      store,
      planFile({ sizeBytes, digest: { algorithm: "sha256", hex: sha256 }, authority: "hub" }),
    );
    await partial.write(0, [rig.content.read(0, EARLIER)]);
    await partial.release();
    const { journals, breaches } = await inspect(rig.models, rig.hub);
    expect([journals, breaches]).toEqual([1, []]);
  },
  act: async (rig, options) => {
    const run = await rig.install({ settings: WHOLE, ...options });
    const [started] = eventsOf(run, "file.started");
    if (!run.error) expect([0, EARLIER]).toContain(started?.resumedBytes ?? -1);
    return run.error;
  },
  recover: (rig) => installed(rig),
  codes: DISK,
  meets: [...installSmall.meets, "readText", "rename", "remove"],
};

const resumeLarge: Scenario = { ...resumeSmall, sizeBytes: LARGE };

const repairOne: Scenario = {
  sizeBytes: TINY,
  prepare: async (rig) => {
    expect((await rig.install({ settings: WHOLE })).error).toBeNull();
    const file = await open(rig.finalPath, "r+");
    await file.write(Uint8Array.of(1, 2, 3), 0, 3, 100_000);
    await file.close();
  },
  act: async (rig, options) => {
    const context = rig.context({ settings: WHOLE, ...options });
    const result = await verify(context, { names: [], quick: false, repair: true });
    return result.failed[0]?.error ?? null;
  },
  recover: async (rig) => {
    rig.hub.reset();
    const result = await verify(rig.context(), { names: [], quick: false, repair: true });
    expect(result.failed).toEqual([]);
    expect(cdnBytes(rig.hub)).toBeLessThanOrEqual(TINY);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  },
  codes: RECORDS,
  meets: [...PLACES, "readText", "rename"],
};

const removePair: Scenario = {
  sizeBytes: TINY,
  prepare: async (rig) => {
    await publishPair(rig);
    expect((await rig.install({ settings: WHOLE, refs: [PAIR] })).error).toBeNull();
  },
  act: async (rig, options) => {
    await remove(rig.context(options), { names: ["org/pair"], dryRun: false });
    return null;
  },
  recover: async (rig) => {
    await remove(rig.context(), { names: ["org/pair"], dryRun: false }).catch((error: unknown) => {
      expect((error as LuciError).code).toBe("E_NOT_FOUND");
    });
    await tidy(rig);
    const { finals, models } = await inspect(rig.models, rig.hub);
    expect([finals, models]).toEqual([[], []]);
  },
  codes: RECORDS,
  meets: ["readText", "rename", "remove", "removeEmptyFolder", "syncFolder"],
};

const cleanupAll: Scenario = {
  sizeBytes: TINY,
  prepare: async (rig) => {
    expect((await rig.install({ settings: WHOLE })).error).toBeNull();
    const folder = join(rig.models, ".luci/v1/partials");
    for (const key of ["sha256-00", "source-11"]) await writeFile(join(folder, `${key}.part`), "nothing");
  },
  act: async (rig, options) => {
    const result = await cleanup(rig.context(options), CLEAN);
    const [failed] = result.failed;
    return failed ? { code: "E_IO", message: `${failed.path} ${failed.reason}` } : null;
  },
  recover: async (rig) => {
    await tidy(rig);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  },
  codes: RECORDS,
  meets: ["readText", "list", "rename", "remove"],
};

const CLEAN = {
  dryRun: false,
  olderThanMs: null,
  awaited: async () => [],
  confirm: async () => true,
} as const;

async function tidy(rig: Rig): Promise<void> {
  expect((await cleanup(rig.context(), CLEAN)).failed).toEqual([]);
  const left = await readdir(join(rig.models, ".luci/v1/partials")).catch(() => []);
  expect(left).toEqual([]);
}

/** Fails every act of a scenario, one at a time; answers the acts of the run that met no fault any more. */
async function sweep(
  rig: Rig,
  scenario: Scenario,
  faultAt: (nth: number) => DiskFault | null,
): Promise<ReadonlySet<string>> {
  const template = join(rig.home, "template");
  await scenario.prepare(rig);
  await cp(rig.models, template, { recursive: true, preserveTimestamps: true }).catch(() => undefined);
  for (let nth = 0; ; nth += 1) {
    const fault = faultAt(nth);
    if (fault === null) continue;
    await rm(rig.models, { recursive: true, force: true });
    await cp(template, rig.models, { recursive: true, preserveTimestamps: true }).catch(() => undefined);
    const failing = failAct(nth, fault);
    const acts = new Set<string>();
    const files: Files = faultyFiles(nodeFiles(), (act) => {
      acts.add(act.name);
      return failing.hand(act);
    });
    const ending = await endOf(scenario.act(rig, { files }));
    await bury(rig);
    const label = `seed ${random.seed}, ${fault} at act ${nth}: ${failing.hit()?.name} ${failing.hit()?.path}`;
    await check(rig, scenario, { ending, fault, label });
    if (!failing.hit()) return acts;
  }
}

/** Whoever met the fault is gone: what carries this process's name must not look alive. */
async function bury(rig: Rig): Promise<void> {
  const own = ownerTag(ownIdentity());
  for (const part of ["partials", "manifests"]) {
    const folder = join(rig.models, ".luci/v1", part);
    for (const name of await readdir(folder).catch(() => [])) {
      if (name.includes(own)) await rename(join(folder, name), join(folder, name.replace(own, gone)));
    }
  }
}

async function check(
  rig: Rig,
  scenario: Scenario,
  { ending, fault, label }: { ending: Ending; fault: DiskFault; label: string },
): Promise<void> {
  try {
    expect((await brokenNow(rig)).join("\n")).toBe("");
    if (ending && fault !== "crash") {
      expect(scenario.codes).toContain(ending.code);
      expect(ending.message).toContain(rig.home);
    }
    await scenario.recover(rig);
    expect((await brokenNow(rig)).join("\n")).toBe("");
  } catch (cause) {
    // The cause in the message: a report shows nothing else.
    throw new Error(`${label} (ended with ${ending?.code}: ${ending?.message})\n${String(cause)}`, { cause });
  }
}

/** Breaches, without the one that a repair begins with: its file is the damaged or the right one. */
async function brokenNow(rig: Rig): Promise<readonly string[]> {
  const { breaches } = await inspect(rig.models, rig.hub);
  if (breaches.length === 0) return breaches;
  const bytes = await readFile(rig.finalPath).catch(() => null);
  const isDamaged =
    bytes?.length === rig.content.sizeBytes &&
    bytes.subarray(100_000, 100_003).equals(Uint8Array.of(1, 2, 3));
  return isDamaged ? breaches.filter((breach) => !breach.includes("m-Q4_0.gguf")) : breaches;
}

const SCENARIOS = {
  installSmall,
  installLarge,
  installPair,
  resumeSmall,
  resumeLarge,
  repairOne,
  removePair,
  cleanupAll,
};
const isFull = process.env["LUCI_TEST_SWEEP"] === "full";
const random = prng(20_261_121);
const turn = random.integer(0, BY_TURNS.length);
const rows = Object.entries(SCENARIOS).flatMap(([name, scenario]) => {
  // What the second file of a pair meets is much like what the first did: every other act will do.
  const isThinned = scenario === installPair && !isFull;
  // Nothing lies there yet that a refusal could spoil: one refusal for each act will do.
  const isFirst = [installSmall, installLarge, installPair].includes(scenario);
  const turns = isFirst && !isFull ? [turn] : BY_TURNS.map((_, one) => one);
  return [
    ...ALWAYS.map((fault) => {
      const isSkipped = (nth: number): boolean => isThinned && fault === "EIO" && nth % 2 > 0;
      return [name, fault, (nth: number) => (isSkipped(nth) ? null : fault), scenario] as const;
    }),
    ...turns.map((first) => {
      const faultAt = (nth: number): DiskFault | null =>
        isThinned && (nth + first) % 2 > 0 ? null : (BY_TURNS[(nth + first) % BY_TURNS.length] ?? "ENOSPC");
      return [name, `full, read-only, torn and late disks by turns (${first})`, faultAt, scenario] as const;
    }),
  ];
});

test.each(rows)("%s: whatever act meets %s", async (_name, _fault, faultAt, scenario) => {
  await using rig = await openRig(scenario.sizeBytes);
  const acts = await sweep(rig, scenario, faultAt);
  expect([...acts]).toEqual(expect.arrayContaining([...scenario.meets]));
});

test("a disk that is full for a moment, whichever act meets it, is waited for", async () => {
  const writes = new Set([
    "open",
    "write",
    "truncate",
    "sync",
    "replaceText",
    "makeFolder",
    "rename",
    "renameToFree",
  ]);
  let most = Number.POSITIVE_INFINITY;
  const silent: string[] = [];
  const tryAt = async (nth: number): Promise<void> => {
    await using rig = await openRig(TINY);
    await publishPair(rig);
    let met = -1;
    let hit = "";
    const hand = ({ name, path }: DiskAct): void => {
      if (!writes.has(name)) return;
      met += 1;
      if (met !== nth) return;
      hit = `${name} ${path}`;
      throw diskRefusal(nth % 2 === 0 ? "ENOSPC" : "EDQUOT", path);
    };
    const settings = { ...WHOLE, diskWaitMs: 60_000 };
    const run = await rig.install({ settings, refs: [PAIR], files: faultyFiles(nodeFiles(), hand) });
    const { breaches, finals, models } = await inspect(rig.models, rig.hub);
    expect([nth, run.error, breaches, finals.length, models.length]).toEqual([nth, null, [], 2, 1]);
    if (met < nth) most = Math.min(most, nth);
    else if (eventsOf(run, "run.paused").length === 0) silent.push(hit);
  };
  // Each of them waits a second: many wait together.
  for (let nth = 0; nth < most; nth += 10)
    await Promise.all(Array.from({ length: 10 }, (_, step) => tryAt(nth + step)));
  expect(most).toBeGreaterThan(12);
  // A lock is politeness: where the disk has no room for one, the work goes on without. Which of these tries meet it, is up to the order.
  expect(silent.filter((act) => !act.endsWith("/.luci/v1/locks"))).toEqual([]);
});
