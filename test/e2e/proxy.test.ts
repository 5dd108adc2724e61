// Through a real proxy, and around it: what it is asked, and who is blamed when it fails.
// needs: tinyproxy (tinyproxy-bin)
// needs: openssl (openssl)

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { HubOptions } from "../../src/demo/hub.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { hasProxyProgram, startProxy } from "../support/proxy.ts";
import { SMALL, modelContent } from "../support/rig.ts";
import { parseEvents } from "../support/run-luci.ts";
import {
  ONE_BY_ONE,
  type Stage,
  errorOf,
  filesBelow,
  finalsBelow,
  heldAfter,
  isFileRequest,
  openStage,
  writeCatalog,
} from "../support/stage.ts";
import { type TempHome, tempHome } from "../support/temp-home.ts";
import { serveTls } from "../support/tls-server.ts";
import { until } from "../support/until.ts";

const REF = "hf:org/m:Q4_0";
const PASSWORD = "s3cret-pa55";
const ENCODED = btoa(`ada:${PASSWORD}`);
let folder: TempHome;
let known: Certificates;

beforeAll(async () => {
  folder = await tempHome();
  known = makeCertificates(folder.path);
});

afterAll(() => folder[Symbol.asyncDispose]());

async function stageWith(options: Partial<HubOptions> = {}): Promise<Stage> {
  const content = await modelContent(SMALL);
  return openStage({ repos: [{ name: "org/m", files: [{ path: "m-Q4_0.gguf", content }] }], ...options });
}

/** An address with its digest, of a file that a TLS server has. */
async function secureRef(port: number, host = "127.0.0.1"): Promise<string> {
  return `https://${host}:${port}/m.gguf#sha256=${(await modelContent(SMALL)).sha256}`;
}

