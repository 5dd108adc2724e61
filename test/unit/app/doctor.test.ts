// What an examination says of disks, machines and surroundings that are not as they should be.

import { afterEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Context, createContext } from "../../../src/app/context.ts";
import { doctor } from "../../../src/app/doctor.ts";
import { examineClock, examineOpenFiles } from "../../../src/app/doctor-machine.ts";
import { examineSurroundings } from "../../../src/app/doctor-network.ts";
import { LuciError } from "../../../src/domain/errors.ts";
import type { DoctorCheck } from "../../../src/domain/doctor.ts";
import type { Settings } from "../../../src/domain/settings.ts";
import { ownIdentity, ownerTag } from "../../../src/platform/machine.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { type DiskHand, diskRefusal, faultyFiles } from "../../support/faulty-files.ts";
import { filesBelow, snapshot } from "../../support/stage.ts";
import { type TempHome, tempHome } from "../../support/temp-home.ts";

const opened: Context[] = [];

afterEach(() => {
  for (const { store } of opened.splice(0)) store.hashes.close();
});

function contextOf(home: TempHome, options: { settings?: Partial<Settings>; hand?: DiskHand } = {}): Context {
  const context = createContext({
    settings: {
      homeFolder: home.path,
      modelsFolder: home.models,
      partials: "resume",
      jobs: 1,
      connections: 1,
      limitBytesPerSec: null,
      retries: 0,
      hasher: "auto",
      stallMs: 5_000,
      limitTimetable: null,
      hooks: { command: null, webhook: null, limitMs: 60_000 },
      keepsHistory: false,
      diskWaitMs: 0,
      caFile: null,
      catalogFiles: [],
      hubEndpoint: "http://127.0.0.1:1",
      hubToken: null,
      ...options.settings,
    },
    emit: () => undefined,
    signal: new AbortController().signal,
    version: "0.0.0",
    files: options.hand ? faultyFiles(nodeFiles(), options.hand) : nodeFiles(),
  });
  opened.push(context);
  return context;
}

async function checksOf(context: Context | null, refusal: LuciError | null = null): Promise<DoctorCheck[]> {
  const { checks } = await doctor({
    context,
    refusal,
    environment: {},
    offline: true,
    signal: new AbortController().signal,
    findToken: async () => ({ token: null, notices: [] }),
  });
  return [...checks];
}

function named(checks: readonly DoctorCheck[], name: string): DoctorCheck | undefined {
  return checks.find((check) => check.name === name);
}

/** A hand that fails one kind of act on the examination's own files. */
function failing(act: string, errno: string): DiskHand {
  return ({ name, path }) => {
    if (name === act && path.includes(".luci-doctor.")) throw diskRefusal(errno, path);
  };
}

describe("the disk", () => {
  test("that does all it should, whether the models folder is there or not", async () => {
    await using home = await tempHome();
    const before = await readdir(home.path);
    const names = ["folder", "space", "syncing", "renaming", "locks", "big files", "links", "names"];
    for (const exists of [false, true]) {
      if (exists) await mkdir(home.models);
      const checks = await checksOf(contextOf(home));
      expect(names.map((name) => named(checks, name)?.state).filter((state) => state === "problem")).toEqual(
        [],
      );
      expect(named(checks, "folder")?.finding).toContain(exists ? "can be written" : "can be made");
      expect(checks.every(({ state, advice, code }) => (state === "ok") === (advice === null) && !code)).toBe(
        true,
      );
    }
    expect(await readdir(home.models)).toEqual([]);
    expect(await readdir(home.path)).toEqual([...before, "models"]);
  });

  test.each([
    ["makeFolder", "EROFS", "folder", "E_PERMISSION"],
    ["write", "ENOSPC", "folder", "E_NO_SPACE"],
    ["datasync", "EIO", "folder", "E_IO"],
    ["syncFolder", "EIO", "syncing", "E_IO"],
    ["rename", "EIO", "renaming", "E_IO"],
    ["truncate", "EFBIG", "big files", "E_IO"],
  ] as const)("whose %s fails with %s has a problem with its %s", async (act, errno, name, code) => {
    await using home = await tempHome();
    await mkdir(home.models);
    const checks = await checksOf(contextOf(home, { hand: failing(act, errno) }));
    expect(named(checks, name)).toMatchObject({ state: "problem", code });
    expect(named(checks, name)?.advice).not.toBeEmpty();
    expect(await readdir(home.models)).toEqual([]);
  });

  test("that gives back other bytes than were written", async () => {
    await using home = await tempHome();
    const hand: DiskHand = async ({ name, path }) => {
      if (name === "read" && path.endsWith("written")) await writeFile(path, "luck ".repeat(20_000));
    };
    expect(named(await checksOf(contextOf(home, { hand })), "folder")).toMatchObject({
      state: "problem",
      code: "E_IO",
    });
  });

  test("that is too small for any model, or small", async () => {
    await using home = await tempHome();
    const room = (freeBytes: number) => ({ ...nodeFiles(), freeBytes: async () => freeBytes });
    const spaceOf = async (freeBytes: number) => {
      const context = { ...contextOf(home), files: room(freeBytes) };
      return named(await checksOf(context), "space");
    };
    expect(await spaceOf(1_000_000)).toMatchObject({ state: "problem", code: "E_NO_SPACE" });
    expect(await spaceOf(5e9)).toMatchObject({ state: "warning" });
    expect(await spaceOf(50e9)).toMatchObject({ state: "ok" });
  });

  test("where a file stands in the folder's place", async () => {
    await using home = await tempHome();
    await writeFile(home.models, "a file");
    for (const modelsFolder of [home.models, join(home.models, "below")]) {
      const checks = await checksOf(contextOf(home, { settings: { modelsFolder } }));
      expect(named(checks, "folder")).toMatchObject({ state: "problem", code: "E_IO" });
    }
    expect(await filesBelow(home.path)).toEqual(["models"]);
  });

  test("where a killed examination left its folder: the next one takes it away, and no other", async () => {
    await using home = await tempHome();
    const others = ["keep.gguf", ".luci-doctor.txt", ".luci-doctor.12.zz"];
    const dead = `.luci-doctor.${ownerTag({ ...ownIdentity(), pid: 2 ** 22 + 1 })}`;
    await mkdir(join(home.models, dead, "inside"), { recursive: true });
    for (const name of others) {
      await writeFile(join(home.models, name), "mine");
      await utimes(join(home.models, name), 0, 0);
    }
    await writeFile(join(home.path, "outside"), "mine");
    await symlink(home.path, join(home.models, dead, "inside", "link"));
    await checksOf(contextOf(home));
    expect(await readdir(home.models)).not.toContain(dead);
    expect((await readdir(home.models)).toSorted()).toEqual([...others].toSorted());
    expect(await filesBelow(home.path)).toContain("outside");
  });
});

