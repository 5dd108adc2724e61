// The power fails at seeded moments while models are installed, removed, repaired and cleaned up. What the disk then
// holds is mounted as after a boot and judged from outside: no wrong file, nothing lost that luci had called done,
// and a run that completes. Shared by the test that runs in every build and by `npm run soak`.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { RunningChild } from "../../src/demo/child.ts";
import { type Hub, startHub } from "../../src/demo/hub.ts";
import type { HubRepo } from "../../src/demo/hub-repo.ts";
import { inspect } from "./invariants.ts";
import { keptBytes, saidBytes, type WantedFile } from "./kept-bytes.ts";
import { ggufFile } from "./model-repos.ts";
import { type DataMode, openPowerRoom, type PowerRoom } from "./power-room.ts";
import type { Prng } from "./prng.ts";
import { parseEvents, runLuci, startLuci } from "./run-luci.ts";
import { fileBytes, finalsBelow } from "./stage.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const BIG_BYTES = 112 * MIB;
/** What a cut may cost of one large file: what is in no checkpoint yet, and what came until the checkpoint's name was durable. */
const BIG_COST_BYTES = 64 * MIB + 16 * MIB;
/** A step with all its pauses. */
const LONGEST_MS = 300_000;
const RATE = ["--limit-rate", "60M"];

/** What came of all cuts. Empty lists are what a test wants. */
export interface PowerTally {
  cuts: number;
  /** Cuts in no single moment of the disk; what they break is not counted. */
  fuzzy: number;
  /** Wrong files under final names, and records that lie. */
  readonly wrong: string[];
  /** Models that luci had called done and that were gone, or called removed and that were there. */
  readonly broken: string[];
  /** Runs after a cut that did not come to a good end. */
  readonly stuck: string[];
  /** Bytes to be fetched again after a cut of the large model; each with what is allowed. */
  readonly costs: number[];
  /** How often a cut met each step. */
  readonly steps: Map<string, number>;
}

export interface PowerOptions {
  readonly random: Prng;
  readonly cuts: number;
  /** Called after each cut. */
  onCut?(tally: PowerTally): void;
}

/** Cuts the power so often, and tells what came of it. */
export async function cutPower({ random, cuts, onCut }: PowerOptions): Promise<PowerTally> {
  const tally: PowerTally = {
    cuts: 0,
    fuzzy: 0,
    wrong: [],
    broken: [],
    stuck: [],
    costs: [],
    steps: new Map(),
  };
  const repos = await shelf();
  while (tally.cuts < cuts) {
    await using stack = new AsyncDisposableStack();
    const mode: DataMode = random.pick(["ordered", "writeback"]);
    const room = stack.use(await openPowerRoom(mode));
    // The runs after a cut have a hub of their own: what they fetch is not what the cut run was served.
    const [hub, later] = await Promise.all([startHub({ repos }), startHub({ repos })]);
    stack.defer(() => hub.stop());
    stack.defer(() => later.stop());
    await liveOnce({ room, hub, later, random, tally, cuts, mode, ready: new Set(), onCut });
  }
  return tally;
}

async function shelf(): Promise<HubRepo[]> {
  const sizes = [12 * MIB, 3 * MIB, ...Array.from({ length: 12 }, (_, index) => 40 * KIB * (index + 1))];
  const weights = await Promise.all(
    sizes.map((sizeBytes, index) => ggufFile(`part/${index % 3}/w${index}.gguf`, sizeBytes, 60 + index)),
  );
  return [
    { name: "org/big", files: [await ggufFile("big.gguf", BIG_BYTES, 50)] },
    { name: "org/many", files: [...weights, { path: "config.json", content: "{}\n" }] },
  ];
}

interface Life {
  readonly room: PowerRoom;
  readonly hub: Hub;
  readonly later: Hub;
  readonly random: Prng;
  readonly tally: PowerTally;
  readonly cuts: number;
  readonly mode: DataMode;
  /** Models that luci has called installed and that nobody is taking away. */
  readonly ready: Set<string>;
  readonly onCut: PowerOptions["onCut"];
}

/** One command, and what is true of models while it runs. */
interface Step {
  readonly name: string;
  readonly args: readonly string[];
  readonly lastsMs: number;
  readonly markers: readonly string[];
  readonly model: string;
  readonly kind: "install" | "remove" | "repair" | "cleanup";
  readonly mostCuts: number;
}

