// kill -9 at seeded moments, again and again, the recovering run included: what every promise says of it is checked
// after each death. Shared by the test that runs in every build and by `npm run soak`.

import { setTimeout as wait } from "node:timers/promises";
import type { RunningChild } from "../../src/demo/child.ts";
import { inspect } from "./invariants.ts";
import type { WantedFile } from "./kept-bytes.ts";
import { keptBytes } from "./kept-bytes.ts";
import type { Damage, KillScene } from "./kill-scenes.ts";
import { clearModels } from "./kill-scenes.ts";
import type { KillTally } from "./kill-tally.ts";
import { count } from "./kill-tally.ts";
import type { Prng } from "./prng.ts";
import { parseEvents } from "./run-luci.ts";
import { fileBytes, filesBelow } from "./stage.ts";
import type { Stage } from "./stage.ts";

const MIB = 1024 * 1024;
/** What a kill may cost at most, per file that is on its way. */
const AT_RISK_BYTES = 64 * MIB;
/** At the end of a file a slow connection is helped: what it has under way then comes twice, of each connection a request. */
const TWICE_BYTES = 8 * MIB;
const CONNECTIONS = 4;
/** So many files, from the largest on, may be on their way at once; of small ones more. */
const FILES_AT_ONCE = 4;
const SMALL_FILES_AT_ONCE = 16;

export interface KillOptions {
  readonly random: Prng;
  readonly tally: KillTally;
  /** A plain run finishes the story after at most so many kills. */
  readonly mostKills: number;
}

interface Story extends KillOptions {
  readonly stage: Stage;
  readonly scene: KillScene;
  readonly damages: readonly Damage[];
  readonly wanted: readonly WantedFile[];
  readonly boundBytes: number;
}

/** What is on the disk between two runs. */
interface State {
  readonly models: readonly string[];
  readonly keptBytes: number;
}

/** A command is killed, then the run that recovers, …, and in the end everything is as if nothing had been. */
export async function killStory(stage: Stage, scene: KillScene, options: KillOptions): Promise<void> {
  await clearModels(stage);
  const damages = await scene.prepare();
  const wanted = scene.repos.flatMap((repo) => wantedFiles(stage, { repo, damages }));
  const story: Story = { ...options, stage, scene, damages, wanted, boundBytes: boundOf(wanted) };
  stage.hub.reset();
  stage.hub.behave({ rateBytesPerSec: scene.rateBytesPerSec });
  const kills = options.random.integer(1, options.mostKills + 1);
  let state = await look(story, "the preparation");
  for (let done = 0; done < kills; done += 1) {
    const servedBytes = fileBytes(stage.hub);
    const args = scene.args(state.models);
    const run = await killOnce(story, args);
    const after = await look(story, `${args.join(" ")}, killed ${run.moment}`);
    checkWord(story, { run, models: after.models });
    const costBytes = fileBytes(stage.hub) - servedBytes - (after.keptBytes - state.keptBytes);
    state = after;
    if (!run.killed) break;
    if (wanted.length > 0) story.tally.costs.push(costOf(story, costBytes));
  }
  stage.hub.behave({ rateBytesPerSec: null });
  await finish(story, state.models);
}

function costOf({ scene, boundBytes }: Story, refetchedBytes: number) {
  return { scene: scene.name, refetchedBytes: Math.max(0, refetchedBytes), boundBytes };
}

function wantedFiles(stage: Stage, of: { repo: string; damages: readonly Damage[] }): WantedFile[] {
  return [...stage.hub.filesOf(of.repo).values()].map(({ path, content: { sha256, sizeBytes } }) => {
    const damage = of.damages.find((one) => one.path === path);
    const soundBytes = damage ? sizeBytes - damage.badBytes : 0;
    const isRepo = of.repo === "org/many";
    return { path: isRepo ? `${of.repo.replace("/", "--")}/${path}` : path, sha256, sizeBytes, soundBytes };
  });
}

function boundOf(wanted: readonly WantedFile[]): number {
  const sizes = wanted.map(({ sizeBytes, soundBytes }) => sizeBytes - soundBytes).toSorted((a, b) => b - a);
  const isSmall = (sizes[0] ?? 0) <= MIB;
  const atOnce = isSmall ? SMALL_FILES_AT_ONCE : FILES_AT_ONCE;
  const atRiskBytes = sizes.slice(0, atOnce).reduce((sum, one) => sum + Math.min(one, AT_RISK_BYTES), 0);
  return atRiskBytes + (isSmall ? 1 : CONNECTIONS) * TWICE_BYTES;
}

