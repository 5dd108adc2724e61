// The strict reading of an argument vector, table by table.

import { describe, expect, test } from "bun:test";
import { cutCommand, type Definition, mentions, readInput } from "../../../src/cli/command-line.ts";
import { readRequest } from "../../../src/cli/request.ts";
import { LuciError } from "../../../src/domain/errors.ts";

const DEFINITION: Definition = {
  name: "fetch",
  args: {
    ref: { type: "positional", required: false },
    partials: { type: "enum", options: ["resume", "delete"] },
    resume: { type: "boolean", default: true },
    "dry-run": { type: "boolean" },
    yes: { type: "boolean", alias: "y" },
    quiet: { type: "boolean", alias: "q" },
    jobs: { type: "string", valueHint: "1-16" },
    "limit-rate": { type: "string", valueHint: "20M" },
  },
  words: { min: 0, max: 2, missing: "name one" },
};

function read(line: readonly string[]) {
  return readInput(line, DEFINITION);
}

function refusal(line: readonly string[], definition = DEFINITION): LuciError {
  try {
    readInput(line, definition);
  } catch (error) {
    if (error instanceof LuciError) return error;
    throw error;
  }
  throw new Error(`accepted: ${line.join(" ")}`);
}

describe("the command's name", () => {
  test.each([
    [["list"], "list", []],
    [["install", "a", "--json"], "install", ["a", "--json"]],
    [["--json", "list"], "list", ["--json"]],
    [["-q", "install", "list"], "install", ["-q", "list"]],
    [["--dir", "models", "list"], "list", ["--dir", "models"]],
    [["--dir=models", "list"], "list", ["--dir=models"]],
    [["--json"], null, ["--json"]],
    [["--", "list"], null, ["--", "list"]],
    [[], null, []],
  ] as const)("%j", (argv, command, rest) => {
    expect(cutCommand(argv)).toEqual({ command, rest: [...rest] });
  });

  test("flags behind `--` are not flags", () => {
    expect(mentions(["a", "--json"], "--json")).toBe(true);
    expect(mentions(["a", "--", "--json"], "--json")).toBe(false);
  });
});

describe("accepted", () => {
  test.each([
    [["--jobs", "3"], "3"],
    [["--jobs=3"], "3"],
    [["--jobs=a=b"], "a=b"],
    [["--jobs=--json"], "--json"],
    [["--jobs", "-1"], "-1"],
    [["--jobs", "3", "--jobs=4"], "4"],
  ] as const)("%j", (line, value) => {
    expect(read(line).text("jobs")).toBe(value);
  });

  test("switches, on and off, long and short, together", () => {
    const input = read(["--no-resume", "-yq", "--dry-run"]);
    expect(["resume", "yes", "quiet", "dry-run"].map((flag) => input.on(flag))).toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(read([]).on("resume")).toBe(true);
    expect(read([]).on("yes")).toBe(false);
    expect(read([]).text("jobs")).toBeNull();
  });

  test("the last of a repeated switch wins", () => {
    expect(read(["--no-resume", "--resume"]).on("resume")).toBe(true);
    expect(read(["--resume", "--no-resume"]).on("resume")).toBe(false);
  });

  test("words in their order, around flags", () => {
    expect(read(["a", "--jobs", "3", "b"]).words).toEqual(["a", "b"]);
  });

  test("`--` ends the flags", () => {
    const input = read(["--yes", "--", "--jobs", "--"]);
    expect(input.words).toEqual(["--jobs", "--"]);
    expect(input.text("jobs")).toBeNull();
  });

  test("a flag's name in kebab case, its value whole", () => {
    expect(read(["--limit-rate", "20 M"]).text("limit-rate")).toBe("20 M");
  });
});

describe("refused with E_USAGE", () => {
  test.each([
    ["unknown flag", ["--joobs", "3"], "`--joobs`", "`--jobs`"],
    ["mistyped switch", ["--dry-rn"], "`--dry-rn`", "`--dry-run`"],
    ["abbreviation", ["--dry"], "`--dry`", "`--dry-run`"],
    ["camel case", ["--dryRun"], "`--dryRun`", "`--dry-run`"],
    ["unknown flag with a value", ["--joobs=3"], "`--joobs`", "`--jobs`"],
    ["mistyped negation", ["--no-resum"], "`--no-resum`", "`--no-resume`"],
    ["a switch that cannot be turned off", ["--no-yes"], "`--no-yes`", "--help"],
    ["unknown letter", ["-x"], "`-x`", "luci fetch --help"],
    ["unknown letter among known ones", ["-yx"], "`-x`", "--help"],
    ["a letter with a value", ["-y=no"], "`-=`", "--help"],
    ["missing value at the end", ["--jobs"], "needs a value", "--help"],
    ["missing value before a flag", ["--jobs", "--yes"], "needs a value", "--help"],
    ["empty value", ["--jobs="], "needs a value", "--help"],
    ["empty value apart", ["--jobs", ""], "needs a value", "--help"],
    ["value of a switch", ["--yes=false"], "takes no value", "--help"],
    ["value of a negation", ["--no-resume=yes"], "takes no value", "--help"],
    ["none of the choices", ["--partials", "keep"], "`resume`, `delete`", "--help"],
    ["nearly a choice", ["--partials", "delte"], "`delte`", "`--partials delete`"],
    ["an object's own words", ["--__proto__", "x"], "`--__proto__`", "--help"],
    ["another of them", ["--constructor=x"], "`--constructor`", "--help"],
    ["a positional's name as a flag", ["--ref=x"], "`--ref`", "--help"],
    ["too many words", ["a", "b", "c", "d"], "`c`, `d`", "--help"],
    ["an empty word", [""], "empty word", "--help"],
    ["a blank word", ["a", "  "], "empty word", "--help"],
  ] as const)("%s", (_what, line, message, hint) => {
    const error = refusal(line);
    expect(error.code).toBe("E_USAGE");
    expect(error.exit).toBe(2);
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  test("too few words, with what to do", () => {
    const error = refusal([], { ...DEFINITION, words: { min: 1, max: 1, missing: "name one" } });
    expect(error.code).toBe("E_USAGE");
    expect(error.hint).toBe("name one");
  });

  test("words where none are taken", () => {
    const error = refusal(["now"], { ...DEFINITION, words: { min: 0, max: 0, missing: "" } });
    expect(error.message).toContain("takes no words");
    expect(error.message).toContain("`now`");
  });
});

describe("a number below zero", () => {
  const rule = { ...DEFINITION.words, takesNegative: true };

  test("is a word where the command takes one, and a flag nobody knows elsewhere", () => {
    expect(readInput(["mistral", "-5"], { ...DEFINITION, words: rule }).words).toEqual(["mistral", "-5"]);
    expect(refusal(["-5"]).message).toBe("`fetch` has no flag `-5`");
    expect(readInput(["--jobs", "-5"], DEFINITION).text("jobs")).toBe("-5");
  });

  test("is no word of `remove`, one of `priority`", async () => {
    expect((await readRequest(["priority", "mistral", "-5"])).kind).toBe("command");
    await expect(readRequest(["remove", "-5"])).rejects.toMatchObject({ code: "E_USAGE" });
  });
});
