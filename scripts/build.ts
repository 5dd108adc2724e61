// Builds the executable: `bun scripts/build.ts` makes dist/luci for this machine, `--all` one for every
// supported machine, with SHA256SUMS. A binary reaches dist/ only after it was checked.

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import * as v from "valibot";
import manifest from "../package.json" with { type: "json" };
import catalog from "../src/sources/catalog.json" with { type: "json" };
import { CatalogSchema } from "../src/sources/catalog-schema.ts";
import { checkSignature } from "./macho.ts";

interface Target {
  readonly file: string;
  /** Bun's name of the runtime; null is the one that runs this script. */
  readonly runtime: Bun.Build.CompileTarget | null;
}

/** Before it, fetch had no back-pressure: a slow disk let memory grow with the file. */
const OLDEST_BUN = "1.4.5";
const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");
const HERE: Target = { file: process.platform === "win32" ? "luci.exe" : "luci", runtime: null };
const RELEASES: readonly Target[] = [
  { file: "luci-linux-x64", runtime: "bun-linux-x64" },
  { file: "luci-linux-arm64", runtime: "bun-linux-arm64" },
  { file: "luci-macos-arm64", runtime: "bun-darwin-arm64" },
  { file: "luci-macos-x64", runtime: "bun-darwin-x64" },
  { file: "luci-windows-x64.exe", runtime: "bun-windows-x64" },
];

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`build failed: ${describe(error)}`);
  process.exitCode = 1;
});

async function main(flags: readonly string[]): Promise<void> {
  const unknown = flags.find((flag) => flag !== "--all");
  if (unknown !== undefined) throw new Error(`unknown argument ${unknown}: there is only --all`);
  if (!Bun.semver.satisfies(Bun.version, `>=${OLDEST_BUN}`)) {
    throw new Error(`Bun ${Bun.version} is too old: luci needs ${OLDEST_BUN} or newer`);
  }
  checkCatalog();
  await mkdir(DIST, { recursive: true });
  if (flags.includes("--all")) await buildAll();
  else await build(HERE);
}

function checkCatalog(): void {
  const result = v.safeParse(CatalogSchema, catalog);
  if (result.success) return;
  const problems = result.issues.map((issue) => `  ${v.getDotPath(issue) ?? "(root)"}: ${issue.message}`);
  throw new Error(`src/sources/catalog.json does not fit its schema:\n${problems.join("\n")}`);
}

async function buildAll(): Promise<void> {
  const sums: string[] = [];
  const failures: string[] = [];
  for (const target of RELEASES) {
    try {
      const { path, publishable } = await build(target);
      if (publishable) sums.push(`${await sha256(path)}  ${basename(path)}`);
    } catch (error) {
      failures.push(`${target.file}: ${describe(error)}`);
    }
  }
  await writeFile(join(DIST, "SHA256SUMS"), sums.map((line) => `${line}\n`).join(""));
  console.log(`dist/SHA256SUMS: ${sums.length} of ${RELEASES.length} binaries`);
  if (failures.length === 0) return;
  for (const failure of failures) console.error(`not built: ${failure}`);
  process.exitCode = 1;
}

/** Compiles one target in a folder of its own, checks it, and only then moves it into dist/. */
async function build(target: Target): Promise<{ path: string; publishable: boolean }> {
  const folder = await mkdtemp(join(DIST, ".build-"));
  try {
    const made = join(folder, target.file);
    const workers = await compile(target, made);
    const content = await readFile(made);
    for (const worker of workers) checkEmbedded(content, worker);
    if (target.runtime === null) await checkStart(made);
    const publishable = isPublishable(target, content);
    const path = join(DIST, publishable ? target.file : `${target.file}.unsigned`);
    await rm(join(DIST, target.file), { force: true });
    await rename(made, path);
    console.log(`${relative(ROOT, path)}: ${(content.length / 1e6).toFixed(1)} MB, Bun ${Bun.version}`);
    return { path, publishable };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns the workers that must be found in the binary. */
async function compile(target: Target, outfile: string): Promise<readonly string[]> {
  const workers = await Array.fromAsync(new Bun.Glob("src/**/*.worker.ts").scan({ cwd: ROOT }));
  const result = await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts"), ...workers.map((worker) => join(ROOT, worker))],
    format: "esm",
    minify: true,
    bytecode: true,
    // A command loads what it needs: `--version` starts as fast as an empty program.
    splitting: true,
    sourcemap: "linked",
    // Flat, because a worker is asked for as `./name.worker.ts` beside the module that everything is bundled into.
    naming: { entry: "[name].[ext]" },
    // The environment must not switch libraries into their test manners.
    define: { "process.env.NODE_ENV": '"production"' },
    compile: {
      ...(target.runtime === null ? {} : { target: target.runtime }),
      outfile,
      // The working directory is somebody else's: nothing in it may change what luci does.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      execArgv: ["--disallow-code-generation-from-strings=strict"],
    },
  });
  if (!result.success) throw new Error(result.logs.map(String).join("\n"));
  return workers;
}

/** A worker that was not embedded is missed only when it is first needed: look for its module in the binary. */
function checkEmbedded(binary: Buffer, worker: string): void {
  const module = `/root/${basename(worker, ".ts")}.js`;
  if (["/$bunfs", "B:/~BUN"].some((mount) => binary.includes(mount + module))) return;
  throw new Error(`${worker} is not embedded in the binary`);
}

async function checkStart(path: string): Promise<void> {
  const run = Bun.spawn([path, "--version"], { stdout: "pipe", stderr: "inherit", env: {} });
  const [printed, code] = await Promise.all([run.stdout.text(), run.exited]);
  if (code === 0 && printed.includes(manifest.version)) return;
  throw new Error(
    `the binary does not start: --version exited ${code} and printed ${JSON.stringify(printed)}`,
  );
}

/** A macOS binary with a wrong signature is kept for whoever can sign it, and never listed for download. */
function isPublishable(target: Target, content: Buffer): boolean {
  if (!target.runtime?.startsWith("bun-darwin")) return true;
  const { valid, pages, wrongPages, unsignedBytes } = checkSignature(content);
  if (valid) return true;
  console.warn(
    `${target.file}: the signature Bun ${Bun.version} made is wrong ` +
      `(${wrongPages} of ${pages} pages, ${unsignedBytes} bytes unsigned): macOS may kill it.\n` +
      `  Left out of SHA256SUMS. On a Mac: codesign --force --sign - ${target.file}.unsigned`,
  );
  return false;
}

/** What went wrong, with what the bundler has to say about it: its own error is only a heading. */
function describe(error: unknown): string {
  if (error instanceof AggregateError) return [error.message, ...error.errors.map(String)].join("\n  ");
  return error instanceof Error ? error.message : String(error);
}

async function sha256(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
