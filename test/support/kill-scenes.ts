// What is killed: every command that changes the disk, with the state it finds and what must be true afterwards.

import { createHash } from "node:crypto";
import { mkdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HubFile, HubRepo } from "../../src/demo/hub-repo.ts";
import { ggufFile } from "./model-repos.ts";
import type { Prng } from "./prng.ts";
import type { Stage, StageRun } from "./stage.ts";
import { writeCatalog } from "./stage.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const PIECE_BYTES = 8 * MIB;

/** An installed file that was made wrong on purpose. */
export interface Damage {
  readonly path: string;
  /** What it is now. */
  readonly sha256: string;
  /** What a repair has to fetch. */
  readonly badBytes: number;
}

/** One command under fire. */
export interface KillScene {
  readonly name: string;
  /** Models that are installed in the end, by the names of their records. */
  readonly models: readonly string[];
  /** Repositories whose files a run fetches; empty where it fetches nothing. */
  readonly repos: readonly string[];
  /** Event types that mark moments worth a kill. */
  readonly markers: readonly string[];
  /** Ctrl-C comes first, and the kill while it is answered. */
  readonly interrupts: boolean;
  /** About as long as a run takes: later than that nothing is left to kill. */
  readonly lastsMs: number;
  /** How fast each answer of the hub is while there is killing, so that there is something to kill. */
  readonly rateBytesPerSec: number;
  readonly env: NonNullable<StageRun["env"]>;
  /** Brings an empty folder into the state the command finds. Answers what it damaged. */
  prepare(): Promise<readonly Damage[]>;
  /** What is run now, given what is there. */
  args(installed: readonly string[]): readonly string[];
}

export interface SceneSizes {
  readonly largeBytes: number;
  readonly smallFiles: number;
}

/** The repositories that the scenes install from. */
export async function killRepos({ largeBytes, smallFiles }: SceneSizes): Promise<HubRepo[]> {
  const weights = Array.from({ length: smallFiles }, (_, index) =>
    ggufFile(`part/${index % 3}/w${index}.gguf`, (index % 6) * 100 * KIB + 40 * KIB, 100 + index),
  );
  const texts = ["config.json", "tokenizer/vocab.json", "tokenizer/deep/merges.txt"];
  const many: HubFile[] = [
    ...(await Promise.all(weights)),
    ...texts.map((path) => ({ path, content: `{"of":"${path}"}\n` })),
  ];
  return [
    { name: "org/large", files: [await ggufFile("large.gguf", largeBytes, 5)] },
    { name: "org/many", files: many },
    { name: "org/twin", files: [await ggufFile("twin.gguf", 3 * MIB, 6)] },
    { name: "org/mend", files: [await ggufFile("mend.gguf", 20 * MIB, 7)] },
  ];
}

const INSTALL_MARKERS = ["file.started", "file.progress", "file.verifying", "file.done", "model.ready"];

