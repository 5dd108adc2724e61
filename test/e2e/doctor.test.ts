// `luci doctor` on the built binary: on a healthy machine, and on ones that lack something each.
// needs: openssl (openssl)
// needs: setpriv (util-linux)

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { chmod, chown, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { startHub } from "../../src/demo/hub.ts";
import type { DoctorCheck, DoctorResult } from "../../src/domain/doctor.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { canHave, mountTmpfs } from "../support/real-disk.ts";
import { type LuciRun, type RunOptions, runLuci } from "../support/run-luci.ts";
import { errorOf, filesBelow, resultOf, snapshot } from "../support/stage.ts";
import { type TempHome, tempHome } from "../support/temp-home.ts";

const TOKEN = "hf_s3cretT0kenForDoctors";
const NOBODY = 65_534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
let folder: TempHome;
let known: Certificates;
let hub: Awaited<ReturnType<typeof startHub>>;

beforeAll(async () => {
  folder = await tempHome();
  known = makeCertificates(folder.path);
  hub = await startHub({ repos: [], token: TOKEN });
});

afterAll(async () => {
  await hub.stop();
  await folder[Symbol.asyncDispose]();
});

const able = await canHave({
  what: "luci doctor for other users and on small disks",
  programs: ["mount", "umount", "setpriv"],
  probe: async () => {
    await (await mountTmpfs(1_000_000))[Symbol.asyncDispose]();
  },
});

type Options = Partial<Omit<RunOptions, "home">> & { readonly flags?: readonly string[] };

function examine(home: TempHome, { flags = [], env, ...options }: Options = {}): Promise<LuciRun> {
  return runLuci(["doctor", ...flags], { home: home.path, hub, ...options, env: { NO_COLOR: "1", ...env } });
}

async function checksOf(
  home: TempHome,
  options: Options = {},
): Promise<{ run: LuciRun; of: (name: string) => DoctorCheck | undefined }> {
  const run = await examine(home, { ...options, flags: ["--json", ...(options.flags ?? [])] });
  const { checks } = resultOf(run) as unknown as DoctorResult;
  return { run, of: (name) => checks.find((check) => check.name === name) };
}

describe("a healthy machine", () => {
  test("has nothing to mend, and is as it was", async () => {
    await using home = await tempHome();
    await mkdir(home.models);
    await writeFile(join(home.models, "mine.gguf"), "mine");
    const before = await snapshot(home.path);
    const { run, of } = await checksOf(home, { env: { HF_TOKEN: TOKEN } });
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toBe("");
    for (const name of ["settings", "records", "folder", "locks", "digests", "proxy", "hub"])
      expect({ name, state: of(name)?.state }).toEqual({ name, state: "ok" });
    expect(of("token")?.finding).toContain("the hub accepts it");
    expect(of("hub")?.finding).toMatch(/answered in \d+ ms/);
    expect(run.stdout).not.toContain(TOKEN);
    expect(await snapshot(home.path)).toEqual(before);
    expect(await readdir(home.models)).toEqual(["mine.gguf"]);
  });

  test("is told in aligned lines, data on standard output and the last word on standard error", async () => {
    await using home = await tempHome();
    const run = await examine(home, { flags: ["--offline"] });
    expect(run.exitCode).toBe(0);
    const lines = run.stdout.trimEnd().split("\n");
    expect(lines.every((line) => /^(?:ok|warning|problem) +[a-z]+(?: [a-z]+)?  +\S|^ +\S/.test(line))).toBe(
      true,
    );
    expect(run.stdout).not.toContain("\u001B");
    expect(run.stderr).toMatch(/^\d+ checks, /);
    expect(await readdir(home.path)).toEqual([]);
  });

  test("is not asked for its hub with --offline", async () => {
    await using home = await tempHome();
    hub.reset();
    const { run, of } = await checksOf(home, { flags: ["--offline"], env: { HF_TOKEN: TOKEN } });
    expect(run.exitCode).toBe(0);
    expect(of("hub")).toMatchObject({ state: "ok" });
    expect(of("token")?.finding).toContain("not known");
    expect(hub.log()).toEqual([]);
  });

  test("may have its models folder behind a link", async () => {
    await using home = await tempHome();
    await mkdir(join(home.path, "elsewhere"));
    await symlink(join(home.path, "elsewhere"), home.models);
    expect((await checksOf(home)).of("folder")).toMatchObject({ state: "ok" });
    expect(await filesBelow(join(home.path, "elsewhere"))).toEqual([]);
  });
});

describe("what is wrong decides the exit code, and comes with advice", () => {
  test("a socks proxy: the hub is not asked", async () => {
    await using home = await tempHome();
    hub.reset();
    const { run, of } = await checksOf(home, { env: { all_proxy: `socks5://ada:${TOKEN}@127.0.0.1:9` } });
    expect(run.exitCode).toBe(5);
    expect(errorOf(run)).toMatchObject({ code: "E_PROXY", exit: 5 });
    expect(of("proxy")).toMatchObject({ state: "problem", code: "E_PROXY" });
    expect(of("hub")).toMatchObject({ state: "warning" });
    expect(run.stdout + run.stderr).not.toContain(TOKEN);
    expect(hub.log()).toEqual([]);
  });

  test("verification switched off", async () => {
    await using home = await tempHome();
    const { run, of } = await checksOf(home, { env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } });
    expect(run.exitCode).toBe(5);
    expect(of("certificates")).toMatchObject({ state: "problem", code: "E_TLS" });
  });

  test("a file of certificates that is not there, or has run out", async () => {
    await using home = await tempHome();
    const missing = await checksOf(home, { flags: ["--ca-file", "none.pem"] });
    expect(missing.run.exitCode).toBe(2);
    expect(missing.of("certificates")).toMatchObject({ state: "problem", code: "E_CONFIG" });
    expect(missing.of("certificates")?.finding).toContain("none.pem");
    await writeFile(join(home.path, "old.pem"), known.expired.cert);
    const old = await checksOf(home, { flags: ["--ca-file", "old.pem"] });
    expect(old.of("certificates")).toMatchObject({ state: "warning" });
    expect((await checksOf(home, { env: { LUCI_CA_FILE: known.caFile } })).of("certificates")).toMatchObject({
      state: "ok",
    });
  });

  test("a hub that is down, or in trouble", async () => {
    await using home = await tempHome();
    const down = await checksOf(home, { env: { HF_ENDPOINT: "http://127.0.0.1:1" } });
    expect(down.run.exitCode).toBe(5);
    expect(down.of("hub")).toMatchObject({ state: "problem", code: "E_NETWORK" });
    const ill = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("", { status: 503 }) });
    try {
      const trouble = await checksOf(home, { env: { HF_ENDPOINT: `http://127.0.0.1:${ill.port}` } });
      expect(trouble.of("hub")).toMatchObject({ state: "problem", code: "E_SERVER" });
    } finally {
      await ill.stop(true);
    }
  });

  test("a hub that does not answer: it is told, and Ctrl-C is heard meanwhile", async () => {
    await using home = await tempHome();
    await mkdir(home.models);
    const asked = Promise.withResolvers<void>();
    const silent = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => asked.resolve());
    });
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const hubUrl = { HF_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` };
    try {
      const run = await runLuci(["doctor"], {
        home: home.path,
        env: hubUrl,
        signalAfter: { signal: "SIGINT", after: asked.promise },
      });
      expect(run.exitCode).toBe(130);
      const { of } = await checksOf(home, { env: { ...hubUrl, LUCI_STALL_SECONDS: "0.2" } });
      expect(of("hub")).toMatchObject({ state: "problem", code: "E_STALLED" });
      expect(await readdir(home.models)).toEqual([]);
    } finally {
      silent.close();
    }
  });

  test("a hub whose certificate nobody vouches for, until its authority is named", async () => {
    await using home = await tempHome();
    const { key, cert } = known.good;
    const secure = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { key, cert },
      fetch: () => new Response("", { status: 401 }),
    });
    const env = { HF_ENDPOINT: `https://127.0.0.1:${secure.port}` };
    try {
      const doubted = await checksOf(home, { env });
      expect(doubted.run.exitCode).toBe(5);
      expect(doubted.of("hub")).toMatchObject({ state: "problem", code: "E_TLS" });
      const { run, of } = await checksOf(home, { env, flags: ["--ca-file", known.caFile] });
      expect(run.exitCode).toBe(0);
      expect(of("hub")?.finding).toContain("is trusted and answered");
    } finally {
      await secure.stop(true);
    }
  });

  test("a clock that is far from the hub's", async () => {
    await using home = await tempHome();
    const date = new Date(Date.now() - 3 * 3_600_000).toUTCString();
    const slow = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("{}", { headers: { date } }),
    });
    try {
      const { of } = await checksOf(home, { env: { HF_ENDPOINT: `http://127.0.0.1:${slow.port}` } });
      expect(of("hub")).toMatchObject({ state: "warning" });
      expect(of("hub")?.finding).toContain("180 min ahead");
    } finally {
      await slow.stop(true);
    }
  });

  test("a token that the hub refuses, that is none, or that others can read", async () => {
    await using home = await tempHome();
    const refused = await checksOf(home, { env: { HF_TOKEN: `${TOKEN}x` } });
    expect(refused.run.exitCode).toBe(6);
    expect(refused.of("token")).toMatchObject({ state: "problem", code: "E_AUTH" });
    const none = await checksOf(home, { env: { HF_TOKEN: `${TOKEN} x` } });
    expect(none.run.exitCode).toBe(2);
    expect(none.of("token")).toMatchObject({ state: "problem", code: "E_CONFIG" });
    await writeFile(join(home.path, "token"), TOKEN, { mode: 0o644 });
    const shown = await checksOf(home, { env: { HF_HOME: home.path } });
    expect(shown.of("token")).toMatchObject({ state: "warning" });
    expect(shown.of("token")?.advice).toContain("chmod 600");
    for (const { run } of [refused, none, shown]) expect(run.stdout + run.stderr).not.toContain(TOKEN);
  });

  test("settings that cannot be read: all else is examined", async () => {
    await using home = await tempHome();
    await writeFile(join(home.path, "config.toml"), "jobs = 99\n");
    const { run, of } = await checksOf(home);
    expect(run.exitCode).toBe(2);
    expect(of("settings")).toMatchObject({ state: "problem", code: "E_CONFIG" });
    expect(of("digests")).toMatchObject({ state: "ok" });
  });

  test("for people each problem is told once", async () => {
    await using home = await tempHome();
    const run = await examine(home, { env: { HF_ENDPOINT: "http://127.0.0.1:1" } });
    expect(run.exitCode).toBe(5);
    expect(`${run.stdout}${run.stderr}`.split("refused the connection")).toHaveLength(2);
    expect(run.stdout).toContain("→ ");
    expect(run.stderr).toContain("1 problem");
  });

  test("a mistyped flag is a mistake, not an illness", async () => {
    await using home = await tempHome();
    expect(errorOf(await examine(home, { flags: ["--json", "--offlne"] }))).toMatchObject({
      code: "E_USAGE",
    });
  });
});

