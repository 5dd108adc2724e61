// What a case works with, and what a case is.

import { type DataSet, makeSet, type oneFile } from "./data.ts";
import type { Load } from "./commands.ts";
import type { Bench } from "./measure.ts";
import type { Nginx, Speed } from "./nginx.ts";
import type { CaseId, Options } from "./options.ts";
import type { Contender, Race } from "./race.ts";
import { runRace } from "./race.ts";
import type { Section } from "./report.ts";
import type { Tools } from "./tools.ts";

export type WantedSet = ReturnType<typeof oneFile>;

/** Everything a case may use. */
export interface Lab {
  readonly options: Options;
  readonly bench: Bench;
  readonly nginx: Nginx;
  readonly tools: Tools;
  readonly random: () => number;
  /** Folder on the filesystem that everything is written to; removed at the end. */
  readonly workFolder: string;
  /** The program that does luci's work and nothing else. */
  readonly floor: string;
  /** A set that the case asked for. */
  set(wanted: WantedSet): Promise<DataSet>;
  say(line: string): void;
}

export interface BenchCase {
  readonly id: CaseId;
  /** The sets it needs, in quick mode or not. */
  sets(quick: boolean): readonly WantedSet[];
  run(lab: Lab): Promise<Section>;
}

/** A set at one of the servers' speeds. */
export async function loadOf(lab: Lab, options: { set: WantedSet; speed: Speed }): Promise<Load> {
  const { nginx, tools } = lab;
  const set = await lab.set(options.set);
  return { set, urls: nginx.urls(set, options.speed), hubUrl: nginx.hubUrl, tools, luci: lab.options.luci };
}

/** Rounds as asked for, else the case's own. */
export function roundsOf({ options }: Lab, own: { full: number; quick: number }): number {
  return options.rounds ?? (options.quick ? own.quick : own.full);
}

/** Races contenders over a set. */
export function race(
  lab: Lab,
  options: { contenders: readonly Contender[]; set: DataSet; rounds: number; timeoutMs: number } & RaceExtras,
): Promise<Race> {
  const { bench, random, say } = lab;
  const { set, ...others } = options;
  return runRace({ bench, random, say, expected: set.files, ...others });
}

type RaceExtras = Pick<Parameters<typeof runRace>[0], "around" | "keepOutput">;

/** Finds sets, making each once. */
export function setShelf(dataFolder: string): (wanted: WantedSet) => Promise<DataSet> {
  const made = new Map<string, Promise<DataSet>>();
  return (wanted) => {
    const known = made.get(wanted.name) ?? makeSet(dataFolder, wanted);
    made.set(wanted.name, known);
    return known;
  };
}