const BIG = "org/big:big.gguf";
const MANY = "org/many";

function stepsOf(random: Prng): Step[] {
  const base = { markers: ["file.done", "model.ready"], mostCuts: 2 } as const;
  const installs: Step[] = [
    {
      ...base,
      name: "install one large file",
      kind: "install",
      model: BIG,
      args: ["install", `hf:${BIG}`, "--connections", "2", ...RATE],
      lastsMs: 2_000,
      mostCuts: 3,
    },
    {
      ...base,
      name: "install many files",
      kind: "install",
      model: MANY,
      args: ["install", `hf:${MANY}`, ...RATE],
      lastsMs: 700,
    },
  ];
  if (random.next() < 0.5) installs.reverse();
  const quick = { lastsMs: 150, markers: ["result"], mostCuts: 1 } as const;
  const repair = { name: "repair", kind: "repair", model: BIG, args: ["verify", "--repair"] } as const;
  const removal = { name: "remove", kind: "remove", model: MANY, args: ["remove", MANY] } as const;
  const cleanup = { name: "cleanup", kind: "cleanup", model: BIG, args: ["cleanup", "--yes"] } as const;
  return [
    ...installs,
    { ...base, ...repair, lastsMs: 600 },
    { ...quick, ...removal },
    { ...quick, ...cleanup },
  ];
}

async function liveOnce(life: Life): Promise<void> {
  for (const step of stepsOf(life.random)) {
    const damagedSha256 = step.kind === "repair" ? await damage(life, step.model) : null;
    await runStep(life, step, damagedSha256);
    if (life.tally.cuts >= life.cuts) return;
  }
}

/** Flips bytes of an installed file, durably, and answers what its digest is now. */
async function damage({ room, random }: Life, model: string): Promise<string> {
  const path = join(room.path, "home/models", model.split(":")[1] ?? "");
  const file = await open(path, "r+");
  await file.write(Uint8Array.of(1, 2, 3), 0, 3, random.integer(MIB, BIG_BYTES - MIB));
  await file.sync();
  await file.close();
  return new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes()).digest("hex");
}

async function runStep(life: Life, step: Step, damagedSha256: string | null): Promise<void> {
  const { room, hub, random, ready, tally } = life;
  if (step.kind === "remove") ready.delete(step.model);
  hub.reset();
  const child = startLuci([...step.args, "--json"], {
    home: join(room.path, "home"),
    hub,
    timeoutMs: LONGEST_MS,
  });
  const cuts = Math.min(random.integer(1, step.mostCuts + 1), life.cuts - tally.cuts);
  for (let done = 0; done < cuts; done += 1) {
    await moment(child, step, random);
    child.kill("SIGSTOP");
    // What was said before is on its way through the pipe.
    await wait(40);
    const arrivedBytes = saidBytes(child);
    const snapshot = await room.cut();
    tally.cuts += 1;
    if (snapshot.fuzzy) tally.fuzzy += 1;
    tally.steps.set(step.name, (tally.steps.get(step.name) ?? 0) + 1);
    const said = parseEvents(child.output().stdout.replace(/[^\n]*$/, ""));
    // A disk that never was like this proves nothing.
    const judged = snapshot.fuzzy ? { ...tally, wrong: [], broken: [], stuck: [], costs: [] } : tally;
    {
      await using disk = await room.boot(snapshot);
      const home = join(disk.path, "home");
      const scene = { life: { ...life, tally: judged }, step, said, arrivedBytes, damagedSha256, home };
      await judge(scene);
      await recover(scene);
    }
    child.kill("SIGCONT");
    life.onCut?.(tally);
  }
  const { exitCode, stderr } = await child.ended;
  if (exitCode !== 0)
    tally.stuck.push(`${label(life, step)}: stopped and continued, ended with ${exitCode}: ${stderr}`);
  if (step.kind === "install") ready.add(step.model);
}

function label({ random, tally, mode }: Life, step: Step): string {
  return `seed ${random.seed}, cut ${tally.cuts}, data=${mode}, ${step.name}`;
}

/** The moment of a cut: after a delay, or shortly after so many events of a kind. */
async function moment(child: RunningChild, step: Step, random: Prng): Promise<void> {
  const marker = random.next() < 0.5 ? "" : random.pick(step.markers);
  const times = marker === "file.done" ? random.integer(1, 12) : 1;
  const delayMs = random.integer(0, marker === "" ? step.lastsMs : 30);
  const ended = child.ended.then(() => "ended" as const);
  for (let seen = 0; marker !== "" && seen < times;) {
    if ((await Promise.race([wait(1), ended])) === "ended") break;
    seen = child.output().stdout.split(`"type":"${marker}"`).length - 1;
  }
  await Promise.race([wait(delayMs), ended]);
}

