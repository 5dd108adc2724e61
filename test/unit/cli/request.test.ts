// What an argument vector asks for: pages, commands, and the words for what nobody understands.

import { describe, expect, test } from "bun:test";
import { COMMANDS, SYNONYMS } from "../../../src/cli/commands.ts";
import { readRequest, type Request } from "../../../src/cli/request.ts";
import { LuciError } from "../../../src/domain/errors.ts";

async function page(...argv: string[]): Promise<string> {
  const request = await readRequest(argv);
  if (request.kind !== "page") throw new Error(`not a page: ${argv.join(" ")}`);
  return request.text;
}

async function command(...argv: string[]): Promise<Extract<Request, { kind: "command" }>> {
  const request = await readRequest(argv);
  if (request.kind !== "command") throw new Error(`not a command: ${argv.join(" ")}`);
  return request;
}

async function refusal(...argv: string[]): Promise<LuciError> {
  try {
    await readRequest(argv);
  } catch (error) {
    if (error instanceof LuciError) return error;
    throw error;
  }
  throw new Error(`accepted: ${argv.join(" ")}`);
}

describe("help", () => {
  test.each([[[]], [["--help"]], [["-h"]], [["help"]], [["help", "help"]], [["--json"]]])(
    "%j is the overview",
    async (argv) => {
      const text = await page(...argv);
      for (const { name } of COMMANDS) expect(text).toContain(`\n  ${name} `);
      expect(text).toContain("luci install llama3.2");
    },
  );

  test.each(COMMANDS.map(({ name }) => [name] as const))(
    "%s has a page with flags and examples",
    async (name) => {
      const text = await page("help", name);
      expect(text).toStartWith(`luci ${name}: `);
      expect(text).toContain("Examples:");
      expect(text).toContain("--json");
      expect(text).toContain("--quiet");
      expect(await page(name, "--help")).toBe(text);
      expect(await page(name, "-h")).toBe(text);
    },
  );

  test("no line is wider than 80 columns", async () => {
    const pages = await Promise.all(COMMANDS.map(({ name }) => page("help", name)));
    const wide = [...pages, await page()]
      .flatMap((text) => text.split("\n"))
      .filter((line) => line.length > 80);
    expect(wide).toEqual([]);
  });

  test("a switch that is on is shown as what turns it off", async () => {
    const text = await page("install", "--help");
    expect(text).toContain("--no-resume");
    expect(text).toContain("--partials <resume|delete>");
    expect(text).not.toContain(" --resume");
  });

  test("help wins over mistakes on the same line", async () => {
    expect(await page("install", "--joobs", "--help")).toStartWith("luci install: ");
  });

  test("behind `--` it is a word", async () => {
    expect((await command("install", "--", "--help")).input.words).toEqual(["--help"]);
  });
});

describe("commands", () => {
  test.each(COMMANDS.map(({ name }) => [name] as const))(
    "%s is called what it is listed as",
    async (name) => {
      const entry = COMMANDS.find((candidate) => candidate.name === name);
      expect((await entry?.load())?.name).toBe(name);
    },
  );

  test("flags may stand before the name", async () => {
    const { command: found, input } = await command("--json", "--dir", "/m", "list", "--available");
    expect(found.name).toBe("list");
    expect([input.on("json"), input.on("available"), input.text("dir")]).toEqual([true, true, "/m"]);
  });

  test.each([[["--version"]], [["-V"]], [["--version", "--json"]]])("%j is the version", async (argv) => {
    expect((await command(...argv)).command.name).toBe("version");
  });

  test("every flag of the interface is there", async () => {
    const flags = [
      "partials",
      "force",
      "resume",
      "dry-run",
      "yes",
      "dir",
      "sha256",
      "jobs",
      "connections",
      "limit-rate",
      "retries",
      "json",
      "quiet",
    ];
    const { command: install } = await command("install", "x");
    expect(Object.keys(install.args)).toEqual(
      expect.arrayContaining([...flags, "allow-unsafe", "wait", "hasher"]),
    );
  });
});

describe("refused with the nearest known words", () => {
  test.each([
    [["instal", "cor", "models"], "`instal`", "luci install core models"],
    [["instal", "tinyllama"], "`instal`", "luci install tinyllama"],
    [["verfy"], "`verfy`", "luci verify"],
    [["uninstall", "phi-2"], "`uninstall`", "luci remove phi-2"],
    [["ls"], "`ls`", "luci list"],
    [["help", "instal"], "`instal`", "luci install"],
    [["--", "list"], "`list`", "luci list"],
    [["llama3.2"], "`llama3.2`", "luci install <name>"],
    [["cleanup", "--dry-rn"], "`--dry-rn`", "`--dry-run`"],
    [["usage", "now"], "`now`", "luci usage --help"],
    [["list", "llama"], "`llama`", "luci list --help"],
    [["info"], "luci info", "luci list --available"],
    [["path", "a", "b"], "`b`", "luci path --help"],
    [["install"], "luci install", "luci list --available"],
    [["install", "x", "--version"], "`--version`", "luci install --help"],
    [["remove"], "luci remove", "luci list"],
    [["help", "install", "list"], "`list`", "luci help --help"],
    [["--verson"], "`--verson`", "`--version`"],
  ] as const)("%j", async (argv, message, hint) => {
    const error = await refusal(...argv);
    expect(error.code).toBe("E_USAGE");
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  test("synonyms name commands that exist, and no command", () => {
    const names = COMMANDS.map(({ name }) => name);
    for (const [synonym, name] of Object.entries(SYNONYMS)) {
      expect(names).toContain(name);
      expect(names).not.toContain(synonym);
    }
  });
});
