// What is remembered of downloads on the built binary: by install, repair and serve, seen by command and over HTTP.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningChild } from "../../src/demo/child.ts";
import type { PastInstall } from "../../src/domain/history.ts";
import { openNamedStage } from "../support/named-stage.ts";
import { parseEvents } from "../support/run-luci.ts";
import { startServe } from "../support/serve.ts";
import { clearStage, errorOf, filesBelow, hold, resultOf, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 4 * MIB;
const TOKEN = "hf_secretsecret";

let stage: Stage;
let env: Readonly<Record<string, string>>;
const running: RunningChild[] = [];

beforeAll(async () => {
  ({ stage, env } = await openNamedStage(["alpha", "beta"], { sizeBytes: SIZE, token: TOKEN }));
});
beforeEach(() => clearStage(stage));
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await stage[Symbol.asyncDispose]();
});

function luci(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  return stage.luci(args, { env: { ...env, ...more } });
}

async function history(...args: readonly string[]): Promise<PastInstall[]> {
  const run = await luci(["history", "--json", ...args]);
  expect([run.exitCode, run.stderr]).toEqual([0, ""]);
  return resultOf(run)["installs"] as PastInstall[];
}

describe("the history", () => {
  test("tells of each install: what, from where, how much, how fast, how it ended", async () => {
    expect(await history()).toEqual([]);
    expect((await filesBelow(stage.home)).filter((name) => name.startsWith("history"))).toEqual([]);
    const beforeMs = Date.now();
    expect((await luci(["install", "alpha"])).exitCode).toBe(0);
    // Nothing happens, and nothing is remembered.
    expect((await luci(["install", "alpha"])).exitCode).toBe(0);
    const installs = await history();
    expect(installs).toHaveLength(1);
    const bytes = {
      fetchedBytes: SIZE + 13,
      retries: 0,
      outcome: "ready",
      source: new URL(stage.hub.url).host,
    };
    expect(installs[0]).toMatchObject({
      model: "alpha",
      ref: "alpha",
      how: "installed",
      transferCount: 1,
      transfers: [],
      ...bytes,
    });
    const [named] = await history("ALPHA", "--limit", "1");
    expect(named?.transfers).toMatchObject([{ file: "alpha.gguf", how: "fetched", ...bytes }]);
    expect(named!.peakBytesPerSec).toBeGreaterThanOrEqual(named!.meanBytesPerSec);
    expect(Date.parse(named!.at)).toBeWithin(beforeMs - 1_000, Date.now() + 1);
    expect(await history("nobody")).toEqual([]);
  });

  test("tells of repairs, cancels, interrupts, failures and retries", async () => {
    expect((await luci(["install", "alpha"])).exitCode).toBe(0);
    await truncate(join(stage.models, "alpha.gguf"), SIZE / 2);
    expect((await luci(["verify", "--repair"])).exitCode).toBe(0);
    let requests = 0;
    const intercept = (): Response | undefined => (
      (requests += 1),
      requests === 1 ? new Response(null, { status: 503 }) : undefined
    );
    hold(stage.hub);
    stage.hub.behave({ intercept: ({ origin }) => (origin === "cdn" ? intercept() : undefined) });
    const child = stage.start(["install", "beta"], { env });
    running.push(child);
    await until("it has tried again", () => requests > 1);
    child.kill("SIGINT");
    await child.ended;
    stage.hub.behave({
      intercept: ({ origin }) => (origin === "cdn" ? new Response(null, { status: 404 }) : undefined),
    });
    expect((await luci(["install", "beta", "--retries", "0"])).exitCode).not.toBe(0);
    stage.hub.behave({ intercept: null });
    hold(stage.hub);
    const other = stage.start(["install", "beta"], { env });
    running.push(other);
    await until("it runs", async () => (await luci(["ps"])).stdout.includes("running"));
    expect((await luci(["cancel", "beta"])).exitCode).toBe(0);
    await other.ended;
    const installs = await history();
    expect(installs.map(({ model, how, outcome }) => `${model} ${how} ${outcome}`)).toEqual([
      "beta installed cancelled",
      "beta installed failed",
      "beta installed interrupted",
      "alpha repaired ready",
      "alpha installed ready",
    ]);
    expect(installs[2]?.retries).toBeGreaterThan(0);
    const outcomes = (await history("beta")).map(({ transfers }) => transfers.map(({ outcome }) => outcome));
    expect(outcomes).toEqual([["cancelled"], ["failed"], ["interrupted"]]);
  });

  test("holds no token and no signature, and nobody else can read it", async () => {
    // Under another name the hub is an address like any other.
    const url = `${stage.hub.url.replace("127.0.0.1", "localhost")}/org/alpha/resolve/main/alpha.gguf?token=hush&X-Amz-Signature=sealed`;
    expect((await luci(["install", url], { HF_TOKEN: TOKEN })).exitCode).toBe(0);
    const [install] = await history();
    expect(install?.ref).toContain("/org/alpha/resolve/main/alpha.gguf");
    const bytes = await readFile(join(stage.home, "history.db"), "latin1");
    const log = await readFile(join(stage.home, "history.db-wal"), "latin1").catch(() => "");
    for (const secret of [TOKEN, "hush", "sealed"]) expect(bytes + log).not.toContain(secret);
    const { mode } = await Bun.file(join(stage.home, "history.db")).stat();
    expect(mode & 0o077).toBe(0);
  });

  test("is not written where that is not wanted", async () => {
    expect((await luci(["install", "alpha"], { LUCI_HISTORY: "0" })).exitCode).toBe(0);
    await writeFile(join(stage.home, "config.toml"), "history = false\n");
    expect((await luci(["install", "beta"])).exitCode).toBe(0);
    expect((await filesBelow(stage.home)).filter((name) => name.startsWith("history"))).toEqual([]);
    expect((await luci(["history"])).stderr).toContain("`history` is off");
  });

  test("that cannot be written costs one notice, and no model", async () => {
    await Bun.write(join(stage.home, "history.db", "in-the-way"), "");
    try {
      const run = await luci(["install", "alpha", "beta", "--json"]);
      expect(run.exitCode).toBe(0);
      const notices = parseEvents(run.stdout).filter(
        ({ type, level }) => type === "notice" && level === "warn",
      );
      expect(notices).toHaveLength(1);
      expect(notices[0]?.["message"]).toContain("The history could not be written");
    } finally {
      await rm(join(stage.home, "history.db"), { recursive: true });
    }
  });

  test("is a line for each install and one for the rest, and for its files where one is named", async () => {
    expect((await luci(["install", "alpha", "beta"])).exitCode).toBe(0);
    const { stdout } = await luci(["history"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^\d\d-\d\d \d\d:\d\d {2}(?:alpha|beta) +4\.19 MB +\S+ [kMG]?B\/s {2}ready$/);
    const named = await luci(["history", "alpha"]);
    expect(named.stdout).toMatch(/\n {2}alpha\.gguf +4\.19 MB +.*fetched\n$/);
  });

  test("is forgotten on request, not without a yes", async () => {
    expect((await luci(["install", "alpha"])).exitCode).toBe(0);
    const unasked = await luci(["history", "--clear", "--json"]);
    expect([unasked.exitCode, errorOf(unasked)["hint"]]).toEqual([2, expect.stringContaining("--yes")]);
    expect(await history()).toHaveLength(1);
    const cleared = await luci(["history", "--clear", "--yes"]);
    expect([cleared.exitCode, cleared.stderr]).toEqual([0, "Forgot the history of 1 install\n"]);
    expect(await history()).toEqual([]);
  });
});

test("usage --history draws the days of each source, in ASCII where nothing else can be shown", async () => {
  expect((await luci(["usage", "--history"])).stderr).toContain("Nothing was downloaded in the last 30 days");
  expect((await luci(["install", "alpha"])).exitCode).toBe(0);
  const { host } = new URL(stage.hub.url);
  const drawn = await luci(["usage", "--history"]);
  const [head, line, day] = drawn.stdout.split("\n");
  expect(head).toBe(`${host}  4.19 MB in 30 days`);
  expect(line).toBe(`  ${"_".repeat(29)}█`);
  expect(day).toMatch(/^\d{4}-\d\d-\d\d {2}4\.19 MB {2}1 install {2}\S+$/);
  const ascii = await luci(["usage", "--history"], { LC_ALL: "C" });
  expect(ascii.stdout.split("\n")[1]).toBe(`  ${"_".repeat(29)}@`);
  const data = resultOf(await luci(["usage", "--history", "--json"]));
  expect(data["entries"]).toMatchObject([{ source: host, fetchedBytes: SIZE + 13, installs: 1 }]);
  expect(data["days"]).toHaveLength(30);
});

test("serve writes it as well, and answers GET /v1/history", async () => {
  const serve = await startServe(stage, { env });
  running.push(serve.child);
  try {
    expect((await serve.ask("GET", "/v1/history")).data).toEqual({
      name: null,
      installs: [],
      keepsHistory: true,
    });
    const { data } = await serve.ask("POST", "/v1/downloads", { body: { ref: "alpha" } });
    await until("it is done", async () => (await serve.job(data.id)).state === "done");
    await until(
      "it is remembered",
      async () => (await serve.ask("GET", "/v1/history")).data.installs.length === 1,
    );
    const named = await serve.ask("GET", "/v1/history?name=alpha&limit=5");
    expect(named.data.installs).toMatchObject([{ model: "alpha", transfers: [{ file: "alpha.gguf" }] }]);
    for (const limit of ["0", "1001", "x"]) {
      const refused = await serve.ask("GET", `/v1/history?limit=${limit}`);
      expect([refused.status, refused.data.field]).toEqual([400, "limit"]);
    }
  } finally {
    serve.child.kill("SIGTERM");
    await serve.child.ended;
  }
});

describe("the timetable", () => {
  /** All week long, but for one minute that is hours away. */
  async function writeTimetable(rate: string): Promise<void> {
    const hour = (new Date().getHours() + 12) % 24;
    const two = (value: number): string => String(value).padStart(2, "0");
    const range = `${two(hour)}:01-${two(hour)}:00`;
    await writeFile(join(stage.home, "config.toml"), `limit-rate = "9M"\n[limit]\n"${range}" = "${rate}"\n`);
  }

  test("limits an install from its first byte, can be overridden by hand and followed again", async () => {
    await writeTimetable("200k");
    hold(stage.hub);
    const child = stage.start(["install", "alpha", "--json"], { env });
    running.push(child);
    await until("it runs", async () => (await luci(["ps"])).stdout.includes("running"));
    const { pid } = child;
    expect((await luci(["limit", "300k"])).stderr).toContain(`Process ${pid}: at most 300 kB/s`);
    expect((await luci(["limit", "schedule"])).stderr).toContain(`Process ${pid}: at most 200 kB/s`);
    const models = await luci(["limit", "schedule", "alpha"]);
    expect(models.exitCode).toBe(2);
    expect((await luci(["limit", "off"])).exitCode).toBe(0);
    stage.hub.behave({ rateBytesPerSec: null });
    const { exitCode, stdout } = await child.ended;
    expect(exitCode).toBe(0);
    expect(parseEvents(stdout).filter(({ type }) => type === "run.limited")).toMatchObject([
      { limitBytesPerSec: 300_000 },
      { limitBytesPerSec: 200_000, by: "timetable" },
      { limitBytesPerSec: null },
    ]);
  });

  test("does not concern a run with a rate of its own", async () => {
    await writeTimetable("200k");
    hold(stage.hub);
    const child = stage.start(["install", "alpha", "--limit-rate", "500k"], { env });
    running.push(child);
    await until("it runs", async () => (await luci(["ps"])).stdout.includes("running"));
    const run = await luci(["limit", "schedule", "--json"]);
    expect([run.exitCode, errorOf(run)["message"]]).toEqual([2, "There is no timetable to follow"]);
    expect((await luci(["limit", "off"])).exitCode).toBe(0);
    stage.hub.behave({ rateBytesPerSec: null });
    expect((await child.ended).exitCode).toBe(0);
  });

  test("holds for serve, which says who decides", async () => {
    await writeTimetable("200k");
    const serve = await startServe(stage, { env });
    running.push(serve.child);
    try {
      const settings = async () => (await serve.ask("GET", "/v1/settings")).data;
      expect(await settings()).toEqual({ limitRate: 200_000, limitBy: "timetable" });
      const hand = await serve.ask("PATCH", "/v1/settings", { body: { limitRate: "1M" } });
      expect(hand.data).toEqual({ limitRate: 1_000_000, limitBy: "hand" });
      const back = await serve.ask("PATCH", "/v1/settings", { body: { limitRate: "schedule" } });
      expect([back.data, await settings()]).toEqual(
        [hand.data, hand.data].map(() => ({ limitRate: 200_000, limitBy: "timetable" })),
      );
    } finally {
      serve.child.kill("SIGTERM");
      await serve.child.ended;
    }
  });

  test("that contradicts itself is refused, with both ranges named", async () => {
    await writeFile(
      join(stage.home, "config.toml"),
      '[limit]\n"09:00-18:00" = "2M"\n"mon 17:00-19:00" = "off"\n',
    );
    const run = await luci(["list", "--json"]);
    expect([run.exitCode, errorOf(run)["message"]]).toEqual([
      2,
      expect.stringMatching(/"09:00-18:00" and "mon 17:00-19:00"/),
    ]);
  });
});
