// Precedence, paths and mistakes of the settings, on a disk of plain texts.

import { describe, expect, test } from "bun:test";
import { rootCertificates } from "node:tls";
import { loadSettings, type SettingsFlags } from "../../../src/app/config.ts";
import { LuciError } from "../../../src/domain/errors.ts";
import { slotAt } from "../../../src/domain/rate-timetable.ts";
import type { Settings } from "../../../src/domain/settings.ts";

const CONFIG = "/home/ada/.luciferai/config.toml";

interface Scene {
  readonly flags?: SettingsFlags;
  readonly env?: Readonly<Record<string, string>>;
  /** Texts by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Paths that others may read. */
  readonly exposed?: readonly string[];
  readonly network?: boolean;
}

async function load(scene: Scene): Promise<{ settings: Settings; notices: string[]; read: string[] }> {
  const notices: string[] = [];
  const read: string[] = [];
  const files = scene.files ?? {};
  const settings = await loadSettings({
    flags: scene.flags ?? {},
    env: scene.env ?? {},
    disk: {
      readText: async (path) => {
        read.push(path);
        return files[path] ?? null;
      },
      list: async (folder) =>
        Object.keys(files).flatMap((path) =>
          path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [],
        ),
      exists: async (path) => path in files,
      isReadableByOthers: async (path) => scene.exposed?.includes(path) ?? false,
    },
    userFolder: "/home/ada",
    workFolder: "/work",
    network: scene.network ?? true,
    notice: (message) => notices.push(message),
  });
  return { settings, notices, read };
}

async function settingsOf(scene: Scene): Promise<Settings> {
  return (await load(scene)).settings;
}

async function errorOf(scene: Scene): Promise<LuciError> {
  try {
    await load(scene);
  } catch (error) {
    if (error instanceof LuciError) return error;
    throw error;
  }
  throw new Error("the settings were accepted");
}

test("defaults, with nothing set anywhere", async () => {
  expect(await settingsOf({})).toEqual({
    homeFolder: "/home/ada/.luciferai",
    modelsFolder: "/home/ada/.luciferai/models",
    partials: "resume",
    jobs: 4,
    connections: null,
    limitBytesPerSec: null,
    retries: 3,
    hasher: "auto",
    stallMs: 30_000,
    diskWaitMs: 600_000,
    caFile: null,
    catalogFiles: [],
    hubEndpoint: "https://huggingface.co",
    hubToken: null,
    limitTimetable: null,
    hooks: { command: null, webhook: null, limitMs: 600_000 },
    keepsHistory: true,
  });
});