describe.skipIf(!hasProxyProgram)("a proxy", () => {
  test("in HTTP_PROXY carries everything that is http", async () => {
    await using stage = await stageWith();
    await using proxy = await startProxy();
    const run = await stage.luci(["install", REF], { env: { HTTP_PROXY: proxy.url } });
    expect(run).toMatchObject({ exitCode: 0 });
    expect(await finalsBelow(stage.models)).toEqual(["m-Q4_0.gguf"]);
    expect(await proxy.asked()).toHaveLength(stage.hub.log().length);
  });

  test("in HTTPS_PROXY opens tunnels, and certificates are checked through them", async () => {
    await using stage = await stageWith();
    await using proxy = await startProxy();
    await using server = await serveTls(known.good, await modelContent(SMALL));
    const env = { HTTPS_PROXY: proxy.url };
    const ref = await secureRef(server.port);
    const doubted = await stage.luci(["install", ref, "--json"], { env });
    expect(errorOf(doubted)).toMatchObject({ code: "E_TLS", exit: 5 });
    expect(server.asked()).toBe(0);
    expect(await stage.luci(["install", ref, "--ca-file", known.caFile], { env })).toMatchObject({
      exitCode: 0,
    });
    expect(server.asked()).toBeGreaterThan(0);
    expect(new Set(await proxy.asked())).toEqual(new Set([`CONNECT 127.0.0.1:${server.port}`]));
  });

  test("is not asked for what NO_PROXY names", async () => {
    await using proxy = await startProxy();
    await using server = await serveTls(known.good, await modelContent(SMALL));
    const { port } = server;
    const rows: readonly (readonly [host: string, exempt: string, passes: boolean])[] = [
      ["127.0.0.1", "127.0.0.1", false],
      ["127.0.0.1", `other.example, 127.0.0.1:${port}`, false],
      ["127.0.0.1", "127.0.0.1:1", true],
      ["127.0.0.1", "127.0.0.0/8", false],
      ["127.0.0.1", "10.0.0.0/8", true],
      ["127.0.0.1", "*", false],
      ["localhost", ".localhost", false],
      ["localhost", "LOCALHOST", false],
      ["localhost", "host", true],
    ];
    for (const [host, exempt, passes] of rows) {
      await using stage = await stageWith();
      const before = (await proxy.asked()).length;
      const env = { HTTPS_PROXY: proxy.url, NO_PROXY: exempt, LUCI_CA_FILE: known.caFile };
      const run = await stage.luci(["install", await secureRef(port, host)], { env });
      const passed = (await proxy.asked()).length > before;
      expect({ host, exempt, passed, exit: run.exitCode }).toEqual({ host, exempt, passed: passes, exit: 0 });
    }
  });

  test("that wants a login gets it, or is blamed by name; its password is never shown or kept", async () => {
    await using stage = await stageWith();
    await using server = await serveTls(known.good, await modelContent(SMALL));
    await using proxy = await startProxy({ login: { user: "ada", password: PASSWORD } });
    const withLogin = (password: string): string => proxy.url.replace("//", `//ada:${password}@`);
    const refs = [REF, await secureRef(server.port)];
    for (const ref of refs) {
      const env = (url: string) => ({ HTTP_PROXY: url, HTTPS_PROXY: url, LUCI_CA_FILE: known.caFile });
      const none = await stage.luci(["install", ref, "--json"], { env: env(proxy.url) });
      expect(errorOf(none)).toMatchObject({ code: "E_PROXY", exit: 5 });
      expect(errorOf(none)["message"]).toContain(`proxy ${proxy.name}`);
      expect(errorOf(none)["message"]).toContain("wants a login");
      expect(errorOf(none)["hint"]).toContain("user:password@");
      const wrong = await stage.luci(["install", ref, "--json"], { env: env(withLogin(`${PASSWORD}-not`)) });
      expect(errorOf(wrong)).toMatchObject({ code: "E_PROXY", exit: 5 });
      expect(errorOf(wrong)["message"]).toContain("does not accept the user name and password");
      expect(stage.hub.log().length + server.asked()).toBe(0);
      const right = await stage.luci(["install", ref, "--json"], { env: env(withLogin(PASSWORD)) });
      expect(right).toMatchObject({ exitCode: 0 });
      for (const { stdout, stderr } of [none, wrong, right]) {
        expect(stdout + stderr).not.toContain(PASSWORD);
        expect(stdout + stderr).not.toContain(ENCODED);
      }
      stage.hub.reset();
      await rm(stage.models, { recursive: true });
    }
    expect(server.asked()).toBeGreaterThan(0);
    for (const path of await filesBelow(stage.home)) {
      const bytes = await Bun.file(join(stage.home, path)).text();
      expect(bytes.includes(PASSWORD) || bytes.includes(ENCODED)).toBe(false);
    }
  });

  test("that is down is named, not the host behind it", async () => {
    await using stage = await stageWith();
    await using proxy = await startProxy();
    await proxy.kill();
    for (const ref of [REF, await secureRef(1)]) {
      const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url };
      const run = await stage.luci(["install", ref, "--retries", "0", "--json"], { env });
      expect(errorOf(run)).toMatchObject({ code: "E_PROXY", exit: 5 });
      expect(errorOf(run)["message"]).toContain(`proxy ${proxy.name} on the way to`);
      expect(errorOf(run)["hint"]).toMatch(/HTTPS?_PROXY/);
    }
    expect(stage.hub.log()).toEqual([]);
  });

  test("whose name does not resolve is named", async () => {
    await using stage = await stageWith();
    const env = { HTTP_PROXY: "http://127.0.0.1.invalid:3128" };
    const run = await stage.luci(["install", REF, "--retries", "0", "--json"], { env });
    expect(errorOf(run)).toMatchObject({ code: "E_PROXY", exit: 5 });
    expect(errorOf(run)["message"]).toContain("127.0.0.1.invalid:3128");
  });

  test("that stalls is named", async () => {
    await using stage = await stageWith();
    await using proxy = await startProxy();
    proxy.freeze();
    for (const ref of [REF, await secureRef(1)]) {
      const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, LUCI_STALL_SECONDS: "0.3" };
      const run = await stage.luci(["install", ref, "--retries", "0", "--json"], { env });
      expect(errorOf(run)).toMatchObject({ code: "E_STALLED", exit: 5 });
      expect(errorOf(run)["message"]).toContain(`through the proxy ${proxy.name}`);
    }
  });

  test("that does not open a way to a host is named, and says which host", async () => {
    await using stage = await stageWith();
    await using proxy = await startProxy({ refuses: "127.0.0.1" });
    const env = { HTTPS_PROXY: proxy.url };
    const run = await stage.luci(["install", await secureRef(4443), "--json"], { env });
    expect(errorOf(run)).toMatchObject({ code: "E_PROXY", exit: 5 });
    expect(errorOf(run)["message"]).toContain(`proxy ${proxy.name} refuses to connect to 127.0.0.1:4443`);
    expect(run.stdout).not.toContain("file.retrying");
  });

  test("that dies in the middle of a file and comes back costs nothing that had arrived", async () => {
    const content = await modelContent(20_000_003);
    await using stage = await stageWith({
      repos: [{ name: "org/m", files: [{ path: "m-Q4_0.gguf", content }] }],
      rateBytesPerSec: 8_000_000,
    });
    await using proxy = await startProxy();
    const env = { HTTP_PROXY: proxy.url };
    const luci = stage.start(["install", REF, ...ONE_BY_ONE, "--retries", "9", "--json"], { env });
    const events = () => parseEvents(luci.output().stdout.replace(/[^\n]*$/, ""));
    await heldAfter(stage.hub, 4_000_000);
    await until("most of it has arrived", () =>
      events().some(({ doneBytes }) => Number(doneBytes ?? 0) > 3_000_000),
    );
    await proxy.kill();
    await until("luci sees that the proxy is gone", () =>
      events().some(({ type }) => type === "file.retrying"),
    );
    stage.hub.behave({ rateBytesPerSec: null });
    await proxy.start();
    expect((await luci.ended).exitCode).toBe(0);
    expect(await finalsBelow(stage.models)).toEqual(["m-Q4_0.gguf"]);
    const refetched = stage.hub.servedBytes(isFileRequest) - content.sizeBytes;
    // What was on its way, and no more.
    expect(refetched).toBeLessThan(2_000_000);
  });
});

