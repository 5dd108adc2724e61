// Runs the tests: builds the binary when it is older than its sources, runs everything under test/ and
// closes with the names of the failed tests and one plain line, `N passed, N failed`. Arguments are handed to
// `bun test` (files, -t pattern).
// A test file that needs a program beyond the system's own says so in a line `// needs: program (debian-package)`;
// `--needs` lists the packages of those that are missing.

import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { countTests, type Counts, nameFailures } from "./junit.ts";

interface Need {
  readonly program: string;
  readonly debianPackage: string;
}

/** How a run of `bun test` ended. */
interface Outcome extends Counts {
  /** The failed tests, each in a few lines. */
  readonly failures: readonly string[];
  /** What it said and has not been shown yet. */
  readonly unsaid: string;
}

const ROOT = join(import.meta.dir, "..");
const BINARY = join(ROOT, "dist", process.platform === "win32" ? "luci.exe" : "luci");
const BUILT_FROM = [
  "src/**/*",
  "scripts/build.ts",
  "scripts/page-bundle.ts",
  "package.json",
  "package-lock.json",
];
/** Of a test that hangs: no test is that slow, on any machine. */
const TIMEOUT_MS = 180_000;
const AT_ONCE = 2;
/** Said by `bun test` of what belongs to no test. */
const BETWEEN = "# Unhandled error between tests";
const LONGEST_FIRST = ["fault", "e2e", "crash", "contract", "unit"];

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  const missing = (await listNeeds()).filter((need) => Bun.which(need.program) === null);
  if (args.includes("--needs")) {
    for (const debianPackage of new Set(missing.map((need) => need.debianPackage)))
      console.log(debianPackage);
    return;
  }
  if (await isStale()) await build();
  const outcomes = await runTests(args);
  const sum = (name: keyof Counts): number => outcomes.reduce((total, outcome) => total + outcome[name], 0);
  for (const { program, debianPackage } of missing) {
    console.error(
      `${program} is missing: the tests that need it did not run (apt-get install ${debianPackage})`,
    );
  }
  const unrun = process.env["CI"] === "true" ? missing.length : 0;
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  if (failures.length > 0) console.log(`\nFailed:\n${failures.join("\n")}\n`);
  const failed = sum("failed") + unrun;
  const skipped = sum("skipped");
  console.log(`${sum("passed")} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function listNeeds(): Promise<readonly Need[]> {
  const needs = new Map<string, Need>();
  for await (const path of new Bun.Glob("test/**/*.ts").scan({ cwd: ROOT })) {
    const text = await readFile(join(ROOT, path), "utf8");
    for (const [, program, debianPackage] of text.matchAll(/^\/\/ needs: (\S+) \((\S+)\)$/gm)) {
      if (program !== undefined && debianPackage !== undefined)
        needs.set(program, { program, debianPackage });
    }
  }
  return [...needs.values()];
}

async function isStale(): Promise<boolean> {
  const built = await stat(BINARY).catch(() => null);
  if (built === null) return true;
  for (const pattern of BUILT_FROM) {
    for await (const path of new Bun.Glob(pattern).scan({ cwd: ROOT })) {
      if ((await stat(join(ROOT, path))).mtimeMs > built.mtimeMs) return true;
    }
  }
  return false;
}

async function build(): Promise<void> {
  const run = Bun.spawn([process.execPath, join(ROOT, "scripts/build.ts")], {
    stdio: ["ignore", "inherit", "inherit"],
    cwd: ROOT,
  });
  if ((await run.exited) === 0) return;
  console.log("0 passed, 1 failed");
  process.exit(1);
}

/** Named files in one go; all tests by their folders, two at a time: mostly they wait for children and for servers. */
async function runTests(args: readonly string[]): Promise<readonly Outcome[]> {
  const folder = await mkdtemp(join(tmpdir(), "luci-test-"));
  try {
    if (args.length > 0)
      return [await runGroup({ words: args, report: join(folder, "junit.xml"), live: true })];
    const queue = await groups();
    const ends: Outcome[] = [];
    const work = async (): Promise<void> => {
      for (let group = queue.shift(); group !== undefined; group = queue.shift())
        ends.push(
          await runGroup({ words: [`./test/${group}`], report: join(folder, `${group}.xml`), live: false }),
        );
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, availableParallelism()) }, work));
    // Of a log that was cut, the end is left.
    for (const { unsaid } of ends) process.stdout.write(unsaid);
    return ends;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The folders of test/ that hold tests, those that take longest first. */
async function groups(): Promise<string[]> {
  const found = new Set<string>();
  for await (const path of new Bun.Glob("*/**/*.test.ts").scan({ cwd: join(ROOT, "test") }))
    found.add(path.split("/")[0] ?? "");
  const rank = (name: string): number => LONGEST_FIRST.indexOf(name);
  return [...found].toSorted((one, other) => rank(one) - rank(other));
}

interface Group {
  readonly words: readonly string[];
  /** File for the JUnit report. */
  readonly report: string;
  /** Shown as it comes; else when it is whole, so that two groups do not talk at once. */
  readonly live: boolean;
}

async function runGroup({ words, report, live }: Group): Promise<Outcome> {
  const output = live ? "inherit" : "pipe";
  const run = Bun.spawn(
    [
      process.execPath,
      "test",
      "--isolate",
      `--timeout=${TIMEOUT_MS}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...words,
    ],
    { stdio: ["ignore", output, output], cwd: ROOT },
  );
  const said = live
    ? []
    : await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
  const code = await run.exited;
  const junit = await readFile(report, "utf8").catch(() => "");
  const counts = countTests(junit);
  const named = nameFailures(junit);
  // What fails between tests (a file that does not load, a crash) is in no report, and must not look like success.
  const isUnnamed =
    said.some((text) => text.includes(BETWEEN)) ||
    (named.length === 0 && (code !== 0 || counts.passed === 0));
  const unnamed = `${words.join(" ")}: failed beside its tests (exit ${code}): look for "error" in what it said`;
  const failures = isUnnamed ? [...named, unnamed] : named;
  const failed = counts.failed + Number(isUnnamed);
  if (failed === 0) for (const text of said) process.stdout.write(text);
  return { ...counts, failed, failures, unsaid: failed === 0 ? "" : said.join("") };
}
