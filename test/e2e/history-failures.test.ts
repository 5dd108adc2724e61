// What the history remembers of downloads that fail before their first byte: one line, with the reason.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { PastInstall } from "../../src/domain/history.ts";
import { ggufFile } from "../support/model-repos.ts";
import { namedRepos } from "../support/named-stage.ts";
import { type Serve, startServe } from "../support/serve.ts";
import { clearStage, openStage, resultOf, type Stage, writeCatalog } from "../support/stage.ts";
import { until } from "../support/until.ts";

const SIZE = 256 * 1024;

let stage: Stage;
let env: Record<string, string>;

beforeAll(async () => {
  const pair = {
    name: "org/pair",
    files: [await ggufFile("one.gguf", SIZE, 3), await ggufFile("two.gguf", SIZE, 4)],
  };
  stage = await openStage({ repos: [...(await namedRepos(["alpha", "huge"], SIZE)), pair] });
  env = await writeCatalog(stage, [
    { name: "alpha", repo: "org/alpha", files: ["alpha.gguf"] },
    { name: "huge", repo: "org/huge", files: ["huge.gguf"], claim: { size: 1e15 } },
  ]);
});
beforeEach(() => clearStage(stage));
afterAll(() => stage[Symbol.asyncDispose]());

/** Runs it to its end, and answers the exit code and what was remembered of it. */
async function remembered(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const { exitCode } = await stage.luci(args, { env: { ...env, ...more } });
  return { exitCode, rows: (await history()).map(({ ref, outcome, error }) => `${ref} ${outcome} ${error}`) };
}

async function history(): Promise<PastInstall[]> {
  return resultOf(await stage.luci(["history", "--json"], { env }))["installs"] as PastInstall[];
}

describe("an install", () => {
  test.each([
    ["of a repository that is not there", ["hf:org/none"], 7, "hf:org/none failed E_NOT_FOUND"],
    [
      "with a token that is none",
      ["hf:org/alpha"],
      6,
      "hf:org/alpha failed E_AUTH",
      { HF_TOKEN: "hf_wrong" },
    ],
    ["of a name nobody knows", ["nope"], 7, "nope failed E_NOT_FOUND"],
    ["for which there is no room", ["huge"], 8, "huge failed E_NO_SPACE"],
  ] as const)("%s", async (...one) => {
    const [, refs, exitCode, row, more = {}] = one;
    expect(await remembered(["install", ...refs], more)).toEqual({ exitCode, rows: [row] });
    const [install] = await history();
    expect(install).toMatchObject({
      fetchedBytes: 0,
      transferCount: 0,
      meanBytesPerSec: 0,
      how: "installed",
    });
    expect(install?.source).toBe(refs[0] === "nope" ? "" : new URL(stage.hub.url).host);
    const { stdout } = await stage.luci(["history"], { env });
    expect(stdout).toContain(row.split(" ").at(-1) ?? "?");
    // What brought nothing is no day's download.
    const usage = await stage.luci(["usage", "--history", "--json"], { env });
    expect(resultOf(usage)["entries"]).toEqual([]);
  });

  // A priority makes nobody a queue that would try again.
  test.each([[], ["--priority", "high"]])("without a way to the hub, with %p", async (...more) => {
    const nowhere = { HF_ENDPOINT: "http://127.0.0.1:9" };
    const words = ["install", "hf:org/alpha", "--retries", "0", ...more];
    const { exitCode, rows } = await remembered(words, nowhere);
    expect([exitCode, rows]).toEqual([5, ["hf:org/alpha failed E_NETWORK"]]);
  });

  test("of several: each for itself", async () => {
    expect(await remembered(["install", "nope", "alpha", "hf:org/none"])).toEqual({
      exitCode: 3,
      rows: ["alpha ready null", "hf:org/none failed E_NOT_FOUND", "nope failed E_NOT_FOUND"],
    });
    // No room for one is none for all, and what was there has not failed.
    const { rows } = await remembered(["install", "alpha", "huge", "nope"]);
    expect(rows.slice(0, -3)).toEqual(["huge failed E_NO_SPACE", "nope failed E_NOT_FOUND"]);
  });

  test.each([
    [["install", "hf:"], 2, "true"],
    [["install", "hf:org/pair", "--sha256", "f".repeat(64)], 2, "true"],
    [["install", "nope", "--dry-run"], 7, "true"],
    [["install", "hf:org/none"], 7, "false"],
  ])("%p leaves no trace", async (args, exitCode, LUCI_HISTORY) => {
    expect(await remembered(args, { LUCI_HISTORY })).toEqual({ exitCode, rows: [] });
  });
});

describe("serve", () => {
  let serve: Serve;
  const add = async (ref: string): Promise<string> =>
    String((await serve.ask("POST", "/v1/downloads", { body: { ref } })).data.id);
  const rows = async (): Promise<string[]> =>
    ((await serve.ask("GET", "/v1/history")).data.installs as PastInstall[]).map(
      ({ ref, outcome, error }) => `${ref} ${outcome} ${error}`,
    );

  test("remembers one that cannot be, shows it in ps until it is dismissed, and tries again what passes", async () => {
    let away: "hub" | "cdn" | null = "hub";
    let asked = 0;
    stage.hub.behave({
      intercept: ({ path, origin }) => {
        if (origin !== away || (origin === "hub" && !path.includes("org/alpha"))) return undefined;
        asked += 1;
        return new Response(null, { status: 503 });
      },
    });
    serve = await startServe(stage, { env, args: ["--retries", "0"] });
    try {
      const failed = await add("hf:org/none");
      await until("it has failed", async () => (await serve.job(failed)).state === "failed");
      const passing = await add("hf:org/alpha");
      await until("it is tried again", () => asked > 1);
      expect((await serve.job(passing)).state).not.toBe("failed");
      await until("the failure is remembered", async () => (await rows()).length > 0);
      expect(await rows()).toEqual(["hf:org/none failed E_NOT_FOUND"]);
      const shown = await stage.luci(["ps"], { env });
      expect(shown.stdout).toMatch(/hf:org\/none +\w+ +failed/);
      expect(shown.stdout).toContain("(E_NOT_FOUND)");
      serve.child.kill("SIGKILL");
      await serve.child.ended;
      serve = await startServe(stage, { env, args: ["--retries", "0"] });
      expect((await stage.luci(["ps"], { env })).stdout).toContain("(E_NOT_FOUND)");
      expect((await stage.luci(["cancel", "hf:org/none"], { env })).exitCode).toBe(0);
      expect((await stage.luci(["ps"], { env })).stdout).not.toContain("hf:org/none");
      expect((await serve.job(failed)).state).toBe("cancelled");
      away = "cdn";
      asked = 0;
      await serve.ask("POST", `/v1/downloads/${passing}/resume`);
      // For a reason: before its first byte it waits as well.
      const waits = async (): Promise<boolean> => {
        const { state, error } = await serve.job(passing);
        return state === "waiting" && error !== null;
      };
      await until("its file waits for another try", async () => asked > 0 && (await waits()));
      expect(await rows()).toEqual(["hf:org/none failed E_NOT_FOUND"]);
      away = null;
      await serve.ask("POST", `/v1/downloads/${passing}/resume`);
      await until("the other is done", async () => (await serve.job(passing)).state === "done");
      await until("that is remembered", async () => (await rows()).length > 1);
      expect(await rows()).toEqual(["hf:org/alpha ready null", "hf:org/none failed E_NOT_FOUND"]);
    } finally {
      serve.child.kill("SIGTERM");
      await serve.child.ended;
    }
  });
});
