// The words behind `npm run bench --`: what is run, how often, and where it works.

import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export const CASE_IDS = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"] as const;
export type CaseId = (typeof CASE_IDS)[number];

export interface Options {
  readonly quick: boolean;
  readonly cases: readonly CaseId[];
  /** Rounds of every case; null for each case's own number. */
  readonly rounds: number | null;
  /** Orders the contenders within the rounds. */
  readonly seed: number;
  /** Folder of the data, kept between runs, and of the work, which is not. */
  readonly dataFolder: string;
  /** File of the report; null prints it only. */
  readonly outFile: string | null;
  readonly long: boolean;
  /** Size of the large file of case j. */
  readonly hugeGib: number;
  /** The luci that is measured. */
  readonly luci: string;
}

const ROOT = join(import.meta.dir, "../..");

export const USAGE = `npm run bench -- [flags]

  --quick        small files and few rounds, under two minutes
  --case a,c     only these cases (${CASE_IDS.join(", ")}; j needs --long)
  --rounds N     rounds of every case (default: each case's own number)
  --seed N       order of the commands within the rounds (default: from the clock; it is printed)
  --data DIR     data files, made once and kept, and the work folder (default: ${join(tmpdir(), "luci-bench")})
  --out FILE     report (default: scripts/bench/RESULTS.md for a whole run, else it is only printed)
  --long         also case j, which writes a file of --huge GiB
  --huge GiB     size of that file (default: 64)
  --luci PATH    the executable to measure (default: dist/luci)
`;

/**
 * Reads the command line; null when help was asked for.
 * @throws Error naming the flag that is wrong
 */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      case: { type: "string" },
      rounds: { type: "string" },
      seed: { type: "string" },
      data: { type: "string", default: join(tmpdir(), "luci-bench") },
      out: { type: "string" },
      long: { type: "boolean", default: false },
      huge: { type: "string", default: "64" },
      luci: { type: "string", default: join(ROOT, "dist/luci") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const { quick, long } = values;
  const isWhole = !quick && values.case === undefined;
  return {
    quick,
    cases: values.case === undefined ? CASE_IDS.filter((id) => long || id !== "j") : readCases(values.case),
    rounds: values.rounds === undefined ? null : readNumber("rounds", values.rounds),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : readNumber("seed", values.seed),
    dataFolder: resolve(values.data),
    outFile: outFile(values.out, isWhole),
    long,
    hugeGib: readNumber("huge", values.huge),
    luci: resolve(values.luci),
  };
}

function outFile(given: string | undefined, isWhole: boolean): string | null {
  if (given !== undefined) return resolve(given);
  return isWhole ? join(import.meta.dir, "RESULTS.md") : null;
}

function readCases(text: string): readonly CaseId[] {
  const words = text.split(",").map((word) => word.trim());
  const unknown = words.find((word) => !CASE_IDS.some((id) => id === word));
  if (unknown !== undefined) throw new Error(`there is no case ${unknown}: ${CASE_IDS.join(", ")}`);
  return CASE_IDS.filter((id) => words.includes(id));
}

function readNumber(flag: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`--${flag} takes a number above 0, not ${JSON.stringify(text)}`);
}