describe("flag over environment over config.toml over default", () => {
  const rows: readonly (readonly [
    setting: keyof Settings,
    scene: Required<Pick<Scene, "flags" | "env">>,
    toml: string,
    want: (string | number)[],
  ])[] = [
    [
      "partials",
      { flags: { partials: "resume" }, env: { LUCI_PARTIALS: "delete" } },
      'partials = "resume"',
      ["resume", "delete", "resume"],
    ],
    [
      "modelsFolder",
      { flags: { dir: "/flag" }, env: { LUCI_MODELS: "/env" } },
      'models = "/toml"',
      ["/flag", "/env", "/toml"],
    ],
    [
      "limitBytesPerSec",
      { flags: { "limit-rate": "3M" }, env: { LUCI_LIMIT_RATE: "2M" } },
      'limit-rate = "1M"',
      [3_000_000, 2_000_000, 1_000_000],
    ],
    [
      "diskWaitMs",
      { flags: { "disk-wait": "0" }, env: { LUCI_DISK_WAIT: "90s" } },
      'disk-wait = "2h"',
      [0, 90_000, 7_200_000],
    ],
  ];
  test.each(rows)("%s", async (setting, { flags, env }, toml, want) => {
    const files = { [CONFIG]: toml };
    const got = await Promise.all([
      settingsOf({ flags, env, files }),
      settingsOf({ env, files }),
      settingsOf({ files }),
    ]);
    expect(got.map((settings) => settings[setting])).toEqual(want);
  });

  test("flags and config.toml alone, where there is no variable", async () => {
    const files = {
      [CONFIG]: 'jobs = 2\nconnections = 3\nretries = 5\nhasher = "wasm"\nstall-seconds = 12.5\n',
    };
    expect(await settingsOf({ files })).toMatchObject({
      jobs: 2,
      connections: 3,
      retries: 5,
      hasher: "wasm",
      stallMs: 12_500,
    });
    const flags = { jobs: "6", connections: "7", retries: "0", hasher: "native" };
    expect(await settingsOf({ files, flags })).toMatchObject({
      jobs: 6,
      connections: 7,
      retries: 0,
      hasher: "native",
    });
    expect((await settingsOf({ files, env: { LUCI_STALL_SECONDS: "0.5" } })).stallMs).toBe(500);
  });

  test("a limit can be lifted by a stronger layer", async () => {
    const files = { [CONFIG]: "limit-rate = 1000" };
    expect((await settingsOf({ files })).limitBytesPerSec).toBe(1000);
    expect((await settingsOf({ files, flags: { "limit-rate": "off" } })).limitBytesPerSec).toBeNull();
  });

  test("a limit by hours stands in config.toml, unless this run has a rate of its own", async () => {
    const files = { [CONFIG]: 'limit-rate = "1M"\n[limit]\n"09:00-18:00" = "2M"\n"18:00-09:00" = "off"\n' };
    const { limitTimetable, limitBytesPerSec } = await settingsOf({ files });
    expect(limitBytesPerSec).toBe(1_000_000);
    expect(slotAt(limitTimetable!, new Date(2026, 0, 5, 10))).toEqual({
      name: "09:00-18:00",
      bytesPerSec: 2_000_000,
    });
    expect(slotAt(limitTimetable!, new Date(2026, 0, 5, 20))?.bytesPerSec).toBeNull();
    for (const own of [{ flags: { "limit-rate": "3M" } }, { env: { LUCI_LIMIT_RATE: "off" } }])
      expect((await settingsOf({ files, ...own })).limitTimetable).toBeNull();
  });

  test("hooks and the history", async () => {
    const toml = 'history = false\n[hooks]\nready = "a"\nwebhook = "https://x.org/h?key=k"\ntimeout = "2m"\n';
    const files = { [CONFIG]: toml };
    expect(await settingsOf({ files })).toMatchObject({
      keepsHistory: false,
      hooks: { command: "a", webhook: "https://x.org/h?key=k", limitMs: 120_000 },
    });
    const flags = { "on-ready": "b", webhook: "http://127.0.0.1:9/" };
    expect(await settingsOf({ files, flags, env: { LUCI_HISTORY: "1" } })).toMatchObject({
      keepsHistory: true,
      hooks: { command: "b", webhook: "http://127.0.0.1:9/", limitMs: 120_000 },
    });
  });

  test.each([
    ["[hooks]\nwebhook = 'http://example.org/secret'", "hooks.webhook", "https address"],
    ["[hooks]\nwebhook = 'secret'", "hooks.webhook", "https address"],
    ["[hooks]\ntimeout = '10'", "hooks.timeout", "`10m`"],
    ["[hooks]\ntimeout = '25h'", "hooks.timeout", "a day"],
    ["[hooks]\nready = ' '", "hooks.ready", "the shell"],
    ["[hooks]\nreddy = 'x'", "hooks.reddy", "`hooks.ready`"],
    ["hooks = 'x'", "hooks", "`hooks.ready`"],
    ["history = 'no'", "history", "`false`"],
    ["limit = '2M'", "limit", "09:00-18:00"],
    ["[limit]\n'09:00-18:00' = 'fast'", "limit", "20M"],
  ])("refuses %j, names it, and repeats no secret", async (toml, name, allowed) => {
    const { code, message, hint } = await errorOf({ files: { [CONFIG]: toml } });
    expect([code, message.includes(`\`${name}\``)]).toEqual(["E_CONFIG", true]);
    expect(hint).toContain(allowed);
    expect(message + hint).not.toContain("secret");
  });

  test("an empty variable counts as none", async () => {
    const env = { LUCI_PARTIALS: "", LUCI_HOME: "", LUCI_MODELS: "", HF_ENDPOINT: "", LUCI_LIMIT_RATE: "" };
    expect(await settingsOf({ env })).toEqual(await settingsOf({}));
  });
});

