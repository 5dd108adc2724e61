// The front door as a process: streams, exit codes and pages, without any model or network.

import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { luciBinary, parseEvents, runLuci, type LuciRun } from "../support/run-luci.ts";
import { tempHome } from "../support/temp-home.ts";

/** Runs luci in an empty home, where it is also called from. */
async function luci(argv: readonly string[], options: { config?: string } = {}): Promise<LuciRun> {
  await using home = await tempHome();
  if (options.config !== undefined) await writeFile(join(home.path, "config.toml"), options.config);
  return await runLuci(argv, { home: home.path, env: { NO_COLOR: "1" } });
}

describe("pages go to standard output, exit 0", () => {
  test.each([[[]], [["--help"]], [["help", "install"]], [["install", "-h"]], [["cleanup", "--help"]]])(
    "%j",
    async (argv) => {
      const { exitCode, stdout, stderr } = await luci(argv);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toContain("Examples:");
    },
  );
});

test.each([[["--version"]], [["-V"]], [["version"]]])("%j is one line", async (argv) => {
  const { exitCode, stdout, stderr } = await luci(argv);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toBe(`luci ${manifest.version} (bun ${Bun.version}, ${process.platform}-${process.arch})\n`);
});

test("events are numbered and dated; `run.started` is the first, `result` the last", async () => {
  const beforeMs = Date.now();
  const lines = parseEvents((await luci(["version", "--json"])).stdout);
  expect(lines.map(({ v, seq, type }) => [v, seq, type])).toEqual([
    [1, 1, "run.started"],
    [1, 2, "result"],
  ]);
  for (const { atMs } of lines) expect(atMs).toBeWithin(beforeMs, Date.now() + 1);
  expect(lines[0]).toMatchObject({ command: "version", version: manifest.version });
});

describe("mistakes go to standard error, exit 2", () => {
  test.each([
    ["unknown flag", ["cleanup", "--dry-rn"], "`--dry-run`"],
    ["unknown command", ["instal", "cor", "models"], "luci install core models"],
    ["stray word", ["usage", "now"], "`now`"],
    ["value out of range", ["install", "tinyllama", "--jobs", "99"], "from 1 to 16"],
    [
      "a digest that is none",
      ["install", "https://example.org/x.gguf", "--sha256", "abc"],
      "64 hexadecimal digits",
    ],
    ["many models, nobody to ask", ["install", "all"], "--yes"],
    ["a tier, nobody to ask", ["install", "tier", "2"], "--yes"],
    ["no duration", ["cleanup", "--older-than", "7"], "7d"],
  ] as const)("%s", async (_what, argv, word) => {
    const { exitCode, stdout, stderr } = await luci(argv);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toStartWith("error: ");
    expect(stderr).toContain(word);
    expect(stderr).not.toContain("    at ");
  });

  test("with --json the last line of standard error is the error", async () => {
    const { exitCode, stdout, stderr } = await luci(["cleanup", "--dry-rn", "--json"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(JSON.parse(stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({ code: "E_USAGE", exit: 2 });
  });

  test("a mistake in config.toml", async () => {
    const { exitCode, stderr } = await luci(["list"], { config: "jbos = 3\n" });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("jbos");
    expect(stderr).toContain("config.toml");
  });
});

test.skipIf(process.platform !== "linux")("output that cannot be written is a failure of its own", () => {
  for (const argv of ["--version", "--help", "version --json"]) {
    const { exitCode, stderr } = Bun.spawnSync(["sh", "-c", `"$0" ${argv} > /dev/full`, luciBinary()]);
    expect([argv, exitCode]).toEqual([argv, 8]);
    expect(stderr.toString()).toMatch(/Could not write the output: standard output is full/);
  }
});

test.skipIf(process.platform === "win32")("a reader that has seen enough is no failure", () => {
  const { exitCode, stderr } = Bun.spawnSync([
    "sh",
    "-c",
    '("$0" help install; echo "exit $?" >&2) | head -n 1',
    luciBinary(),
  ]);
  expect([exitCode, stderr.toString()]).toEqual([0, "exit 0\n"]);
});

test("control characters of a mistyped word do not reach the terminal", async () => {
  const { exitCode, stderr } = await luci(["\u001B[31mlist"]);
  expect(exitCode).toBe(2);
  expect(stderr).not.toContain("\u001B");
});

test.each([
  [["history", "--limit", "0"], "`luci history --help` shows what it takes"],
  [["serve", "--port", "99999"], "`luci serve --help` shows what it takes"],
  [["install", "a", "b", "--sha256", "0".repeat(64)], "`luci install --help` shows what it takes"],
  [["limit"], "`luci limit` needs a rate"],
  [["priority", "x"], "`luci priority` needs a name and a priority"],
])("%j ends with what helps", async (argv, words) => {
  const { exitCode, stderr } = await luci(argv);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(words)]);
});

test.skipIf(process.platform !== "linux")("a folder that cannot be made is no lack of room", () => {
  const env = { LUCI_HOME: "/proc/luci-home", HF_ENDPOINT: "http://127.0.0.1:1" };
  const { exitCode, stderr } = Bun.spawnSync([luciBinary(), "install", "tinyllama"], { env });
  expect([exitCode, stderr.toString()]).toEqual([
    8,
    expect.stringContaining("The folder /proc/luci-home/models cannot be made"),
  ]);
});

test("the same trouble with a hub is told once, not once for each model", async () => {
  await using home = await tempHome();
  const argv = ["install", "hf:a/b", "hf:a/c", "hf:a/d", "--retries", "1"];
  const { stderr } = await runLuci(argv, { home: home.path, hub: { url: "http://127.0.0.1:1" } });
  expect(stderr.match(/trying again/g)).toHaveLength(1);
  expect(stderr).toContain("0 of 3 models installed\n");
});
