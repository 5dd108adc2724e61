// The words behind `npm run soak --`: how long, of what, and from which seed.

import { parseArgs } from "node:util";

export interface Options {
  /** Kills of single runs. */
  readonly kills: number;
  /** Rounds of eight processes that race. */
  readonly races: number;
  /** Power cuts. */
  readonly cuts: number;
  /** How long everything is paused while the hub is watched; 0: not at all. */
  readonly pauseSeconds: number;
  /** Ends before all of it is done; null for no limit. */
  readonly minutes: number | null;
  readonly seed: number;
}

export const USAGE = `npm run soak -- [flags]

  --kills N      kill -9 at N seeded moments of every command that changes the disk (default: 1000)
  --race N       N rounds of eight processes that are killed and started again on one folder (default: 20)
  --power N      N power cuts on a file system of its own; needs root (default: 0)
  --pause S      pause an install and a serve for S seconds and watch that nothing is asked for (default: 0)
  --minutes M    stop after so long, however much is left
  --seed S       repeat a run (default: from the clock; it is printed)

Runs dist/luci, or what LUCI_BINARY names. Ends with 1 if a promise broke.
`;

/**
 * Reads the command line; null when help was asked for.
 * @throws Error naming the flag that is wrong
 */
export function readOptions(args: readonly string[]): Options | null {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: text,
      race: text,
      power: text,
      pause: text,
      minutes: text,
      seed: text,
      help: { type: "boolean" },
    },
  });
  if (values.help) return null;
  return {
    kills: whole("--kills", values.kills ?? "1000"),
    races: whole("--race", values.race ?? "20"),
    cuts: whole("--power", values.power ?? "0"),
    pauseSeconds: whole("--pause", values.pause ?? "0"),
    minutes: values.minutes === undefined ? null : whole("--minutes", values.minutes),
    seed: whole("--seed", values.seed ?? String(Date.now() % 1_000_000_000)),
  };
}

function whole(flag: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new Error(`${flag}: "${value}" is not a whole number`);
  return Number(value);
}