describe("paths", () => {
  test("relative ones start at the working folder, those in config.toml at its own", async () => {
    expect((await settingsOf({ flags: { dir: "here" } })).modelsFolder).toBe("/work/here");
    expect((await settingsOf({ env: { LUCI_MODELS: "../here" } })).modelsFolder).toBe("/here");
    expect((await settingsOf({ files: { [CONFIG]: 'models = "big"' } })).modelsFolder).toBe(
      "/home/ada/.luciferai/big",
    );
  });

  test("~ is the user's folder", async () => {
    expect((await settingsOf({ flags: { dir: "~/big" } })).modelsFolder).toBe("/home/ada/big");
    expect((await settingsOf({ env: { LUCI_HOME: "~" } })).homeFolder).toBe("/home/ada");
  });

  test("LUCI_HOME moves config.toml, catalogs and models", async () => {
    const files = { "/data/luci/config.toml": "jobs = 1", "/data/luci/catalogs/a.json": "{}" };
    expect(await settingsOf({ env: { LUCI_HOME: "/data/luci" }, files })).toMatchObject({
      homeFolder: "/data/luci",
      modelsFolder: "/data/luci/models",
      jobs: 1,
      catalogFiles: ["/data/luci/catalogs/a.json"],
    });
  });

  test("catalogs: LUCI_CATALOG first, then the home's by name", async () => {
    const folder = "/home/ada/.luciferai/catalogs";
    const files = {
      "/work/mine.json": "{}",
      [`${folder}/b.json`]: "{}",
      [`${folder}/a.json`]: "{}",
      [`${folder}/notes.txt`]: "",
      [`${folder}/.x.json`]: "",
    };
    const settings = await settingsOf({ env: { LUCI_CATALOG: "mine.json" }, files });
    expect(settings.catalogFiles).toEqual(["/work/mine.json", `${folder}/a.json`, `${folder}/b.json`]);
  });
});

