// Names that do not resolve, that resolve later, that have two addresses of which one is dead; and certificates
// of a server's own, named in every way there is.
// needs: openssl (openssl)
// needs: unshare (util-linux)

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import type { Content } from "../../src/demo/content.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { ownNames, tryOwnNames } from "../support/names.ts";
import { canHave } from "../support/real-disk.ts";
import { SMALL, modelContent } from "../support/rig.ts";
import { type LuciRun, type RunOptions, parseEvents, runLuci, startLuci } from "../support/run-luci.ts";
import { ONE_BY_ONE, errorOf, finalsBelow } from "../support/stage.ts";
import { type TempHome, tempHome } from "../support/temp-home.ts";
import { serveTls } from "../support/tls-server.ts";
import { until } from "../support/until.ts";

let folder: TempHome;
let known: Certificates;
let content: Content;

beforeAll(async () => {
  folder = await tempHome();
  known = makeCertificates(folder.path);
  content = await modelContent(SMALL);
});

afterAll(() => folder[Symbol.asyncDispose]());

const able = await canHave({
  what: "names that only luci sees",
  programs: ["unshare", "mount"],
  probe: tryOwnNames,
});

function refTo(host: string, port: number): string {
  return `https://${host}:${port}/m.gguf#sha256=${content.sha256}`;
}

function settings(home: TempHome, env: Record<string, string> = {}): RunOptions {
  return { home: home.path, env: { NO_COLOR: "1", ...env } };
}

const trusting = (home: TempHome): RunOptions => settings(home, { LUCI_CA_FILE: known.caFile });

function types({ stdout }: LuciRun): unknown[] {
  return parseEvents(stdout).map(({ type }) => type);
}

describe.skipIf(!able)("a name", () => {
  test.each([
    ["absent", "its name does not resolve"],
    ["silent", "the name server does not answer"],
  ] as const)(
    "that does not resolve ends the run after its attempts (name server %s)",
    async (server, reason) => {
      await using home = await tempHome();
      const { wrapper } = await ownNames(home.path, server);
      const args = ["install", refTo("files.test", 443), "--retries", "1", "--json"];
      const run = await runLuci(args, { ...trusting(home), wrapper });
      expect(run.exitCode).toBe(5);
      expect(errorOf(run)).toMatchObject({ code: "E_NETWORK", exit: 5 });
      expect(errorOf(run)["message"]).toContain("files.test");
      expect(errorOf(run)["message"]).toContain(reason);
      expect(run.stdout).toContain("trying again in");
    },
  );

  test("that resolves later is waited for", async () => {
    await using home = await tempHome();
    await using server = await serveTls(known.good, content);
    const names = await ownNames(home.path);
    const args = ["install", refTo("files.test", server.port), "--retries", "9"];
    const luci = startLuci(args, { ...trusting(home), wrapper: names.wrapper });
    await until("luci backs off", () => luci.output().stderr.includes("trying again in"));
    expect(server.asked()).toBe(0);
    await names.set({ "files.test": ["127.0.0.1"] });
    expect((await luci.ended).exitCode).toBe(0);
    expect(await finalsBelow(home.models)).toEqual(["m.gguf"]);
  });

  test("that is lost after half of a file costs nothing that had arrived", async () => {
    await using home = await tempHome();
    const large = await modelContent(20_000_003);
    await using server = await serveTls(known.good, large, { stopsAfterBytes: 9_000_000 });
    const names = await ownNames(home.path);
    const ref = `https://files.test:${server.port}/m.gguf#sha256=${large.sha256}`;
    const args = ["install", ref, ...ONE_BY_ONE, "--retries", "0", "--json"];
    const start = (hosts: Record<string, string[]>) =>
      names.set(hosts).then(() => startLuci(args, { ...trusting(home), wrapper: names.wrapper }));
    const luci = async (hosts: Record<string, string[]>) => (await start(hosts)).ended;
    const first = await start({ "files.test": ["127.0.0.1"] });
    // What nobody has read when a connection is cut may be lost with it.
    await until("more than a megabyte has arrived", () =>
      parseEvents(first.output().stdout.replace(/[^\n]*$/, "")).some(
        ({ doneBytes }) => Number(doneBytes ?? 0) > 1_500_000,
      ),
    );
    server.cut();
    const cut = await first.ended;
    expect(errorOf(cut)).toMatchObject({ code: "E_NETWORK", exit: 5 });
    const lost = await luci({});
    expect(errorOf(lost)).toMatchObject({ code: "E_NETWORK", exit: 5 });
    expect(errorOf(lost)["message"]).toContain("its name does not resolve");
    expect(await finalsBelow(home.models)).toEqual([]);
    server.serveAll();
    const before = server.servedBytes();
    const again = await luci({ "files.test": ["127.0.0.1"] });
    expect(again).toMatchObject({ exitCode: 0 });
    const started = parseEvents(again.stdout).find(({ type }) => type === "file.started");
    const resumedBytes = Number(started?.["resumedBytes"]);
    expect(resumedBytes).toBeGreaterThan(1_000_000);
    // One byte was asked for to see whether the file is still the same.
    expect(server.servedBytes() - before).toBe(large.sizeBytes - resumedBytes + 1);
  });

  test.each([
    ["127.0.0.1", ["::1", "127.0.0.1"]],
    ["127.0.0.1", ["127.0.0.1", "::1"]],
    ["::1", ["::1", "127.0.0.1"]],
    ["::1", ["127.0.0.1", "::1"]],
  ] as const)("of two families of which only %s answers is reached (%j)", async (hostname, addresses) => {
    await using home = await tempHome();
    await using server = await serveTls(known.good, content, { hostname });
    const names = await ownNames(home.path);
    await names.set({ "files.test": addresses });
    const args = ["install", refTo("files.test", server.port), "--retries", "0"];
    const run = await runLuci(args, { ...trusting(home), wrapper: names.wrapper });
    expect(run).toMatchObject({ exitCode: 0 });
  });
});