/** A disk after a cut. */
interface Scene {
  readonly life: Life;
  readonly step: Step;
  readonly said: readonly Record<string, unknown>[];
  /** Of a large file, as luci told: what was served may lie in a socket. */
  readonly arrivedBytes: number;
  readonly damagedSha256: string | null;
  readonly home: string;
}

/** Looks at what the disk held. */
async function judge({ life, step, said, arrivedBytes, damagedSha256, home }: Scene): Promise<void> {
  const { tally, hub, ready } = life;
  const models = join(home, "models");
  const report = await inspect(models, hub);
  const at = label(life, step);
  for (const breach of report.breaches.filter((one) => !isOf(one, damagedSha256)))
    tally.wrong.push(`${at}: ${breach}`);
  const told = said.flatMap(({ type, model }) => (type === "model.ready" ? [String(model)] : []));
  for (const model of new Set([...ready, ...told])) {
    if (!report.models.includes(model)) tally.broken.push(`${at}: ${model} was called done and is gone`);
  }
  const isRemoved = step.kind === "remove" && said.some(({ type }) => type === "result");
  if (isRemoved && report.models.includes(step.model))
    tally.broken.push(`${at}: ${step.model} was called removed and is there`);
  if (step.kind !== "install" || step.model !== BIG) return;
  const costBytes = arrivedBytes - (await keptBytes(models, [bigFile(hub)], new Set()));
  tally.costs.push(costBytes);
  if (costBytes > BIG_COST_BYTES) tally.broken.push(`${at}: ${costBytes} bytes would come again`);
}

function isOf(breach: string, sha256: string | null): boolean {
  return sha256 !== null && breach.includes(sha256);
}

function bigFile(hub: Hub): WantedFile {
  const content = hub.filesOf("org/big").get("big.gguf")?.content;
  return {
    path: "big.gguf",
    sha256: content?.sha256 ?? "",
    sizeBytes: content?.sizeBytes ?? 0,
    soundBytes: 0,
  };
}

/** The machine has booted again: the same command, and what a careful user does after it. */
async function recover({ life, step, home }: Scene): Promise<void> {
  const { later, room, tally, ready } = life;
  const models = join(home, "models");
  const luci = async (args: readonly string[], allowed: readonly number[] = [0]): Promise<void> => {
    const run = await runLuci(args, { home, hub: later, wrapper: room.otherBoot });
    if (allowed.includes(run.exitCode)) return;
    tally.stuck.push(`${label(life, step)}: ${args.join(" ")} ended with ${run.exitCode}: ${run.stderr}`);
  };
  const before = (await inspect(models, later)).models.includes(step.model);
  const keptBefore = step.model === BIG ? await keptBytes(models, [bigFile(later)], new Set()) : 0;
  later.reset();
  await luci(
    step.args.filter((arg) => !RATE.includes(arg)),
    step.kind === "remove" && !before ? [0, 7] : [0],
  );
  if (step.kind === "install" && step.model === BIG) {
    const mostBytes = bigFile(later).sizeBytes - keptBefore + 16 * MIB;
    if (fileBytes(later) > mostBytes)
      tally.broken.push(`${label(life, step)}: ${fileBytes(later)} bytes fetched, ${mostBytes} were missing`);
  }
  await luci(["cleanup", "--yes"]);
  const wanted = new Set([...ready, ...(step.kind === "install" ? [step.model] : [])]);
  await luci(["verify"]);
  const report = await inspect(models, later);
  for (const breach of report.breaches)
    tally.wrong.push(`${label(life, step)}, after the next run: ${breach}`);
  for (const model of wanted) {
    if (!report.models.includes(model))
      tally.stuck.push(`${label(life, step)}: ${model} is not installed after the next run`);
  }
  const folder = MANY.replace("/", "--");
  const left = (await finalsBelow(models)).filter((path) => path.startsWith(`${folder}/`));
  if (step.kind === "remove" && left.length > 0)
    tally.stuck.push(`${label(life, step)}: removed, cleaned up, and still there: ${left.join(", ")}`);
}
