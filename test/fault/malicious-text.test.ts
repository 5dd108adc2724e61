// Text that would drive a terminal: in names, descriptions, error bodies, headers, redirect targets, settings and
// words the user pasted. None of it reaches standard output or error as it is, and JSON stays JSON.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { manifestFileName } from "../../src/store/layout.ts";
import { quantsRepo } from "../support/model-repos.ts";
import { type LuciRun, parseEvents } from "../support/run-luci.ts";
import { type Stage, openStage } from "../support/stage.ts";
import { soundRecord } from "../support/sound-records.ts";
import { manifestFile } from "../support/store-room.ts";

/** One text with all of it: colour, title, clipboard, link, C1, CR, BS, DEL, bidi, zero width, fillers, half a pair. */
const EVIL =
  "A\u001b[31mred\u001b]0;title\u0007\u001b]52;c;ZXZpbA==\u0007\u001b]8;;http://evil.example\u001b\\link\u009b2J" +
  "\rover\bwrite\u007f\u202egnp.\u2066x\u200b\u200d\ufeff\u3164\u2028B\ud800C\nfake: line";

/** What none of it may show: controls but for the end of a line, bidi, what takes no room. */
const DRIVES_TERMINALS =
  // oxlint-disable-next-line no-control-regex -- that is what must not be there
  /[\0-\x09\x0B-\x1F\x7F-\x9F\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF]/;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ repos: [await quantsRepo()] });
});
beforeEach(async () => {
  await rm(stage.models, { recursive: true, force: true });
  await rm(join(stage.home, "config.toml"), { force: true });
  stage.hub.behave({ intercept: null });
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Nothing a terminal would obey or be deceived by, no line that was forged, no half of a pair. */
function expectPlain({ stdout, stderr }: Pick<LuciRun, "stdout" | "stderr">): void {
  for (const text of [stdout, stderr]) {
    expect(text).not.toMatch(DRIVES_TERMINALS);
    expect(text).not.toMatch(/^fake: line/m);
  }
}

/** The same command for people and for programs. */
async function expectCalm(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<LuciRun> {
  const [json, run] = await Promise.all([
    stage.luci([...args, "--json"], { env }),
    stage.luci(args, { env }),
  ]);
  expect(() => parseEvents(json.stdout)).not.toThrow();
  if (json.stderr !== "") expect(() => JSON.parse(json.stderr)).not.toThrow();
  // Escaped for whoever reads it, whole for whoever parses it.
  expect(json.stdout + json.stderr).not.toMatch(DRIVES_TERMINALS);
  expectPlain(run);
  expect(run.stderr).not.toContain("    at ");
  return run;
}

/** What an argument or a variable can hold: no NUL, and whole characters. */
const TYPED = EVIL.toWellFormed();

describe("words the user pasted", () => {
  test.each([
    ["a name", ["install", TYPED]],
    ["a reference", ["install", `hf:org/quants:${TYPED}`]],
    ["a repository", ["install", `hf:${TYPED}/x`]],
    ["a revision", ["install", `hf:org/quants@${TYPED}`]],
    ["an address", ["install", `https://127.0.0.1:1/${TYPED}.gguf`]],
    ["a scheme", ["install", `x-evil://${TYPED}`]],
    ["a model to remove", ["remove", TYPED]],
    ["a model to look at", ["info", TYPED]],
    ["a path to show", ["path", TYPED]],
    ["a command", [TYPED]],
    ["a flag", ["install", "x", `--${TYPED}`]],
    ["a flag's value", ["install", "x", "--partials", TYPED]],
    ["a rate", ["install", "x", "--limit-rate", TYPED]],
    ["an age", ["cleanup", "--older-than", TYPED]],
    ["a digest", ["install", "hf:org/quants:Q8_0", "--sha256", TYPED]],
    ["a folder", ["usage", "--dir", TYPED]],
    ["help for a command", ["help", TYPED]],
  ])("as %s", async (_, args) => {
    await expectCalm(args);
  });

  test.each([
    "LUCI_PARTIALS",
    "LUCI_LIMIT_RATE",
    "LUCI_MODELS",
    "LUCI_CATALOG",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "LUCI_STALL_SECONDS",
  ])("in %s", async (name) => {
    await expectCalm(["install", "hf:org/quants:Q8_0", "--dry-run"], { [name]: TYPED });
  });

  test.each(["partials", "models", "catalog", "limit-rate", "hf-endpoint", "jobs"])(
    "in config.toml for `%s`",
    async (key) => {
      await writeFile(join(stage.home, "config.toml"), `${key} = ${JSON.stringify(TYPED)}\n`);
      await expectCalm(["list"]);
    },
  );

  test("as a key of config.toml, and as what is no TOML", async () => {
    for (const text of [`${JSON.stringify(TYPED)} = 1\n`, TYPED]) {
      await writeFile(join(stage.home, "config.toml"), text);
      await expectCalm(["list"]);
    }
  });
});

describe("a catalog's texts", () => {
  const catalog = async (change: object): Promise<Record<string, string>> => {
    const path = join(stage.home, "catalog.json");
    const files = [{ path: "quants-Q8_0.gguf", size: 1, sha256: "a".repeat(64) }];
    const source = { hub: "huggingface", repo: "org/quants", files };
    const model = { name: "evil", tier: 0, source, ...change };
    await writeFile(path, JSON.stringify({ version: 1, models: [model] }));
    return { LUCI_CATALOG: path };
  };

  test.each(["description", "params", "quant", "license", "kind"])("%s", async (field) => {
    const env = await catalog({ [field]: EVIL });
    for (const args of [
      ["list", "--available"],
      ["info", "evil"],
    ])
      expect((await expectCalm(args, env)).exitCode).toBe(0);
  });

  test.each(["name", "aliases", "version", "tier", "source"])(
    "%s, where it is not allowed",
    async (field) => {
      const env = await catalog({ [field]: field === "aliases" ? [EVIL] : EVIL });
      await expectCalm(["info", "evil"], env);
    },
  );
});

describe("a server's texts", () => {
  const headers = {
    "X-Error-Message": "no\u009b2Jsuch",
    "X-Error-Code": "\u009b31mX",
    "Content-Type": "text/\u009bx",
  };

  test.each([403, 404, 429, 503])("the body and headers of a %d", async (status) => {
    stage.hub.behave({ intercept: () => new Response(EVIL.toWellFormed(), { status, headers }) });
    const run = await expectCalm(["install", "hf:org/quants:Q8_0", "--retries", "0"]);
    expect(run.exitCode).not.toBe(0);
  });

  test.each([
    "/\u009b2J\u0085x",
    "http://evil\u009b.example/",
    "javascript:\u009b",
    "https://[\u009b",
    "//\u202e/",
  ])("a redirect to %j", async (Location) => {
    const location = Buffer.from(Location, "utf8").toString("latin1");
    stage.hub.behave({
      intercept: ({ path }) =>
        path.includes("/resolve/")
          ? new Response("", { status: 302, headers: { Location: location } })
          : undefined,
    });
    const run = await expectCalm(["install", "hf:org/quants:Q8_0", "--retries", "0"]);
    expect(run.exitCode).not.toBe(0);
  });

  test("a file's name, a digest, a size and a type in a listing", async () => {
    const sound = { type: "file", path: "quants-Q8_0.gguf", oid: "a".repeat(40), size: 1 };
    for (const change of [
      { path: EVIL },
      { oid: EVIL },
      { size: EVIL },
      { path: EVIL, size: EVIL },
      { type: EVIL },
    ]) {
      const entries = [{ ...sound, ...change }];
      stage.hub.behave({
        intercept: ({ path }) => (path.includes("/tree/") ? Response.json(entries) : undefined),
      });
      const run = await expectCalm(["install", "hf:org/quants"]);
      expect(run.exitCode).not.toBe(0);
    }
  });

  test("names of files that are left out or offered", async () => {
    const sound = { type: "file", oid: "a".repeat(40), size: 1 };
    const entries = ["ok.gguf", `${EVIL}.pkl`, `${EVIL}-Q4_0.gguf`].map((path) => ({ ...sound, path }));
    stage.hub.behave({
      intercept: ({ path }) => (path.includes("/tree/") ? Response.json(entries) : undefined),
    });
    for (const ref of ["hf:org/quants", "hf:org/quants:Q9_9", "hf:org/quants:ok.gguf"])
      await expectCalm(["install", ref, "--dry-run"]);
  });
});

describe("a record's texts", () => {
  test.each(["name", "ref", "revision", "installedAt"])("%s", async (field) => {
    const record = soundRecord({ files: [manifestFile({ path: "one.gguf" })], [field]: EVIL });
    await mkdir(stage.manifests, { recursive: true });
    await writeFile(join(stage.manifests, manifestFileName(record.name)), JSON.stringify(record));
    for (const args of [["list"], ["verify", "--repair"], ["info", record.name.toWellFormed()]])
      await expectCalm(args);
  });

  test("a stranger's file name, in the models folder and among luci's own", async () => {
    const name = EVIL.toWellFormed().replaceAll("/", "-").slice(0, 60);
    await mkdir(stage.manifests, { recursive: true });
    await mkdir(stage.partials, { recursive: true });
    await writeFile(join(stage.models, name), "x");
    await writeFile(join(stage.manifests, `${name}.json`), "x");
    for (const args of [["usage"], ["verify"], ["cleanup", "--yes"]]) await expectCalm(args);
  });
});