describe("a socks proxy is refused with its reason, and nobody is asked directly", () => {
  const socks = "socks5://127.0.0.1:9";
  test.each([
    { ALL_PROXY: socks },
    { all_proxy: "socks5h://127.0.0.1:9" },
    { All_Proxy: " SOCKS4A://127.0.0.1:9" },
    { HTTPS_PROXY: socks },
    { https_proxy: "socks://ada:s3cret-pa55@127.0.0.1:9" },
    { HTTP_PROXY: "socks4://127.0.0.1:9" },
    { http_proxy: '"socks5://127.0.0.1:9"' },
    { SOCKS_PROXY: "127.0.0.1:9" },
    { socks5_proxy: "127.0.0.1:9" },
    { ALL_PROXY: socks, NO_PROXY: "*" },
    { ALL_PROXY: socks, HTTPS_PROXY: "http://127.0.0.1:9" },
  ] as Record<string, string>[])("%j", async (env) => {
    await using stage = await stageWith();
    const run = await stage.luci(["install", REF, "--json"], { env });
    expect(run.exitCode).toBe(5);
    expect(errorOf(run)["code"]).toBe("E_PROXY");
    expect(errorOf(run)["message"]).toContain("names a socks proxy");
    expect(run.stdout + run.stderr).not.toContain(PASSWORD);
    expect(stage.hub.log()).toEqual([]);
  });
});

test("what would stop every model alike is said once, before any of them begins", async () => {
  await using stage = await stageWith();
  const files = ["m-Q4_0.gguf"];
  const models = ["one", "two"].map((name) => ({ name, repo: "org/m", files }));
  const catalog = await writeCatalog(stage, models);
  for (const [env, code, exit] of [
    [{ ALL_PROXY: "socks5://127.0.0.1:9" }, "E_PROXY", 5],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: "0" }, "E_TLS", 5],
    [{ SSL_CERT_FILE: join(stage.home, "none.pem") }, "E_CONFIG", 2],
  ] as const) {
    const args = ["install", "one", "two"];
    const run = await stage.luci([...args, "--json"], { env: { ...catalog, ...env } });
    expect(errorOf(run)).toMatchObject({ code, exit });
    expect(run.stdout).not.toContain("file.started");
    expect(await filesBelow(stage.models)).toEqual([]);
  }
  expect(stage.hub.log()).toEqual([]);
});

test.each([
  { HTTP_PROXY: "http://[::bad" },
  { http_proxy: "ftp://127.0.0.1:9" },
  { ALL_PROXY: "http://" },
  { HTTP_PROXY: "quic://ada:s3cret-pa55@127.0.0.1:9" },
] as Record<string, string>[])("a proxy that is none is named by its variable: %j", async (env) => {
  await using stage = await stageWith();
  const run = await stage.luci(["install", REF, "--json"], { env });
  expect(errorOf(run)).toMatchObject({ code: "E_PROXY", exit: 5 });
  expect(errorOf(run)["message"]).toContain(Object.keys(env)[0] ?? "");
  expect(run.stdout + run.stderr).not.toContain(PASSWORD);
  expect(stage.hub.log()).toEqual([]);
});