describe("mistakes name the place, the key and what is allowed", () => {
  const rows: readonly (readonly [what: string, scene: Scene, code: string, words: readonly string[]])[] = [
    [
      "unknown key",
      { files: { [CONFIG]: "limit_rate = 1" } },
      "E_CONFIG",
      ["limit_rate", CONFIG, "limit-rate"],
    ],
    ["unknown table", { files: { [CONFIG]: "[transfer]\njobs = 1" } }, "E_CONFIG", ["transfer", CONFIG]],
    [
      "number too large",
      { files: { [CONFIG]: "jobs = 17" } },
      "E_CONFIG",
      ["jobs", CONFIG, "17", "from 1 to 16"],
    ],
    ["fraction", { files: { [CONFIG]: "connections = 1.5" } }, "E_CONFIG", ["connections", "whole number"]],
    ["text for a number", { files: { [CONFIG]: 'jobs = "4"' } }, "E_CONFIG", ["jobs", CONFIG]],
    [
      "word",
      { files: { [CONFIG]: 'partials = "keep"' } },
      "E_CONFIG",
      ["partials", "keep", "`resume` or `delete`"],
    ],
    ["not TOML", { files: { [CONFIG]: "jobs = 1\njobs 4" } }, "E_CONFIG", [CONFIG, "line 2"]],
    [
      "no closing quote",
      { files: { [CONFIG]: 'partials = "x\n' } },
      "E_CONFIG",
      ["line 1", "a closing quote may be"],
    ],
    ["negative rate", { files: { [CONFIG]: "limit-rate = -1" } }, "E_CONFIG", ["limit-rate", "20M"]],
    [
      "variable",
      { env: { LUCI_PARTIALS: "keep" } },
      "E_CONFIG",
      ["LUCI_PARTIALS", "keep", "`resume` or `delete`"],
    ],
    [
      "variable of a rate",
      { env: { LUCI_LIMIT_RATE: "fast" } },
      "E_CONFIG",
      ["LUCI_LIMIT_RATE", "fast", "20M"],
    ],
    [
      "variable of a time",
      { env: { LUCI_STALL_SECONDS: "0" } },
      "E_CONFIG",
      ["LUCI_STALL_SECONDS", "0.1 to 3600"],
    ],
    [
      "a wait without a unit",
      { flags: { "disk-wait": "10" } },
      "E_USAGE",
      ["--disk-wait", "`30s`, `10m` or `2h`, or `0`"],
    ],
    ["a wait of weeks", { env: { LUCI_DISK_WAIT: "8d" } }, "E_CONFIG", ["LUCI_DISK_WAIT", "8d"]],
    ["flag", { flags: { jobs: "many" } }, "E_USAGE", ["--jobs", "many", "from 1 to 16"]],
    ["flag in another notation", { flags: { connections: "0x4" } }, "E_USAGE", ["--connections", "0x4"]],
    ["negative flag", { flags: { retries: "-1" } }, "E_USAGE", ["--retries", "-1", "from 0 to 100"]],
    ["control character in a folder", { flags: { dir: "a\u0000b" } }, "E_USAGE", ["--dir", "a folder"]],
    [
      "catalog that is not there",
      { env: { LUCI_CATALOG: "mine.json" } },
      "E_CONFIG",
      ["/work/mine.json", "LUCI_CATALOG"],
    ],
    ["hub that is no address", { env: { HF_ENDPOINT: "hub.local" } }, "E_CONFIG", ["HF_ENDPOINT", "http"]],
    ["hub of another kind", { env: { HF_ENDPOINT: "file:///etc" } }, "E_CONFIG", ["HF_ENDPOINT", "http"]],
    ["token with a line in it", { env: { HF_TOKEN: "hf_a\nX-Evil: 1" } }, "E_CONFIG", ["HF_TOKEN"]],
  ];
  test.each(rows)("%s", async (_what, scene, code, words) => {
    const error = await errorOf(scene);
    expect(error.code).toBe(code as LuciError["code"]);
    const said = `${error.message} ${error.hint}`;
    for (const word of words) expect(said).toContain(word);
  });

  test("a mistake is said even where a stronger layer hides it", async () => {
    const scene = { flags: { partials: "resume" }, env: { LUCI_PARTIALS: "keep" } };
    expect((await errorOf(scene)).message).toContain("LUCI_PARTIALS");
  });

  test("secrets are not repeated", async () => {
    const hub = await errorOf({ env: { HF_ENDPOINT: "https://ada:hunter2@hub.example" } });
    expect(`${hub.message} ${hub.hint}`).not.toContain("hunter2");
    const token = await errorOf({ env: { HF_TOKEN: "hf_secret with spaces" } });
    expect(`${token.message} ${token.hint}`).not.toContain("hf_secret");
  });
});