/** Every scene. The stage has to serve `killRepos`. */
export async function killScenes(stage: Stage, random: Prng): Promise<KillScene[]> {
  // `alpha` and `beta` are two models of one and the same file.
  const env = await writeCatalog(stage, [
    { name: "alpha", repo: "org/twin", files: ["twin.gguf"] },
    { name: "beta", repo: "org/twin", files: ["twin.gguf"] },
    { name: "gamma", repo: "org/mend", files: ["mend.gguf"] },
  ]);
  const nothing = (): Promise<readonly Damage[]> => Promise.resolve([]);
  const base = {
    markers: INSTALL_MARKERS,
    interrupts: false,
    lastsMs: 400,
    rateBytesPerSec: 20 * MIB,
    env,
    prepare: nothing,
    repos: [],
  };
  const large = ["install", "hf:org/large:large.gguf", "--connections", "4"];
  const batch = ["install", "alpha", "beta", "gamma"];
  return [
    {
      ...base,
      name: "install of a large file",
      models: ["org/large:large.gguf"],
      repos: ["org/large"],
      args: () => large,
    },
    {
      ...base,
      name: "install of a repository",
      rateBytesPerSec: 2 * MIB,
      models: ["org/many"],
      repos: ["org/many"],
      args: () => ["install", "hf:org/many"],
    },
    {
      ...base,
      name: "install of several models",
      models: ["alpha", "beta", "gamma"],
      repos: ["org/twin", "org/mend"],
      args: () => batch,
    },
    {
      ...base,
      name: "install --partials delete",
      rateBytesPerSec: 2 * MIB,
      models: ["org/many"],
      interrupts: true,
      args: () => ["install", "hf:org/many", "--partials", "delete"],
    },
    repairScene(stage, { base, random }),
    {
      ...base,
      name: "remove",
      lastsMs: 24,
      models: ["alpha"],
      markers: ["run.started"],
      prepare: async () => {
        await mustRun(stage, ["install", "alpha", "beta", "hf:org/many"], env);
        return [];
      },
      args: (installed) =>
        installed.length > 1
          ? ["remove", ...installed.filter((name) => name !== "alpha")]
          : ["cleanup", "--yes"],
    },
    {
      ...base,
      name: "cleanup",
      lastsMs: 24,
      models: ["alpha"],
      markers: ["run.started"],
      prepare: async () => {
        await mustRun(stage, ["install", "alpha"], env);
        await leaveLeftovers(stage);
        return [];
      },
      args: () => ["cleanup", "--yes"],
    },
  ];
}

type SceneBase = Pick<KillScene, "markers" | "interrupts" | "lastsMs" | "rateBytesPerSec" | "env" | "repos">;

function repairScene(stage: Stage, given: { base: SceneBase; random: Prng }): KillScene {
  const { base, random } = given;
  return {
    ...base,
    name: "verify --repair",
    models: ["gamma"],
    repos: ["org/mend"],
    prepare: async () => {
      await mustRun(stage, ["install", "gamma"], base.env);
      const path = join(stage.models, "mend.gguf");
      const bytes = await Bun.file(path).bytes();
      const piece = random.integer(0, 2);
      const atBytes = piece * PIECE_BYTES + random.integer(1_000, PIECE_BYTES);
      const wrong = bytes.with(atBytes, 255 - (bytes[atBytes] ?? 0));
      await writeFile(path, wrong);
      const sha256 = createHash("sha256").update(wrong).digest("hex");
      return [{ path: "mend.gguf", sha256, badBytes: PIECE_BYTES }];
    },
    args: () => ["verify", "--repair"],
  };
}

async function mustRun(stage: Stage, args: readonly string[], env: KillScene["env"]): Promise<void> {
  const run = await stage.luci(args, { env });
  if (run.exitCode !== 0) throw new Error(`luci ${args.join(" ")}: exit ${run.exitCode}\n${run.stderr}`);
}

/** What crashed runs leave: a partial with its journal, data without, a torn text, a lock of the dead. */
async function leaveLeftovers(stage: Stage): Promise<void> {
  stage.hub.behave({ rateBytesPerSec: 4 * MIB });
  const child = stage.start(["install", "hf:org/mend:mend.gguf", "hf:org/many", "--json"]);
  await stage.hub.whenServed(stage.hub.servedBytes() + MIB, { signal: AbortSignal.timeout(60_000) });
  child.kill("SIGKILL");
  await child.ended;
  stage.hub.behave({ rateBytesPerSec: null });
  await mkdir(stage.partials, { recursive: true });
  for (const key of ["sha256-00", "source-11"]) {
    await writeFile(join(stage.partials, `${key}.part`), "data without a journal");
    const torn = join(stage.partials, `${key}.json.4194305.${"0".repeat(12)}.1.tmp`);
    await writeFile(torn, "torn");
    await utimes(torn, 1, 1);
  }
}

/** Empties the models folder. */
export async function clearModels(stage: Pick<Stage, "models">): Promise<void> {
  await rm(stage.models, { recursive: true, force: true });
}
