// luci beside the tools that people would use instead, on loopback: `npm run bench -- --help`.
// Starts nginx, makes the data, runs the cases, writes the report. Nothing asserts a time.

import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { batch, repository } from "./case-many-files.ts";
import { fourGib, oneGib, throttled } from "./case-one-file.ts";
import { rateLimit } from "./case-limit.ts";
import { memory } from "./case-memory.ts";
import { profile } from "./case-profile.ts";
import { resumption } from "./case-resume.ts";
import { coldStart } from "./case-start.ts";
import { verification } from "./case-verify.ts";
import { buildFloor } from "./floor-rows.ts";
import { startPathsInfo, writePages } from "./hub-pages.ts";
import { type BenchCase, type Lab, setShelf } from "./lab.ts";
import { describeMachine } from "./machine.ts";
import { createBench } from "./measure.ts";
import { startNginx } from "./nginx.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { randomNumbers } from "./random.ts";
import { isMet, renderReport, renderSection, type Section } from "./report.ts";
import { findTools, firstLine, type Tools } from "./tools.ts";

const ROOT = join(import.meta.dir, "../..");
const CASES: readonly BenchCase[] = [
  oneGib,
  fourGib,
  throttled,
  batch,
  repository,
  verification,
  resumption,
  coldStart,
  rateLimit,
  memory,
  profile,
];

type Undo = () => void | Promise<void>;

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`bench failed: ${describe(error)}`);
  process.exitCode = 1;
});

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === null) {
    console.log(USAGE);
    return;
  }
  if ((await stat(options.luci).catch(() => null)) === null)
    throw new Error(`there is no ${options.luci}: run \`npm run build\` first`);
  if (!/^[\w./-]+$/.test(options.dataFolder))
    throw new Error("--data: only plain letters in the path, please");
  const undo: Undo[] = [];
  const end = async (): Promise<void> => {
    for (let last = undo.pop(); last !== undefined; last = undo.pop()) await last();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => void end().finally(() => process.exit(signal === "SIGINT" ? 130 : 143)));
  try {
    await runAll(options, { undo, args });
  } finally {
    await end();
  }
}

async function runAll(
  options: Options,
  { undo, args }: { undo: Undo[]; args: readonly string[] },
): Promise<void> {
  const tools = findTools(options.dataFolder);
  await mkdir(options.dataFolder, { recursive: true });
  const machine = await describeMachine(options.dataFolder);
  const date = new Date();
  console.log(`seed ${options.seed}, data in ${options.dataFolder}`);
  for (const line of tools.missing) console.log(line);
  if (machine.busy !== null) console.log(machine.busy);
  const lab = await openLab(options, { tools, undo });
  const sections: Section[] = [];
  const head = () => heading({ options, args, tools, date, machine, sections });
  for (const { id, run } of CASES.filter((one) => options.cases.includes(one.id))) {
    console.log(`case ${id}`);
    const section = await run(lab).catch((error: unknown) => failedSection(error));
    const lettered = { ...section, title: `(${id}) ${section.title}` };
    sections.push(lettered);
    console.log(`\n${renderSection(lettered).join("\n")}`);
    // After every case: what was measured is not lost with what was not.
    if (options.outFile !== null) await writeFile(options.outFile, renderReport(await head(), sections));
  }
  if (options.outFile !== null) console.log(`written: ${relative(process.cwd(), options.outFile)}`);
}

async function openLab(options: Options, { tools, undo }: { tools: Tools; undo: Undo[] }): Promise<Lab> {
  const { dataFolder, quick } = options;
  const workFolder = await mkdtemp(join(dataFolder, "work-"));
  undo.push(() => rm(workFolder, { recursive: true, force: true }));
  const shelf = setShelf(dataFolder);
  const wanted = CASES.filter(({ id }) => options.cases.includes(id)).flatMap(({ sets }) => sets(quick));
  const names = new Set<string>();
  const sets = [];
  for (const one of wanted) {
    if (names.has(one.name)) continue;
    names.add(one.name);
    console.log(`data ${one.name}`);
    sets.push(await shelf(one));
  }
  for (const set of sets) await writePages(dataFolder, set);
  const pathsInfo = startPathsInfo(sets);
  undo.push(() => pathsInfo.stop());
  const program = tools.path("nginx") ?? "nginx";
  const nginx = await startNginx({ program, dataFolder, workFolder, sets, pathsInfoPort: pathsInfo.port });
  undo.push(() => nginx.stop());
  const bench = createBench({
    workFolder,
    time: tools.path("time") ?? "time",
    path: process.env["PATH"] ?? "",
  });
  undo.push(() => bench.stop());
  const random = randomNumbers(options.seed);
  const say = (line: string) => console.log(line);
  const floor = await buildFloor(workFolder);
  return { options, bench, nginx, tools, random, workFolder, floor, set: shelf, say };
}

interface Heading {
  readonly options: Options;
  readonly args: readonly string[];
  readonly tools: Tools;
  readonly date: Date;
  readonly machine: Awaited<ReturnType<typeof describeMachine>>;
  readonly sections: readonly Section[];
}

async function heading({ options, args, tools, date, machine, sections }: Heading): Promise<string[]> {
  const goals = sections.flatMap((section) => section.goals).map(isMet);
  const luci = `${firstLine([options.luci, "--version"])}, ${commit()}, built ${(await stat(options.luci)).mtime.toISOString()}`;
  return [
    "# luci beside others",
    "",
    `Made by \`${["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" ")}\` on ${date.toISOString()}, seed ${options.seed}. ` +
      `Goals: ${goals.filter((met) => met === true).length} met, ${goals.filter((met) => met === false).length} not met, ${goals.filter((met) => met === null).length} not measured.`,
    "",
    ...machine.facts.map((fact) => `- ${fact}`),
    `- ${luci}`,
    `- ${[...tools.versions, `@huggingface/hub ${await hubVersion()}`, `bun ${Bun.version}`].join(", ")}`,
    ...[...tools.missing, ...(machine.busy === null ? [] : [machine.busy])].map((line) => `- ${line}`),
    "",
    "nginx serves from the page cache over loopback, with sendfile. In every round the commands run once each, in shuffled order; " +
      "figures are medians, ratios are medians of the ratios within a round. CPU is user and system time of the whole process tree. " +
      "Every file is checked (size and SHA-256) and removed after its run, or after the last round where there are thousands; a run that failed counts for nothing but its remark. " +
      "luci syncs what it downloads to the disk before it says that it is done; of the others none does.",
    "",
  ];
}

function commit(): string {
  const git = (...words: string[]) =>
    Bun.spawnSync(["git", "-C", ROOT, ...words], { stdout: "pipe", stderr: "ignore" })
      .stdout.toString()
      .trim();
  const dirty = git("status", "--porcelain") === "" ? "" : " with changes";
  return `commit ${git("rev-parse", "--short", "HEAD")}${dirty}`;
}

async function hubVersion(): Promise<string> {
  const path = join(ROOT, "node_modules/@huggingface/hub/package.json");
  const { version } = (await Bun.file(path).json()) as { version: string };
  return version;
}

function failedSection(error: unknown): Section {
  return { title: "failed", intro: [describe(error)], tables: [], goals: [] };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