/** Looks at the folder and writes down what must never be. */
async function look(story: Story, after: string): Promise<State> {
  const { stage, scene, damages, tally } = story;
  const report = await inspect(stage.models, stage.hub);
  const isOurs = (breach: string): boolean => damages.some(({ sha256 }) => breach.includes(sha256));
  for (const breach of report.breaches.filter((one) => !isOurs(one)))
    tally.wrong.push(`${scene.name}, after ${after}: ${breach}`);
  const broken = damages.filter(({ sha256 }) => report.breaches.some((breach) => breach.includes(sha256)));
  const paths = new Set(broken.map(({ path }) => path));
  return { models: report.models, keptBytes: await keptBytes(stage.models, story.wanted, paths) };
}

interface KilledRun {
  readonly args: readonly string[];
  readonly killed: boolean;
  readonly moment: string;
  /** Complete lines only. */
  readonly events: readonly Record<string, unknown>[];
}

/** Kills one run at a random moment; notes one that ended before with something else than it should. */
async function killOnce(story: Story, args: readonly string[]): Promise<KilledRun> {
  const { stage, scene, tally, random } = story;
  const child = stage.start([...args, "--json"], { env: scene.env });
  const moment = await strike(story, child);
  const { exitCode, signal, stdout, stderr } = await child.ended;
  const killed = signal === "SIGKILL";
  if (killed) {
    tally.kills += 1;
    count(tally.kinds, scene.name);
    count(tally.moments, moment);
  } else {
    tally.runs += 1;
    const isExpected = exitCode === 0 || (scene.interrupts && exitCode === 130);
    if (!isExpected)
      tally.stuck.push(`${args.join(" ")} ended with ${exitCode} (seed ${random.seed}): ${stderr}`);
  }
  return { args, killed, moment, events: parseEvents(stdout.replace(/[^\n]*$/, "")) };
}

/** The moment of a kill: after a delay, or shortly after so many events of a kind. Answers which. */
async function strike({ scene, random, wanted }: Story, child: RunningChild): Promise<string> {
  const marker = random.next() < (scene.repos.length > 0 ? 0.4 : 0.2) ? "" : random.pick(scene.markers);
  const delayMs =
    marker === "" ? random.integer(0, scene.lastsMs) : random.integer(0, Math.min(31, scene.lastsMs / 4));
  const most = marker === "file.started" || marker === "file.done" ? Math.min(wanted.length, 8) : 1;
  const times = random.integer(1, most + 1);
  const ended = child.ended.then(() => "ended" as const);
  for (let seen = 0; marker !== "" && seen < times;) {
    if ((await Promise.race([wait(1), ended])) === "ended") break;
    seen = child.output().stdout.split(`"type":"${marker}"`).length - 1;
  }
  await Promise.race([wait(delayMs), ended]);
  if (scene.interrupts) {
    child.kill("SIGINT");
    await Promise.race([wait(random.integer(0, 41)), ended]);
  }
  child.kill("SIGKILL");
  return marker === "" ? "after a delay" : `after ${marker}`;
}

/** What a run said was done is done. */
function checkWord(story: Story, { run, models }: { run: KilledRun; models: readonly string[] }): void {
  const { scene, tally } = story;
  const say = (what: string): void => void tally.lost.push(`${scene.name}, ${run.moment}: ${what}`);
  for (const { type, model } of run.events) {
    if (type === "model.ready" && !models.includes(String(model))) say(`${String(model)} was installed`);
  }
  const removed = run.args[0] === "remove" ? run.args.slice(1) : [];
  if (!run.events.some(({ type }) => type === "result")) return;
  for (const name of removed.filter((one) => models.includes(one))) say(`${name} was removed`);
}

/** Plain runs finish it: all models there, everything verified, nothing left over. */
async function finish(story: Story, installed: readonly string[]): Promise<void> {
  const { stage, scene, tally } = story;
  const run = async (args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await stage.luci(args, { env: scene.env });
    tally.runs += 1;
    if (exitCode !== 0)
      tally.stuck.push(`${scene.name}: ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
  };
  await run(scene.args(installed));
  await run(["cleanup", "--yes"]);
  await run(["verify"]);
  const { models } = await look(story, "the last run");
  const left = (await filesBelow(stage.models)).filter((path) =>
    /^\.luci\/v1\/(?!manifests\/.*\.json$)/.test(path),
  );
  if (models.join() !== scene.models.toSorted().join())
    tally.stuck.push(`${scene.name}: in the end there are ${models.join(", ") || "no models"}`);
  if (left.length > 0) tally.stuck.push(`${scene.name}: cleanup left ${left.join(", ")}`);
}
