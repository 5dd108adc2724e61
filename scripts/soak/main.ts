// Thousands of kills of the real binary, at seeded moments, outside of any test run: `npm run soak -- --help`.
// Whatever a kill breaks is written down and the soak goes on; the summary and the exit code tell of it.

import { killStory } from "../../test/support/kill-loop.ts";
import { killRepos, killScenes } from "../../test/support/kill-scenes.ts";
import { emptyTally } from "../../test/support/kill-tally.ts";
import { cutPower } from "../../test/support/power-loop.ts";
import { watchPauses } from "../../test/support/pause-watch.ts";
import { prngOf } from "../../test/support/prng.ts";
import { race } from "../../test/support/race-loop.ts";
import { luciBinary } from "../../test/support/run-luci.ts";
import { openStage } from "../../test/support/stage.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { type Outcome, brokenOf, renderSummary } from "./summary.ts";

const MIB = 1024 * 1024;
const LARGE_BYTES = 150 * MIB;
const SMALL_FILES = 20;
const PROCESSES = 8;
const KILLS_PER_RACE = 16;
const MOST_KILLS_PER_STORY = 20;

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`soak failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
});

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === null) return console.log(USAGE);
  console.log(`${luciBinary()}, seed ${options.seed}`);
  const outcome = await soak(options);
  console.log(renderSummary(outcome));
  if (brokenOf(outcome).length > 0) process.exitCode = 1;
}

async function soak(options: Options): Promise<Outcome> {
  const { seed, cuts } = options;
  const startMs = performance.now();
  const isOver = (): boolean => performance.now() - startMs > (options.minutes ?? Infinity) * 60_000;
  const random = prngOf(seed);
  const killed = emptyTally();
  const raced = emptyTally();
  let rounds = 0;
  await using stage = await openStage({
    repos: await killRepos({ largeBytes: LARGE_BYTES, smallFiles: SMALL_FILES }),
    pageSize: 10,
  });
  const scenes = await killScenes(stage, random);
  const tell = progress(() => {
    const broken = [killed, raced].reduce((sum, tally) => sum + tally.wrong.length + tally.lost.length, 0);
    return `${killed.kills} of ${options.kills} kills, ${rounds} of ${options.races} races, ${broken} broken`;
  });
  for (let turn = 0; killed.kills < options.kills && !isOver(); turn += 1) {
    const scene = scenes[turn % scenes.length];
    if (scene) await killStory(stage, scene, { random, tally: killed, mostKills: MOST_KILLS_PER_STORY });
    tell();
  }
  const env = scenes[0]?.env ?? {};
  for (; rounds < options.races && !isOver(); rounds += 1) {
    await race(stage, { random, tally: raced, env, processes: PROCESSES, kills: KILLS_PER_RACE });
    tell();
  }
  const onCut = (): void => tell();
  const powered = cuts > 0 && !isOver() ? await cutPower({ random, cuts, onCut }) : null;
  const paused = options.pauseSeconds > 0 && !isOver() ? await watchPauses(options.pauseSeconds) : null;
  tell("\n");
  const seconds = (performance.now() - startMs) / 1000;
  return { killed, raced, powered, paused, rounds, seconds, repeat: repeatLine(options) };
}

/** One line that is written over on a terminal, and now and then a line elsewhere. */
function progress(text: () => string): (end?: string) => void {
  let saidMs = -Infinity;
  return (end = "") => {
    const nowMs = performance.now();
    if (process.stdout.isTTY) return void process.stdout.write(`\r\u001B[K${text()}${end}`);
    if (nowMs - saidMs < 30_000) return;
    saidMs = nowMs;
    console.log(text());
  };
}

function repeatLine({ kills, races, cuts, pauseSeconds, seed }: Options): string {
  return `npm run soak -- --kills ${kills} --race ${races} --power ${cuts} --pause ${pauseSeconds} --seed ${seed}`;
}
