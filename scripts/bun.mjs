// Runs Bun from this project's own dependencies: `node scripts/bun.mjs script.ts …`.
// Works where npm ran install scripts and where it did not (`--ignore-scripts`, a stricter npm), and
// equally when it is Bun itself that plays `node`. Plain JavaScript: it must start on Node alone.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
// Before its install script has run, bun/bin/bun.exe is a placeholder of a few hundred bytes.
const SMALLEST_RUNTIME_BYTES = 1_000_000;

function runs(path) {
  if (!existsSync(path) || statSync(path).size < SMALLEST_RUNTIME_BYTES) return false;
  return spawnSync(path, ["--version"], { stdio: "ignore" }).status === 0;
}

function candidates() {
  const scope = join(modules, "@oven");
  const packages = existsSync(scope) ? readdirSync(scope).toSorted() : [];
  return [
    join(modules, "bun", "bin", "bun.exe"),
    ...packages.flatMap((name) => [join(scope, name, "bin", "bun"), join(scope, name, "bin", "bun.exe")]),
  ];
}

function findBun() {
  const found = candidates().find(runs);
  if (found !== undefined) return found;
  const installer = join(modules, "bun", "install.js");
  if (existsSync(installer)) {
    spawnSync(process.execPath, [installer], { stdio: "inherit", cwd: dirname(installer) });
  }
  return candidates().find(runs);
}

const bun = findBun();
if (bun === undefined) {
  console.error("Bun is not installed in node_modules: run `npm ci` first");
  process.exit(1);
}

const child = spawn(bun, process.argv.slice(2), {
  stdio: "inherit",
  env: {
    ...process.env,
    PATH: `${dirname(bun)}${process.platform === "win32" ? ";" : ":"}${process.env.PATH}`,
  },
});
// A terminal sends Ctrl-C to the child as well: the launcher only has to outlive it.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
});
