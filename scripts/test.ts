// Runs the tests: builds the binary when it is older than its sources, runs everything under test/ and
// closes with one plain line, `N passed, N failed`. Arguments are handed to `bun test` (files, -t pattern).
// A test file that needs a program beyond the system's own says so in a line `// needs: program (debian-package)`;
// `--needs` lists the packages of those that are missing.

import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Need {
  readonly program: string;
  readonly debianPackage: string;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
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
const TIMEOUT_MS = 60_000;

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  const missing = (await listNeeds()).filter((need) => Bun.which(need.program) === null);
  if (args.includes("--needs")) {
    for (const debianPackage of new Set(missing.map((need) => need.debianPackage)))
      console.log(debianPackage);
    return;
  }
  if (await isStale()) await build();
  const { counts, code } = await runTests(args);
  for (const { program, debianPackage } of missing) {
    console.error(
      `${program} is missing: the tests that need it did not run (apt-get install ${debianPackage})`,
    );
  }
  const unrun = process.env["CI"] === "true" ? missing.length : 0;
  const { passed, skipped } = counts;
  // A crash of the runner itself leaves no failed test behind, and must not look like success.
  const failed = counts.failed + unrun || Number(code !== 0 || passed === 0);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
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

async function runTests(args: readonly string[]): Promise<{ counts: Counts; code: number }> {
  const folder = await mkdtemp(join(tmpdir(), "luci-test-"));
  const report = join(folder, "junit.xml");
  try {
    const run = Bun.spawn(
      [
        process.execPath,
        "test",
        "--isolate",
        `--timeout=${TIMEOUT_MS}`,
        "--reporter=junit",
        `--reporter-outfile=${report}`,
        ...(args.length > 0 ? args : ["./test"]),
      ],
      { stdio: ["ignore", "inherit", "inherit"], cwd: ROOT },
    );
    const code = await run.exited;
    return { counts: countTests(await readFile(report, "utf8").catch(() => "")), code };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function countTests(junit: string): Counts {
  const total = /<testsuites\b[^>]*>/.exec(junit)?.[0] ?? "";
  const read = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(total)?.[1] ?? 0);
  const failed = read("failures") + read("errors");
  const skipped = read("skipped");
  return { passed: read("tests") - failed - skipped, failed, skipped };
}
