// Commands beside each other: rounds in shuffled order, every output checked and removed, rows against a reference.

import { join } from "node:path";
import { type DataFile, MIB, digestFile } from "./data.ts";
import type { Bench, Job, Measured } from "./measure.ts";
import { shuffle } from "./random.ts";
import type { Goal, Table } from "./report.ts";
import { type Spread, showMedian, showSpread, spreadOf } from "./stats.ts";

/** A command that takes part. */
export interface Contender {
  readonly name: string;
  /** The command for an empty output folder. */
  job(folder: string): Job;
  /** Where a file of the set must stand afterwards; default: under its path in the folder. */
  find?(folder: string, path: string): string;
  /** What is wrong with what it printed; null when nothing is. */
  check?(measured: Measured): string | null;
}

export interface RaceOptions {
  readonly bench: Bench;
  readonly contenders: readonly Contender[];
  /** What each has to bring; empty when only the exit counts. */
  readonly expected: readonly DataFile[];
  readonly rounds: number;
  readonly timeoutMs: number;
  readonly random: () => number;
  readonly say: (line: string) => void;
  /**
   * Remove what the commands wrote only after the last round: ext4 passes over inodes that were deleted in the last
   * minute, so that thousands of files removed by one command would make the next one slow.
   */
  readonly keepOutput?: boolean;
  /** Runs around each command, to count something. */
  around?(name: string, run: () => Promise<void>): Promise<void>;
}

/** Runs that count, by round. */
interface Entry {
  readonly name: string;
  readonly runs: Map<number, Measured>;
  readonly problems: string[];
}

export interface Race {
  readonly entries: readonly Entry[];
  readonly totalBytes: number;
}

/** Runs all contenders in every round; one that times out is left out of the rounds that follow. */
export async function runRace(options: RaceOptions): Promise<Race> {
  const { contenders, rounds, random, say } = options;
  const entries = new Map(
    contenders.map(({ name }) => [
      name,
      { name, runs: new Map<number, Measured>(), problems: [] as string[] },
    ]),
  );
  const folders: string[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of shuffle(contenders, random)) {
      const entry = entries.get(contender.name);
      if (entry === undefined || entry.problems.some((problem) => problem.startsWith("timeout"))) continue;
      const measured = await runOnce(contender, { ...options, folders });
      if (measured.problem === null) entry.runs.set(round, measured);
      else entry.problems.push(measured.problem);
      const seconds = (measured.wallMs / 1000).toFixed(2);
      say(`  round ${round} of ${rounds}: ${contender.name}: ${measured.problem ?? `${seconds} s`}`);
    }
  }
  for (const folder of folders) await options.bench.drop(folder);
  const totalBytes = options.expected.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { entries: [...entries.values()], totalBytes };
}

async function runOnce(
  contender: Contender,
  options: RaceOptions & { folders: string[] },
): Promise<Measured> {
  const { bench, expected, timeoutMs } = options;
  const folder = await bench.folder();
  try {
    let measured: Measured | null = null;
    const run = async () => {
      measured = await bench.measure(contender.job(folder), { timeoutMs });
    };
    await (options.around?.(contender.name, run) ?? run());
    const done = measured as Measured | null;
    if (done === null) throw new Error(`${contender.name} was not run`);
    if (done.problem !== null) return done;
    const problem = contender.check?.(done) ?? (await checkOutput(contender, { folder, expected }));
    return { ...done, problem };
  } finally {
    if (options.keepOutput) options.folders.push(folder);
    else await bench.drop(folder);
  }
}

/** Every file whole, with the right SHA-256. */
export async function checkOutput(
  contender: Pick<Contender, "find">,
  { folder, expected }: { folder: string; expected: readonly DataFile[] },
): Promise<string | null> {
  const find = contender.find ?? join;
  for (const file of expected) {
    const found = await digestFile(find(folder, file.path));
    if (found === null) return `${file.path} is not there`;
    if (found.sizeBytes !== file.sizeBytes)
      return `${file.path} has ${found.sizeBytes} bytes of ${file.sizeBytes}`;
    if (found.sha256 !== file.sha256) return `${file.path} is not what was sent`;
  }
  return null;
}

