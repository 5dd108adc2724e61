// Case h: what a command costs before it does anything.

import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { luciJob } from "./commands.ts";
import { smallFiles } from "./data.ts";
import { commitOf, repoOf } from "./hub-pages.ts";
import { type BenchCase, type Lab, roundsOf } from "./lab.ts";
import type { Job } from "./measure.ts";
import { shuffle } from "./random.ts";
import type { Section } from "./report.ts";
import { showMedian, showSpread, spreadOf } from "./stats.ts";

const TIMEOUT_MS = 30_000;
const MODEL = "bench-model";
const EMPTY = "empty compiled Bun program";
const FILES = smallFiles(250);

/** `--version`, `path`, and an install of what is there. */
export const coldStart: BenchCase = { id: "h", sets: () => [FILES], run: runColdStart };

interface Entry {
  readonly name: string;
  readonly job: Job;
  readonly walls: number[];
  readonly cpus: number[];
}

async function runColdStart(lab: Lab): Promise<Section> {
  const home = await lab.bench.folder();
  try {
    const entries = await prepare(lab, home);
    const rounds = roundsOf(lab, { full: 20, quick: 10 });
    const requests = await lab.nginx.countHubRequests(async () => {
      for (let round = 0; round < rounds; round += 1)
        for (const entry of shuffle(entries, lab.random)) measureStart(entry);
    });
    const memory = await Promise.all(
      entries.map(async ({ job }) => (await lab.bench.measure(job, { timeoutMs: TIMEOUT_MS })).rssBytes),
    );
    return section(entries, { memory, requests });
  } finally {
    await lab.bench.drop(home);
  }
}

async function prepare(lab: Lab, home: string): Promise<readonly Entry[]> {
  const { bench, options, nginx, tools } = lab;
  const catalog = await writeCatalog(lab, home);
  // How long a program takes to start depends on how its pages came into the page cache: both are written now.
  const binary = join(home, "luci");
  await copyFile(options.luci, binary);
  const luci = (...words: string[]): Job => {
    const job = luciJob({ luci: binary, hubUrl: nginx.hubUrl }, { folder: home, words });
    return { ...job, env: { ...job.env, LUCI_CATALOG: catalog } };
  };
  const { problem } = await bench.measure(luci("install", MODEL, "--quiet"), { timeoutMs: TIMEOUT_MS });
  if (problem !== null) throw new Error(`luci install ${MODEL}: ${problem}`);
  const jobs: readonly (readonly [string, Job])[] = [
    ["luci --version", luci("--version")],
    ["luci path NAME", luci("path", MODEL)],
    ["luci install NAME, installed", luci("install", MODEL, "--quiet")],
    [EMPTY, { words: [await buildEmpty(home)], folder: home }],
    ["curl --version", { words: [tools.path("curl") ?? "curl", "--version"], folder: home }],
  ];
  return jobs.map(([name, job]) => ({ name, job: withBase(job, home), walls: [], cpus: [] }));
}

/** Started without GNU time, so with what `measure` would give it. */
function withBase(job: Job, home: string): Job {
  return { ...job, env: { PATH: process.env["PATH"] ?? "", HOME: home, LANG: "C.UTF-8", ...job.env } };
}

async function writeCatalog(lab: Lab, home: string): Promise<string> {
  const set = await lab.set(FILES);
  const files = set.files
    .slice(0, 1)
    .map(({ path, sizeBytes, sha256 }) => ({ path, size: sizeBytes, sha256 }));
  const source = { hub: "huggingface", repo: repoOf(set), revision: commitOf(set), files };
  const path = join(home, "bench-catalog.json");
  await writeFile(path, JSON.stringify({ version: 1, models: [{ name: MODEL, tier: 0, source }] }));
  return path;
}

/** A program that does nothing, compiled in the same way as luci. */
async function buildEmpty(folder: string): Promise<string> {
  const source = join(folder, "empty.ts");
  await writeFile(source, "");
  const outfile = join(folder, "empty");
  const { success, logs } = await Bun.build({
    entrypoints: [source],
    format: "esm",
    minify: true,
    bytecode: true,
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  });
  if (!success) throw new Error(logs.map(String).join("\n"));
  return outfile;
}

function measureStart(entry: Entry): void {
  const { words, env, folder } = entry.job;
  const startedMs = performance.now();
  const run = Bun.spawnSync([...words], {
    cwd: folder,
    env: { ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const wallMs = performance.now() - startedMs;
  if (run.exitCode !== 0) throw new Error(`${entry.name}: exit ${run.exitCode}: ${run.stderr.toString()}`);
  entry.walls.push(wallMs);
  entry.cpus.push(Number(run.resourceUsage.cpuTime.total) / 1000);
}

function section(
  entries: readonly Entry[],
  { memory, requests }: { memory: readonly number[]; requests: number },
): Section {
  const median = (name: string) =>
    spreadOf(entries.find((entry) => entry.name === name)?.walls ?? [])?.median ?? null;
  const emptyMs = median(EMPTY);
  const ratio = (ms: number | null) => (ms === null || emptyMs === null ? null : ms / emptyMs);
  const rows = entries.map(({ name, walls, cpus }, index) => [
    name,
    showSpread(spreadOf(walls), { unit: 1, digits: 1 }),
    showMedian(spreadOf(cpus), { unit: 1, digits: 1 }),
    ((memory[index] ?? 0) / 2 ** 20).toFixed(0),
    ratio(median(name))?.toFixed(2) ?? "–",
    String(walls.length),
  ]);
  return {
    title: "Cold start",
    intro: [
      `The installed model is one of a catalog that pins it. Requests to the hub in all these runs: ${requests}. luci is copied beside the empty program when that is made: the same binary starts up to a third slower when its pages came into the page cache another way.`,
    ],
    tables: [{ head: ["command", "wall ms (min–max)", "CPU ms", "peak RSS MiB", "wall / empty", "n"], rows }],
    goals: [
      {
        what: "wall of luci --version / wall of an empty program",
        limit: 1.5,
        bound: "at most",
        reached: ratio(median("luci --version")),
      },
      {
        what: "luci install of what is there",
        limit: 60,
        bound: "at most",
        reached: median("luci install NAME, installed"),
        unit: " ms",
        digits: 1,
      },
    ],
  };
}