describe("a server with a certificate of its own", () => {
  test.each(["--ca-file", "LUCI_CA_FILE", "config.toml", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])(
    "is trusted when %s names its authority, and only then",
    async (place) => {
      await using home = await tempHome();
      await using server = await serveTls(known.good, content);
      const args = ["install", refTo("localhost", server.port)];
      const doubted = await runLuci([...args, "--json"], settings(home));
      expect(errorOf(doubted)).toMatchObject({ code: "E_TLS", exit: 5 });
      expect(server.asked()).toBe(0);
      if (place === "config.toml") {
        await Bun.write(join(home.path, "own.pem"), known.ca);
        await writeFile(join(home.path, "config.toml"), 'ca-file = "own.pem"\n');
      }
      const flag = place === "--ca-file" ? [place, known.caFile] : [];
      const env = /^[A-Z_]+$/.test(place) ? { [place]: known.caFile } : {};
      expect(await runLuci([...args, ...flag], settings(home, env))).toMatchObject({ exitCode: 0 });
      await Bun.write(join(home.models, "m.gguf"), "damaged");
      const repair = await runLuci(["verify", "--repair", ...flag], settings(home, env));
      expect(repair).toMatchObject({ exitCode: 0 });
    },
  );

  test("is not asked when a named file is of no use", async () => {
    await using home = await tempHome();
    await using server = await serveTls(known.good, content);
    await Bun.write(join(home.path, "garbage.pem"), "hello");
    const args = ["install", refTo("localhost", server.port), "--json"];
    const runs = ["none.pem", "garbage.pem"].flatMap((name) => [
      runLuci([...args, "--ca-file", name], settings(home)),
      ...["LUCI_CA_FILE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"].map((variable) =>
        runLuci(args, settings(home, { [variable]: join(home.path, name) })),
      ),
    ]);
    for (const run of await Promise.all(runs))
      expect(errorOf(run)).toMatchObject({ code: "E_CONFIG", exit: 2 });
    expect(server.asked()).toBe(0);
  });

  test("is not asked while NODE_TLS_REJECT_UNAUTHORIZED=0 stands", async () => {
    await using home = await tempHome();
    await using server = await serveTls(known.selfSigned, content);
    const args = ["install", refTo("localhost", server.port), "--json"];
    const run = await runLuci(args, settings(home, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }));
    expect(errorOf(run)).toMatchObject({ code: "E_TLS", exit: 5 });
    expect(errorOf(run)["message"]).toContain("NODE_TLS_REJECT_UNAUTHORIZED=0");
    expect(types(run)).not.toContain("file.started");
    expect(server.asked()).toBe(0);
  });
});

test("a hub that is neither https nor on this machine is refused before anything is asked", async () => {
  await using home = await tempHome();
  for (const command of [["install", "hf:org/m"], ["list"]]) {
    const run = await runLuci([...command, "--json"], settings(home, { HF_ENDPOINT: "http://hub.example" }));
    expect(errorOf(run)).toMatchObject({ code: "E_CONFIG", exit: 2 });
    expect(errorOf(run)["message"]).toContain("HF_ENDPOINT");
    expect(errorOf(run)["hint"]).toContain("https");
  }
});