type Quantity = "wallMs" | "cpuMs" | "rssBytes";

/** The spread of a quantity; null when no run counts. */
function spreadIn(race: Race, { name, of }: { name: string; of: Quantity }): Spread | null {
  const runs = race.entries.find((entry) => entry.name === name)?.runs.values() ?? [];
  return spreadOf([...runs].map((run) => run[of]));
}

/** The median of the ratios of single rounds: what drifts in the machine drifts for both. */
export function ratioIn(
  race: Race,
  { name, to, of }: { name: string; to: string; of: Quantity },
): number | null {
  const runs = race.entries.find((entry) => entry.name === name)?.runs;
  const reference = race.entries.find((entry) => entry.name === to)?.runs;
  if (runs === undefined || reference === undefined) return null;
  const ratios = [...runs].flatMap(([round, run]) => {
    const other = reference.get(round);
    return other === undefined || other[of] === 0 ? [] : [run[of] / other[of]];
  });
  return spreadOf(ratios)?.median ?? null;
}

/** How many runs of a command count. */
export function runsOf(race: Race, name: string): number {
  return race.entries.find((entry) => entry.name === name)?.runs.size ?? 0;
}

/** The rows of a race, ratios against one of its commands. */
export function raceTable(race: Race, options: { reference: string; extra?: Extra }): Table {
  const { reference, extra } = options;
  const totalMib = race.totalBytes / MIB;
  const rows = race.entries.map((entry) => {
    const { name, runs } = entry;
    const wall = spreadIn(race, { name, of: "wallMs" });
    const ratio = (of: Quantity) => ratioIn(race, { name, to: reference, of })?.toFixed(2) ?? "–";
    return [
      name,
      showSpread(wall, { unit: 1000, digits: 2 }),
      wall === null || totalMib === 0 ? "–" : ((totalMib * 1000) / wall.median).toFixed(0),
      showMedian(spreadIn(race, { name, of: "cpuMs" }), { unit: 1000, digits: 2 }),
      showMedian(spreadIn(race, { name, of: "rssBytes" }), { unit: MIB, digits: 0 }),
      ratio("wallMs"),
      ratio("cpuMs"),
      ...(extra === undefined ? [] : [extra.show(name)]),
      String(runs.size),
    ];
  });
  const head = ["command", "wall s (min–max)", "MiB/s", "CPU s", "peak RSS MiB"];
  const ratios = [`wall / ${reference}`, `CPU / ${reference}`];
  const remarks = race.entries.flatMap(({ name, runs, problems: [first, ...more] }) =>
    first === undefined
      ? []
      : [`${name}: ${more.length + 1} of ${runs.size + more.length + 1} runs failed: ${first}`],
  );
  return { head: [...head, ...ratios, ...(extra ? [extra.head] : []), "n"], rows, remarks };
}

/** One more column. */
interface Extra {
  readonly head: string;
  show(name: string): string;
}

/** `wall of NAME / wall of TO` at most `limit`. */
export function wallGoal(race: Race, { name, to, limit }: { name: string; to: string; limit: number }): Goal {
  const reached = ratioIn(race, { name, to, of: "wallMs" });
  return { what: `wall of ${name} / wall of ${to}`, limit, bound: "at most", reached };
}

/** The largest resident memory of any run of a command, in MiB. */
export function memoryGoal(race: Race, name: string): Goal {
  const largest = spreadIn(race, { name, of: "rssBytes" })?.max ?? null;
  const reached = largest === null ? null : largest / MIB;
  return { what: `peak RSS of ${name}`, limit: 128, bound: "at most", reached, unit: " MiB", digits: 1 };
}