describe("luci's own files", () => {
  test("a record that cannot be read is named, and nothing is changed", async () => {
    await using home = await tempHome();
    const manifests = join(home.models, ".luci", "v1", "manifests");
    await mkdir(manifests, { recursive: true });
    await writeFile(join(manifests, "broken.json"), "{");
    const before = await snapshot(home.path);
    const record = named(await checksOf(contextOf(home)), "records");
    expect(record).toMatchObject({ state: "problem", code: "E_DAMAGED" });
    expect(record?.finding).toContain("broken.json");
    expect(await snapshot(home.path)).toEqual(before);
  });

  test("a catalog that is not one is named", async () => {
    await using home = await tempHome();
    const path = join(home.path, "mine.json");
    await writeFile(path, "{}");
    const checks = await checksOf(contextOf(home, { settings: { catalogFiles: [path] } }));
    expect(named(checks, "catalogs")).toMatchObject({ state: "problem", code: "E_CONFIG" });
    expect(named(checks, "space")?.state).toBeDefined();
  });

  test("settings that cannot be read leave the rest to be examined", async () => {
    const checks = await checksOf(null, new LuciError("E_CONFIG", "`jobs` is 99", { hint: "1 to 16" }));
    expect(checks[0]).toEqual({
      name: "settings",
      state: "problem",
      finding: "`jobs` is 99",
      advice: "1 to 16",
      code: "E_CONFIG",
    });
    expect(checks.map(({ name }) => name)).toContain("digests");
  });
});

describe("the machine", () => {
  test.each([
    ["1970-01-01T00:00:00Z", "warning"],
    ["2025-12-31T00:00:00Z", "warning"],
    ["2026-11-21T00:00:00Z", "ok"],
    ["2099-01-01T00:00:00Z", "warning"],
  ] as const)("the clock at %s: %s", (date, state) => {
    expect(examineClock(new Date(date)).state).toBe(state);
  });

  test.each([
    [null, "ok"],
    [1024, "ok"],
    [128, "warning"],
    [20, "problem"],
  ] as const)("%p open files: %s", (limit, state) => {
    expect(examineOpenFiles(limit).state).toBe(state);
  });
});

describe("surroundings", () => {
  test.each([
    [{}, "proxy", "ok", "directly"],
    [
      { HTTPS_PROXY: "http://ada:s3cret@proxy.example:3128" },
      "proxy",
      "ok",
      "proxy.example:3128 (with a login)",
    ],
    [{ https_proxy: "proxy.example:3128", NO_PROXY: "a,b" }, "proxy", "ok", "not for a,b"],
    [{ ALL_PROXY: "socks5://ada:s3cret@h:1" }, "proxy", "problem", "socks"],
    [{ HTTPS_PROXY: "ftp://ada:s3cret@h:1" }, "proxy", "problem", "HTTPS_PROXY"],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: "0" }, "certificates", "problem", "NODE_TLS_REJECT_UNAUTHORIZED"],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: "1" }, "certificates", "ok", "built-in"],
    [{ SSL_CERT_FILE: "/nowhere/ca.pem" }, "certificates", "problem", "SSL_CERT_FILE"],
    [{ NODE_EXTRA_CA_CERTS: "/nowhere/ca.pem" }, "certificates", "problem", "NODE_EXTRA_CA_CERTS"],
  ] as [Record<string, string>, string, DoctorCheck["state"], string][])(
    "%j: %s is %s",
    async (environment, name, state, words) => {
      const checks = await examineSurroundings(environment, null);
      expect(named(checks, name)).toMatchObject({ state });
      expect(named(checks, name)?.finding).toContain(words);
      expect(JSON.stringify(checks)).not.toContain("s3cret");
    },
  );
});
