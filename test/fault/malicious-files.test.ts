// Little files that somebody wrote by hand, or prepared: catalogs, records, journals, locks, config.toml and token
// files with a wrong value in every place. Each is judged in words; none is a bug, none is believed.

import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadSettings } from "../../src/app/config.ts";
import { KEYS } from "../../src/app/config-schema.ts";
import { ERROR_TABLE, LuciError } from "../../src/domain/errors.ts";
import { tryLock } from "../../src/platform/lock.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { isReadableByOthers } from "../../src/platform/private-file.ts";
import { loadCatalog } from "../../src/sources/catalog.ts";
import { describeHolder } from "../../src/store/file-lock.ts";
import { believeJournal, parseJournal } from "../../src/store/journal.ts";
import { manifestFileName } from "../../src/store/layout.ts";
import { readRecords } from "../../src/store/manifest.ts";
import { checkRemotePath } from "../../src/domain/safe-path.ts";
import { watchMemory } from "../support/peak-memory.ts";
import { startLuci } from "../support/run-luci.ts";
import { JOURNAL_FACTS, sealJournal, soundJournal, soundRecord } from "../support/sound-records.ts";
import { manifestFile, storeRoom } from "../support/store-room.ts";
import { tempHome } from "../support/temp-home.ts";
import { wrongTexts } from "../support/wrong-values.ts";

const HEX = "ab".repeat(32);
const SHA = "0123456789abcdef0123456789abcdef01234567";

