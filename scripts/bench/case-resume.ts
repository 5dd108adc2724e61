// Case g: kill -9 when half of a file was sent, then the same command again.

import { join } from "node:path";
import { addRange, containsRange, type Range, rangeSize, totalSize } from "../../src/domain/range.ts";
import { luciJob } from "./commands.ts";
import { type DataFile, MIB } from "./data.ts";
import { type BenchCase, type Lab, roundsOf } from "./lab.ts";
import { type Link, LINK_FILE, linkDigest, startLink } from "./link.ts";
import { checkOutput, type Contender } from "./race.ts";
import { shuffle } from "./random.ts";
import type { Section } from "./report.ts";
import { showSpread, spreadOf } from "./stats.ts";

const TIMEOUT_MS = 120_000;
const RATE_BYTES_PER_SEC = 256 * MIB;
/** The killed command's sockets are gone by then. */
const SETTLE_MS = 200;

/** 1 GiB over a link of 256 MiB/s. */
export const resumption: BenchCase = { id: "g", sets: () => [], run: runResumption };

interface Outcome {
  readonly refetchedBytes: number;
  readonly firstByteMs: number;
  readonly firstNewByteMs: number;
  readonly finishMs: number;
}

interface Entry {
  readonly outcomes: Outcome[];
  readonly problems: string[];
}

async function runResumption(lab: Lab): Promise<Section> {
  const sizeBytes = (lab.options.quick ? 256 : 1024) * MIB;
  const sha256 = await linkDigest(sizeBytes);
  const file = { path: LINK_FILE, sizeBytes, sha256 };
  const contenders = commands(lab, sha256);
  const entries = new Map<string, Entry>();
  const rounds = roundsOf(lab, { full: 3, quick: 1 });
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of shuffle(contenders, lab.random)) {
      const entry = entries.get(contender.name) ?? { outcomes: [], problems: [] };
      entries.set(contender.name, entry);
      const outcome = await killAndFinish(lab, { contender: contender.with, file });
      if (typeof outcome === "string") entry.problems.push(outcome);
      else entry.outcomes.push(outcome);
      const said =
        typeof outcome === "string" ? outcome : `${(outcome.refetchedBytes / MIB).toFixed(0)} MiB again`;
      lab.say(`  round ${round} of ${rounds}: ${contender.name}: ${said}`);
    }
  }
  return section(entries, { sizeBytes, names: contenders.map(({ name }) => name) });
}

interface LinkContender {
  readonly name: string;
  with(url: string): Contender;
}

function commands(lab: Lab, sha256: string): LinkContender[] {
  const { tools, options, nginx } = lab;
  const peer = (id: "curl" | "aria2c", flags: readonly string[]) => {
    const program = tools.path(id);
    if (program === null) return null;
    const name = `${id} ${flags.join(" ")}`;
    const quiet = id === "curl" ? ["-fsS", "-o", LINK_FILE] : ["--no-conf", "-q"];
    const words = [program, ...quiet, ...flags];
    return {
      name,
      with: (url: string) => ({ name, job: (folder: string) => ({ words: [...words, url], folder }) }),
    };
  };
  const luci: LinkContender = {
    name: "luci",
    with: (url) => ({
      name: "luci",
      job: (folder) =>
        luciJob(
          { luci: options.luci, hubUrl: nginx.hubUrl },
          { folder, words: ["install", `${url}#sha256=${sha256}`, "--quiet"] },
        ),
      find: (folder, path) => join(folder, "models", path),
    }),
  };
  const aria = ["-c", "-x16", "-s16"];
  return [
    luci,
    peer("curl", ["-C", "-"]),
    peer("aria2c", aria),
    peer("aria2c", [...aria, "--auto-save-interval=1"]),
  ].filter((one) => one !== null);
}

