// Case f: verification alone, of what is installed: one large file, and several.

import { join } from "node:path";
import { luciByUrl, luciJob, present } from "./commands.ts";
import { type DataSet, oneFile, severalFiles } from "./data.ts";
import { type BenchCase, type Lab, loadOf, roundsOf } from "./lab.ts";
import type { Measured } from "./measure.ts";
import { type Contender, memoryGoal, type Race, raceTable, ratioIn, runRace } from "./race.ts";
import type { Goal, Section, Table } from "./report.ts";

const TIMEOUT_MS = 120_000;
const LUCI = "luci verify";
const OPENSSL = "openssl dgst -sha256";

/** 4 GiB in one file, 1 GiB in eight. */
export const verification: BenchCase = { id: "f", sets: (quick) => kinds(quick), run: runVerification };

function kinds(quick: boolean) {
  return quick ? [oneFile(256), severalFiles(8, 32)] : [oneFile(4096), severalFiles(8, 128)];
}

async function runVerification(lab: Lab): Promise<Section> {
  const tables: Table[] = [];
  const goals: Goal[] = [];
  for (const wanted of kinds(lab.options.quick)) {
    const load = await loadOf(lab, { set: wanted, speed: "unthrottled" });
    const home = await lab.bench.folder();
    try {
      const installer = luciByUrl(load);
      const { problem } = await lab.bench.measure(installer.job(home), { timeoutMs: TIMEOUT_MS });
      if (problem !== null) throw new Error(`luci install: ${problem}`);
      const paths = load.set.files.map(({ path }) => installer.find?.(home, path) ?? join(home, path));
      const result = await raceOver(lab, { set: load.set, paths, home });
      const count = paths.length;
      const what = count === 1 ? "one file" : `${count} files`;
      const total = `${load.set.totalBytes / 2 ** 20} MiB`;
      tables.push({ ...raceTable(result, { reference: OPENSSL }), caption: `${what}, ${total}:` });
      const reached = ratioIn(result, { name: OPENSSL, to: LUCI, of: "wallMs" });
      const limit = count === 1 ? 0.95 : 1.8;
      goals.push({
        what: `speed of luci verify / speed of openssl, ${what}`,
        limit,
        bound: "at least",
        reached,
      });
      goals.push(memoryGoal(result, LUCI));
    } finally {
      await lab.bench.drop(home);
    }
  }
  return {
    title: "Verification alone",
    intro: ["All read the same installed files from a warm page cache."],
    tables,
    goals,
  };
}

async function raceOver(
  lab: Lab,
  { set, paths, home }: { set: DataSet; paths: readonly string[]; home: string },
): Promise<Race> {
  const luci: Contender = {
    name: LUCI,
    job: () =>
      luciJob(
        { luci: lab.options.luci, hubUrl: lab.nginx.hubUrl },
        { folder: home, words: ["verify", "--json"] },
      ),
    check: ({ stdout }) =>
      stdout.includes(`"checkedBytes":${set.totalBytes}`) ? null : "it did not read every byte",
  };
  const hashers = (["openssl", "sha256sum"] as const).map((id): Contender | null => {
    const program = lab.tools.path(id);
    if (program === null) return null;
    const words = [program, ...(id === "openssl" ? ["dgst", "-sha256", "-r"] : []), ...paths];
    return {
      name: id === "openssl" ? OPENSSL : id,
      job: (folder) => ({ words, folder }),
      check: (measured) => hasDigests(measured, set),
    };
  });
  const contenders = present([luci, ...hashers]);
  const { bench, random, say } = lab;
  const rounds = roundsOf(lab, { full: 3, quick: 2 });
  const result = await runRace({
    bench,
    random,
    say,
    contenders,
    expected: [],
    rounds,
    timeoutMs: TIMEOUT_MS,
  });
  return { ...result, totalBytes: set.totalBytes };
}

function hasDigests({ stdout }: Measured, set: DataSet): string | null {
  return set.files.every(({ sha256 }) => stdout.includes(sha256)) ? null : "a digest is wrong";
}