/** Texts that are no sound file of any kind. */
const GARBAGE: readonly (readonly [what: string, text: string | Uint8Array])[] = [
  ["nothing", ""],
  ["spaces", "   \n"],
  ["a byte order mark", "\ufeff{}"],
  ["no UTF-8", new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
  ["NUL bytes", new Uint8Array(10_000)],
  ["a page", "<!doctype html><title>x</title>"],
  ["half of an object", '{"version":1,'],
  ["a million brackets", "[".repeat(1_000_000)],
  ["a million brackets that match", "[".repeat(1_000_000) + "]".repeat(1_000_000)],
  ["a million lists", `[${"[],".repeat(1_000_000)}[]]`],
  ["200,000 keys", `{${Array.from({ length: 200_000 }, (_, index) => `"k${index}":0`).join(",")}}`],
  ["a prototype", '{"__proto__":{"polluted":true}}'],
];

/** What was thrown is an error of ours, with a code of the table that is not a bug, and no endless message. */
function expectOurs(error: unknown, what: string): void {
  expect(error, what).toBeInstanceOf(LuciError);
  const { code, message } = error as LuciError;
  expect(Object.keys(ERROR_TABLE), what).toContain(code);
  expect(code, `${what}: ${message.slice(0, 200)}`).not.toBe("E_INTERNAL");
  expect(message.length, what).toBeLessThan(1_000);
}

describe("a catalog", () => {
  const sound = {
    version: 1,
    groups: { core: ["one"] },
    models: [
      {
        name: "one",
        aliases: ["uno"],
        tier: 0,
        params: "1B",
        description: "A model",
        source: {
          hub: "huggingface",
          repo: "org/m",
          revision: SHA,
          files: [{ path: "m.gguf", size: 7, sha256: HEX, role: "mmproj" }],
        },
      },
    ],
  };
  const judge = (text: string, what: string): void => {
    try {
      const catalog = loadCatalog({ files: [{ path: "catalog.json", text }] });
      expect(catalog.names().length, what).toBeGreaterThan(3);
      for (const { source } of catalog.group("all"))
        for (const { path } of source.files) checkRemotePath(path);
    } catch (error) {
      expectOurs(error, what);
      expect((error as LuciError).code, what).toBe("E_CONFIG");
    }
  };

  test("with a wrong value in any place", () => {
    for (const { what, text } of wrongTexts(sound)) judge(text, what);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test.each(GARBAGE)("that is %s", (what, text) => {
    judge(typeof text === "string" ? text : new TextDecoder().decode(text), what);
  });

  test("of 50,000 models, and with a name twice among them", () => {
    const [model] = sound.models;
    const models = Array.from({ length: 50_000 }, (_, index) => ({
      ...model,
      name: `m${index}`,
      aliases: [],
    }));
    const text = (list: unknown[]) => JSON.stringify({ version: 1, models: list });
    expect(loadCatalog({ files: [{ path: "c", text: text(models) }] }).names().length).toBeGreaterThan(
      50_000,
    );
    judge(text([...models, models[7]]), "a name twice");
  });

  test.each([
    ["too short", HEX.slice(1)],
    ["in capitals", HEX.toUpperCase()],
    ["no hexadecimal", "g".repeat(64)],
    ["a path", `../${"a".repeat(61)}`],
    ["empty", ""],
  ])("with a digest that is %s", (what, sha256) => {
    const text = JSON.stringify(sound).replaceAll(HEX, sha256);
    expect(() => loadCatalog({ files: [{ path: "c", text }] })).toThrow("models.0.source.files.0.sha256");
    judge(text, what);
  });
});

describe("a record", () => {
  const hub = { kind: "huggingface", repo: "org/m", revision: SHA, path: "m.gguf" } as const;
  const sound = soundRecord({
    source: "huggingface",
    revision: SHA,
    folder: "org--m",
    files: [
      manifestFile({ path: "org--m/m.gguf", gitSha1: "a".repeat(40), pieces: ["00"], origin: hub }),
      manifestFile({ path: "org--m/n.gguf" }),
    ],
  });

  test("with a wrong value in any place is sound or listed as unreadable", async () => {
    await using room = await storeRoom();
    const path = join(room.store.layout.manifestsFolder, manifestFileName("one"));
    await mkdir(dirname(path), { recursive: true });
    for (const { what, text } of [{ what: "sound", text: JSON.stringify(sound) }, ...wrongTexts(sound)]) {
      await writeFile(path, text);
      const { manifests, unreadable } = await readRecords(room.store);
      expect(manifests.length + unreadable.length, what).toBe(1);
      expect(what !== "sound" || manifests.length === 1).toBe(true);
      for (const { files } of manifests) {
        for (const file of files) {
          expect(Number.isSafeInteger(file.sizeBytes) && file.sizeBytes >= 0, what).toBe(true);
          expect(file.sha256, what).toMatch(/^[0-9a-f]{64}$/);
          checkRemotePath(file.path);
          if (file.origin.kind === "huggingface") checkRemotePath(file.origin.path);
        }
      }
    }
  });

  test.each(GARBAGE)("that is %s is listed as unreadable", async (_, text) => {
    await using room = await storeRoom();
    const path = join(room.store.layout.manifestsFolder, manifestFileName("one"));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    const { manifests, unreadable } = await readRecords(room.store);
    expect([manifests.length, unreadable.length]).toEqual([0, 1]);
  });

  test.each([
    ["paths in two cases", { files: [manifestFile({ path: "a" }), manifestFile({ path: "A" })] }],
    ["a file in a file", { files: [manifestFile({ path: "a" }), manifestFile({ path: "a/b" })] }],
    ["a repository that is a way out", { files: [manifestFile({ origin: { ...hub, repo: "../.." } })] }],
    ["another model's name", { name: "two" }],
  ])("with %s is unreadable", async (_, change) => {
    await using room = await storeRoom();
    const path = join(room.store.layout.manifestsFolder, manifestFileName("one"));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, JSON.stringify({ ...sound, folder: null, ...change }));
    const { manifests, unreadable } = await readRecords(room.store);
    expect([manifests.length, unreadable.length]).toEqual([0, 1]);
  });
});

describe("a journal that proves itself", () => {
  const key = `sha256-${HEX}`;
  const sound = soundJournal(key);
  const judge = (text: string, what: string): void => {
    const journal = parseJournal(text, key);
    for (const sizeBytes of [1_000, null]) {
      const believed =
        journal && believeJournal(journal, { facts: JOURNAL_FACTS, sizeBytes, hasDigest: true });
      let lastBytes = -1;
      for (const { startBytes, endBytes } of believed?.written ?? []) {
        expect(startBytes > lastBytes && endBytes > startBytes && endBytes <= 500, what).toBe(true);
        lastBytes = endBytes;
      }
    }
  };

  test("with a wrong value in any place is believed in nothing that cannot be", () => {
    expect(parseJournal(sealJournal(JSON.stringify(sound)), key)).toEqual(sound);
    for (const { what, text } of wrongTexts(sound)) judge(sealJournal(text), what);
  });

  test.each(GARBAGE)("but is %s", (what, text) => {
    const body = typeof text === "string" ? text : new TextDecoder().decode(text);
    expect(parseJournal(body, key), what).toBeNull();
    expect(parseJournal(sealJournal(body), key), what).toBeNull();
  });

  test.each([
    ["overlap", [[0, 10], [5, 15], [2, 3]]], // prettier-ignore
    ["run backwards", [[10, 0], [30, 20]]], // prettier-ignore
    ["lie behind the end", [[400, 9_007_199_254_740_991]]],
    ["are many", Array.from({ length: 100_000 }, (_, index) => [2 * index, 2 * index + 1])],
  ])("with ranges that %s", (what, ranges) => {
    judge(sealJournal(JSON.stringify({ ...sound, ranges })), what);
  });
});

describe.skipIf(process.platform === "win32")("a lock", () => {
  const sound = { pid: 1, host: "here", bootId: "x", startToken: "1", tag: "1.000000000000", sinceMs: 1 };

  test("that is held and says something wrong is described all the same", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.lock");
    const held = await tryLock(path);
    if (!("release" in held)) throw new Error("the lock was not free");
    const texts = [...wrongTexts(sound), ...GARBAGE.map(([what, text]) => ({ what, text }))];
    for (const { what, text } of texts) {
      await writeFile(path, text);
      const answer = await tryLock(path);
      if ("release" in answer) throw new Error(`${what}: the lock was taken`);
      expect(describeHolder(answer.holder).length, what).toBeLessThan(400);
    }
    held.release();
  });
});

describe("config.toml", () => {
  const load = async (text: string | Uint8Array, token?: string | Uint8Array): Promise<unknown> => {
    await using home = await tempHome();
    const tokenPath = join(home.path, "token");
    await writeFile(join(home.path, "config.toml"), text);
    if (token !== undefined) await writeFile(tokenPath, token, { mode: 0o600 });
    const files = nodeFiles();
    return await loadSettings({
      flags: {},
      env: { LUCI_HOME: home.path, HF_TOKEN_PATH: tokenPath },
      disk: {
        readText: (path) => files.readText(path, { maxBytes: 1024 * 1024 }),
        list: (folder) => files.list(folder),
        exists: async (path) => (await files.facts(path)) !== null,
        isReadableByOthers,
      },
      userFolder: home.path,
      workFolder: home.path,
      network: true,
      notice: () => undefined,
    }).catch((error: unknown) => error);
  };
  const judge = (outcome: unknown, what: string): void => {
    if (outcome instanceof Error) expectOurs(outcome, what);
  };
  const values = [
    '""',
    "0",
    "-1",
    "0.5",
    "[]",
    "{}",
    "true",
    "nan",
    "inf",
    "1e999",
    "9223372036854775807",
    "1979-05-27T07:32:00Z",
    '"\\u001b]0;x\\u0007"',
    `"${"x".repeat(100_000)}"`,
    `${"[".repeat(900)}${"]".repeat(900)}`,
    "{a.b.c = {}}",
  ];

  test("with a wrong value for any key", async () => {
    for (const key of KEYS) {
      for (const value of values) judge(await load(`${key} = ${value}\n`), `${key} = ${value.slice(0, 40)}`);
    }
  });

  test.each([
    ...GARBAGE,
    ["a key twice", "jobs = 1\njobs = 2\n"],
    ["a table", "[jobs]\na = 1\n"],
    ["a dotted prototype", "__proto__.polluted = true\n"],
    ["a prototype's table", "[__proto__]\npolluted = true\n"],
    ["a key of escapes", '"\\u001b[2J" = 1\n'],
    ["a million tables", "[[a]]\n".repeat(100_000)],
    ["deep dots", `${"a.".repeat(10_000)}b = 1\n`],
    ["unended text", 'models = "'],
  ] as [string, string | Uint8Array][])("that is %s", async (what, text) => {
    judge(await load(text), what);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test.each([
    ["nothing", ""],
    ["two lines", "hf_a\nhf_b\n"],
    ["a carriage return", "hf_a\rX-Evil: 1"],
    ["a header", "hf_a\r\nX-Evil: 1\r\n"],
    ["NUL bytes", new Uint8Array(100)],
    ["no UTF-8", new Uint8Array([0x68, 0xff])],
    ["two megabytes", "x".repeat(2_000_000)],
  ] as [string, string | Uint8Array][])("beside a token file of %s", async (what, token) => {
    const outcome = await load("", token);
    judge(outcome, what);
    if (!(outcome instanceof Error)) expect(outcome).toMatchObject({ hubToken: null });
  });
});

describe.skipIf(process.platform !== "linux")("the longest record that is read at all", () => {
  test.each([
    ["one text", () => `["${"x".repeat(46_000_000)}"]`],
    ["numbers", () => `[${"0,".repeat(1_490_000)}0]`],
    ["names", () => `{${Array.from({ length: 1_490_000 }, (_, index) => `"k${index}":0`).join(",")}}`],
    ["lists", () => `[${"[],".repeat(499_000)}0]`],
  ])("costs little memory when it is all %s", async (_, make) => {
    await using home = await tempHome();
    const folder = join(home.models, ".luci", "v1", "manifests");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "one.json"), make());
    const run = await watchMemory(startLuci(["list"], { home: home.path }));
    expect(run.stderr).toContain("one.json: this record cannot be read");
    expect(run.peakBytes).toBeLessThan(200 * 1024 * 1024);
  });
});