describe.skipIf(!able)("a disk", () => {
  test("that may not be written", async () => {
    await using home = await tempHome();
    await chown(home.path, NOBODY, NOBODY);
    await mkdir(home.models);
    await chmod(home.models, 0o555);
    const options = { wrapper: AS_NOBODY, flags: ["--offline"] };
    const { run, of } = await checksOf(home, options);
    expect(run.exitCode).toBe(8);
    expect(of("folder")).toMatchObject({ state: "problem", code: "E_PERMISSION" });
    expect(of("folder")?.finding).toContain(home.models);
    expect(await readdir(home.models)).toEqual([]);
  });

  test("whose records and settings may not be read", async () => {
    await using home = await tempHome();
    await chown(home.path, NOBODY, NOBODY);
    await writeFile(join(home.path, "config.toml"), "jobs = 2\n", { mode: 0o600 });
    const { run, of } = await checksOf(home, { wrapper: AS_NOBODY, flags: ["--offline"] });
    expect(run.exitCode).toBe(8);
    expect(of("settings")).toMatchObject({ state: "problem", code: "E_PERMISSION" });
  });

  test("that is too small for any model", async () => {
    await using home = await tempHome();
    await using small = await mountTmpfs(16_000_000);
    const { run, of } = await checksOf(home, { flags: ["--offline", "--dir", small.path] });
    expect(run.exitCode).toBe(8);
    expect(of("space")).toMatchObject({ state: "problem", code: "E_NO_SPACE" });
    expect(of("folder")).toMatchObject({ state: "ok" });
    expect(await readdir(small.path)).toEqual([]);
  });

  test("that is full", async () => {
    await using home = await tempHome();
    await using small = await mountTmpfs(1_000_000);
    await writeFile(join(small.path, "full"), new Uint8Array(2_000_000)).catch(() => undefined);
    const { run, of } = await checksOf(home, { flags: ["--offline", "--dir", small.path] });
    expect(run.exitCode).toBe(8);
    expect(of("folder")).toMatchObject({ state: "problem", code: "E_NO_SPACE" });
    expect(await readdir(small.path)).toEqual(["full"]);
  });

  test("where files end at a limit", async () => {
    await using home = await tempHome();
    const wrapper = ["prlimit", "--fsize=1000000000"];
    const { run, of } = await checksOf(home, { wrapper, flags: ["--offline"] });
    expect(run.exitCode).toBe(8);
    expect(of("big files")).toMatchObject({ state: "problem", code: "E_IO" });
  });
});