describe("the file of certificates", () => {
  const pem = rootCertificates[0] ?? "";

  test("flag over environment over config.toml, each from its own folder", async () => {
    const files = {
      [CONFIG]: 'ca-file = "toml.pem"',
      "/home/ada/.luciferai/toml.pem": pem,
      "/work/env.pem": pem,
      "/flag.pem": pem,
    };
    const env = { LUCI_CA_FILE: "env.pem" };
    const got = await Promise.all([
      settingsOf({ flags: { "ca-file": "/flag.pem" }, env, files }),
      settingsOf({ env, files }),
      settingsOf({ files }),
    ]);
    expect(got.map(({ caFile }) => caFile)).toEqual([
      "/flag.pem",
      "/work/env.pem",
      "/home/ada/.luciferai/toml.pem",
    ]);
  });

  test.each([
    ["is missing", {}],
    ["is empty", { "/ca.pem": "" }],
    ["is something else", { "/ca.pem": "hello" }],
    ["is broken", { "/ca.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }],
    ["is broken in its second part", { "/ca.pem": `${pem}\n${pem.replace("MII", "AAA")}` }],
  ])("that %s is said before anything is fetched", async (_what, files) => {
    const error = await errorOf({ flags: { "ca-file": "/ca.pem" }, files });
    expect(error.code).toBe("E_CONFIG");
    expect(error.message).toContain("/ca.pem");
    expect((await settingsOf({ flags: { "ca-file": "/ca.pem" }, files, network: false })).caFile).toBe(
      "/ca.pem",
    );
  });
});

describe("the hub", () => {
  test.each([
    ["https://hub.example/", "https://hub.example"],
    ["https://hub.example/mirror//", "https://hub.example/mirror"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
  ])("HF_ENDPOINT %s", async (typed, want) => {
    expect((await settingsOf({ env: { HF_ENDPOINT: typed } })).hubEndpoint).toBe(want);
  });

  const cached = "/home/ada/.cache/huggingface/token";
  const places: readonly (readonly [what: string, env: Readonly<Record<string, string>>, path: string])[] = [
    ["the cache", {}, cached],
    ["XDG_CACHE_HOME", { XDG_CACHE_HOME: "/x" }, "/x/huggingface/token"],
    ["HF_HOME", { XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/token"],
    ["HF_TOKEN_PATH", { HF_HOME: "/h", HF_TOKEN_PATH: "/t" }, "/t"],
  ];
  test.each(places)("token file from %s", async (_what, env, path) => {
    expect((await settingsOf({ env, files: { [path]: "hf_file\n" } })).hubToken).toBe("hf_file");
  });

  test("HF_TOKEN wins over the file", async () => {
    const { settings, notices } = await load({
      env: { HF_TOKEN: " hf_env " },
      files: { [cached]: "hf_file" },
      exposed: [cached],
    });
    expect(settings.hubToken).toBe("hf_env");
    expect(notices).toEqual([]);
  });

  test("a file others can read is used, and said", async () => {
    const { settings, notices } = await load({ files: { [cached]: "hf_file" }, exposed: [cached] });
    expect(settings.hubToken).toBe("hf_file");
    expect(notices).toEqual([`Other users can read your token: chmod 600 ${cached}`]);
  });

  test("no token is looked for when nothing is fetched", async () => {
    const { settings, read } = await load({
      env: { HF_TOKEN: "hf_env" },
      files: { [cached]: "hf_file" },
      network: false,
    });
    expect(settings.hubToken).toBeNull();
    expect(read).toEqual([CONFIG]);
  });

  test.each(["http://hub.example", "http://10.0.0.1:8080", "http://127.evil.example", "ftp://hub.example"])(
    "%s is refused at once: only this machine may be asked unencrypted",
    async (url) => {
      for (const scene of [
        { env: { HF_ENDPOINT: url } },
        { files: { [CONFIG]: `hf-endpoint = "${url}"` }, network: false },
      ]) {
        const error = await errorOf(scene);
        expect(error.code).toBe("E_CONFIG");
        expect(error.hint).toContain("https");
      }
    },
  );

  test("a token may go to a hub of this machine unencrypted", async () => {
    const near = await load({ env: { HF_TOKEN: "hf_env", HF_ENDPOINT: "http://localhost:1" } });
    expect(near.settings.hubToken).toBe("hf_env");
  });
});