async function killAndFinish(
  lab: Lab,
  { contender: withUrl, file }: { contender: LinkContender["with"]; file: DataFile },
): Promise<Outcome | string> {
  const { bench } = lab;
  const folder = await bench.folder();
  const link = await startLink({ sizeBytes: file.sizeBytes, rateBytesPerSec: RATE_BYTES_PER_SEC });
  try {
    const contender = withUrl(link.url);
    const first = watch(link, { stopBytes: file.sizeBytes / 2 });
    const running = bench.start(contender.job(folder));
    await Promise.race([first.stopped, running.exited]);
    running.kill();
    if ((await running.exited) === 0) return "it was done before it could be killed";
    await Bun.sleep(SETTLE_MS);
    const had = first.ranges();
    const firstBytes = first.sentBytes();
    const second = watch(link, { known: had });
    const measured = await bench.measure(contender.job(folder), { timeoutMs: TIMEOUT_MS });
    const problem = measured.problem ?? (await checkOutput(contender, { folder, expected: [file] }));
    if (problem !== null) return problem;
    return {
      refetchedBytes: firstBytes + second.sentBytes() - file.sizeBytes,
      firstByteMs: second.firstByteAtMs() - measured.startedMs,
      firstNewByteMs: second.firstNewByteAtMs() - measured.startedMs,
      finishMs: measured.wallMs,
    };
  } finally {
    await link.stop();
    await bench.drop(folder);
  }
}

/** Follows what a link sends, until `stopBytes` have gone. New is what is not in `known`. */
function watch(
  link: Link,
  { stopBytes = Infinity, known = [] }: { stopBytes?: number; known?: readonly Range[] },
) {
  let ranges: Range[] = [];
  let sentBytes = 0;
  let firstByteAtMs = Number.NaN;
  let firstNewByteAtMs = Number.NaN;
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  link.onSent = (sent) => {
    ranges = addRange(ranges, sent);
    sentBytes += rangeSize(sent);
    if (Number.isNaN(firstByteAtMs)) firstByteAtMs = performance.now();
    if (Number.isNaN(firstNewByteAtMs) && !containsRange(known, sent)) firstNewByteAtMs = performance.now();
    if (sentBytes >= stopBytes) resolve();
  };
  return {
    stopped,
    ranges: () => ranges,
    sentBytes: () => Math.max(sentBytes, totalSize(ranges)),
    firstByteAtMs: () => firstByteAtMs,
    firstNewByteAtMs: () => firstNewByteAtMs,
  };
}

function section(
  entries: ReadonlyMap<string, Entry>,
  { sizeBytes, names }: { sizeBytes: number; names: readonly string[] },
): Section {
  const spread = (name: string, of: keyof Outcome) =>
    spreadOf(entries.get(name)?.outcomes.map((outcome) => outcome[of]) ?? []);
  const rows = names.map((name) => {
    const { outcomes = [] } = entries.get(name) ?? {};
    return [
      name,
      showSpread(spread(name, "refetchedBytes"), { unit: MIB, digits: 0 }),
      showSpread(spread(name, "firstByteMs"), { unit: 1, digits: 0 }),
      showSpread(spread(name, "firstNewByteMs"), { unit: 1, digits: 0 }),
      showSpread(spread(name, "finishMs"), { unit: 1000, digits: 2 }),
      String(outcomes.length),
    ];
  });
  const largest = spread("luci", "refetchedBytes")?.max ?? null;
  return {
    title: `kill -9 at half of ${sizeBytes / MIB} MiB, then the same command again`,
    intro: [
      `The link carries ${RATE_BYTES_PER_SEC / MIB} MiB/s, all connections together. Refetched is what was sent in both runs less the size of the file; ` +
        "times run from the start of the second command; a byte is new when the first run was never sent it.",
    ],
    tables: [
      {
        head: ["command", "refetched MiB", "first byte ms", "first new byte ms", "finished s", "n"],
        rows,
        remarks: [...entries].flatMap(([name, { problems }]) =>
          problems.map((problem) => `${name}: a run failed: ${problem}`),
        ),
      },
    ],
    goals: goalsOf({ largest, firstNewByteMs: spread("luci", "firstNewByteMs")?.median ?? null }),
  };
}

function goalsOf({ largest, firstNewByteMs }: { largest: number | null; firstNewByteMs: number | null }) {
  return [
    {
      what: "most that luci fetched again",
      limit: 64,
      bound: "at most",
      reached: largest === null ? null : largest / MIB,
      unit: " MiB",
      digits: 1,
    },
    {
      what: "first new byte of luci",
      limit: 50,
      bound: "at most",
      reached: firstNewByteMs,
      unit: " ms",
      digits: 1,
    },
  ] as const satisfies Section["goals"];
}
