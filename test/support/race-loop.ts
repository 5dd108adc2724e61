// Many processes on one models folder at once, some of them killed and started again: after each death everybody is
// stopped and the folder is looked at. Shared by the test that runs in every build and by `npm run soak`.

import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { RunningChild } from "../../src/demo/child.ts";
import { inspect } from "./invariants.ts";
import type { KillScene } from "./kill-scenes.ts";
import { clearModels } from "./kill-scenes.ts";
import type { KillTally } from "./kill-tally.ts";
import { count } from "./kill-tally.ts";
import type { Prng } from "./prng.ts";
import { filesBelow } from "./stage.ts";
import type { Stage } from "./stage.ts";

const MIB = 1024 * 1024;
const INSTALLS = [
  ["install", "alpha", "beta", "hf:org/many"],
  ["install", "hf:org/many", "gamma"],
  ["install", "beta", "gamma"],
  ["install", "gamma", "alpha"],
];
const OTHERS = [
  ["verify"],
  ["verify", "--repair"],
  ["cleanup", "--yes"],
  ["list"],
  ["install", "alpha", "--partials", "delete"],
];
/** Only locks keep a removal from taking what is being published beside it. */
const REMOVALS = [
  ["remove", "beta"],
  ["remove", "org/many", "alpha"],
];
/** E_NOT_FOUND: it was not installed at that moment. */
const NOT_INSTALLED = 7;
const ALL = ["install", "alpha", "beta", "gamma", "hf:org/many"];
const ALL_MODELS = "alpha,beta,gamma,org/many";

export interface RaceOptions {
  readonly random: Prng;
  readonly tally: KillTally;
  readonly env: KillScene["env"];
  readonly processes: number;
  /** Processes that a kill found at work. */
  readonly kills: number;
  /** Put before every process that races. */
  readonly wrapper?: readonly string[];
}

interface Racer {
  readonly args: readonly string[];
  readonly child: RunningChild;
}

/** One race: in the end one plain run makes everything whole. The stage has to serve `killRepos`. */
export async function race(stage: Stage, options: RaceOptions): Promise<void> {
  const { random, tally, processes, kills } = options;
  await clearModels(stage);
  stage.hub.behave({ rateBytesPerSec: 3 * MIB });
  const racers = Array.from({ length: processes }, () => start(stage, options));
  // Whoever was done before the kill came is started again, however many those are.
  for (let done = 0; done < kills;) {
    await wait(random.integer(0, 120));
    const slot = random.integer(0, racers.length);
    const racer = racers[slot];
    if (!racer) throw new RangeError("nobody races");
    await (options.wrapper ? killWrapped(racer.child) : racer.child.kill("SIGKILL"));
    const { signal } = await racer.child.ended;
    if (signal === "SIGKILL") {
      done += 1;
      tally.kills += 1;
      count(tally.kinds, "race");
    } else await judge(racer, options);
    await standstill(stage, { racers, options });
    racers[slot] = start(stage, options);
  }
  stage.hub.behave({ rateBytesPerSec: null });
  for (const racer of racers) await judge(racer, options);
  await finish(stage, options);
}

function start(stage: Stage, { random, env, wrapper }: RaceOptions): Racer {
  const others = wrapper ? OTHERS : [...OTHERS, ...REMOVALS];
  const args = random.pick(random.next() < 0.7 ? INSTALLS : others);
  return { args, child: stage.start(args, { env, ...(wrapper ? { wrapper } : {}) }) };
}

/** Kills luci and not what it is wrapped in, which ends with it. */
async function killWrapped({ pid, ended }: RunningChild): Promise<void> {
  const gone = ended.then(() => "gone" as const);
  for (;;) {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
    const inner = Number(children.trim().split(" ")[0]);
    const name = await readFile(`/proc/${inner}/comm`, "utf8").catch(() => "");
    if (name.startsWith("luci")) return void process.kill(inner, "SIGKILL");
    if ((await Promise.race([wait(2), gone])) === "gone") return;
  }
}

/** A run that was not killed does what it was told: waiting for others is no failure. */
async function judge({ args, child }: Racer, { tally }: RaceOptions): Promise<void> {
  const { exitCode, signal, stderr, stdout } = await child.ended;
  tally.runs += 1;
  if (exitCode === 0 || (args[0] === "remove" && exitCode === NOT_INSTALLED)) return;
  tally.stuck.push(`race: ${args.join(" ")} ended with ${signal ?? exitCode}: ${stderr}\n${stdout}`);
}

/** Looks at the folder while nobody moves: what one sees half-done was half-done by the dead. */
async function standstill(
  stage: Stage,
  { racers, options }: { racers: readonly Racer[]; options: RaceOptions },
): Promise<void> {
  // A wrapper's own process is not the one that writes.
  const canStop = options.wrapper === undefined;
  if (canStop) for (const { child } of racers) child.kill("SIGSTOP");
  try {
    if (canStop) await look(stage, { tally: options.tally, when: "after a kill" });
  } finally {
    if (canStop) for (const { child } of racers) child.kill("SIGCONT");
  }
}

async function look(stage: Stage, { tally, when }: { tally: KillTally; when: string }): Promise<string> {
  const { breaches, models } = await inspect(stage.models, stage.hub);
  for (const breach of breaches) tally.wrong.push(`race, ${when}: ${breach}`);
  return models.join(",");
}

async function finish(stage: Stage, { tally, env }: RaceOptions): Promise<void> {
  for (const args of [ALL, ["cleanup", "--yes"], ["verify"]]) {
    const { exitCode, stderr } = await stage.luci(args, { env });
    if (exitCode !== 0) tally.stuck.push(`after a race: ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
  }
  const models = await look(stage, { tally, when: "at the end" });
  if (models !== ALL_MODELS) tally.stuck.push(`after a race there are ${models || "no models"}`);
  const left = (await filesBelow(stage.models)).filter((path) =>
    /^\.luci\/v1\/(?!manifests\/.*\.json$)/.test(path),
  );
  if (left.length > 0) tally.stuck.push(`after a race cleanup left ${left.join(", ")}`);
}
