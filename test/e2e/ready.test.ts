// An application that needs a model: it waits for it, or is told by a command or a post when it is ready.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningChild } from "../../src/demo/child.ts";
import { listenHttp } from "../../src/platform/http-server.ts";
import { openNamedStage } from "../support/named-stage.ts";
import { parseEvents } from "../support/run-luci.ts";
import { startServe } from "../support/serve.ts";
import { clearStage, errorOf, finalsBelow, hold, resultOf, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
const TOKEN = "hf_secretsecret";

let stage: Stage;
let env: Readonly<Record<string, string>>;
const running: RunningChild[] = [];

beforeAll(async () => {
  const aliasesOf = (name: string): string[] => [`${name}-8b`];
  ({ stage, env } = await openNamedStage(["alpha", "beta"], { sizeBytes: SIZE, token: TOKEN, aliasesOf }));
});
beforeEach(() => clearStage(stage));
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await stage[Symbol.asyncDispose]();
});

function start(args: readonly string[], more: Readonly<Record<string, string>> = {}): RunningChild {
  const child = stage.start(args, { env: { ...env, ...more } });
  running.push(child);
  return child;
}

function luci(...args: readonly string[]) {
  return stage.luci(args, { env });
}

async function text(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}

/** Whether a process has ended; one that nobody has asked after yet (a zombie) has. */
async function isGone(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return true;
  }
  return (await text(`/proc/${pid}/stat`)).includes(") Z ");
}

const model = (name = "alpha"): string => join(stage.models, `${name}.gguf`);

describe("wait", () => {
  test("ends at once for what is installed, by any of its names, and prints where it is", async () => {
    expect((await luci("install", "alpha", "beta")).exitCode).toBe(0);
    stage.hub.reset();
    const run = await luci("wait", "alpha-8b", "hf:org/beta:beta.gguf", "beta", "--timeout", "2s");
    // The ref that a model was not installed by is another model, until its file says otherwise.
    expect([run.exitCode, run.stderr]).toEqual([5, expect.stringContaining("Not ready after 2s")]);
    const known = await luci("wait", "ALPHA-8b", "beta");
    expect([known.exitCode, known.stdout, known.stderr]).toEqual([0, `${model()}\n${model("beta")}\n`, ""]);
    expect(stage.hub.log()).toEqual([]);
  });

  test("takes an installed repository by its name, as every other command does", async () => {
    expect((await luci("install", "hf:org/beta:beta.gguf")).exitCode).toBe(0);
    const listed = (await luci("list", "--json")).stdout.trim().split("\n").at(-1)!;
    const { installed } = (JSON.parse(listed) as { result: { installed: { name: string }[] } }).result;
    const name = installed.map((one) => one.name).find((one) => one.startsWith("org/"))!;
    const run = await luci("wait", name, "--timeout", "60s");
    expect([run.exitCode, run.stderr, run.stdout]).toEqual([0, "", expect.stringContaining("beta.gguf")]);
  });

  test("ends when another process has installed it, and not before", async () => {
    const waiting = start(["wait", "alpha", "--json"]);
    await until("it says that it waits", () => waiting.output().stdout.includes("Nobody installs alpha"));
    hold(stage.hub);
    const installing = start(["install", "alpha"]);
    await until("it follows", () => waiting.output().stdout.includes(`process ${installing.pid} is at it`));
    expect(await finalsBelow(stage.models)).toEqual([]);
    stage.hub.behave({ rateBytesPerSec: null });
    const { exitCode, stdout } = await waiting.ended;
    expect([exitCode, await finalsBelow(stage.models)]).toEqual([0, ["alpha.gguf"]]);
    const events = parseEvents(stdout);
    expect(events.filter(({ type }) => type === "model.ready")).toEqual([
      expect.objectContaining({ model: "alpha", path: model() }),
    ]);
    expect(events.filter(({ message }) => String(message).startsWith("Nobody"))).toHaveLength(1);
    expect(events.at(-1)?.["result"]).toEqual({
      command: "wait",
      ready: [{ model: "alpha", ref: "alpha", path: model() }],
    });
    expect((await installing.ended).exitCode).toBe(0);
  });

  test("does not take a file that was cut for a model that is ready", async () => {
    expect((await luci("install", "alpha")).exitCode).toBe(0);
    await truncate(model(), SIZE / 2);
    const run = await luci("wait", "alpha", "--timeout", "1s", "--json");
    expect([run.exitCode, errorOf(run)]).toEqual([
      5,
      expect.objectContaining({ code: "E_TIMEOUT", message: "Not ready after 1s: alpha" }),
    ]);
  });

  test("ends as the install does that it follows: with its error, or cancelled", async () => {
    const trouble = Promise.withResolvers<void>();
    const fail = async (): Promise<Response> => {
      await trouble.promise;
      return new Response(null, { status: 500 });
    };
    stage.hub.behave({ intercept: ({ origin }) => (origin === "cdn" ? fail() : undefined) });
    const installing = start(["install", "alpha", "--retries", "0"]);
    const waiting = start(["wait", "alpha", "--json"]);
    await until("it follows", () => waiting.output().stdout.includes("is at it"));
    trouble.resolve();
    const [failed, followed] = await Promise.all([installing.ended, waiting.ended]);
    expect([failed.exitCode, followed.exitCode]).toEqual([5, 5]);
    expect(errorOf(followed)).toMatchObject({ code: "E_SERVER" });

    stage.hub.behave({ intercept: null });
    hold(stage.hub);
    const again = start(["install", "alpha"]);
    const other = start(["wait", "alpha", "--json"]);
    await until("it follows again", () => other.output().stdout.includes("is at it"));
    expect((await luci("cancel", "alpha")).exitCode).toBe(0);
    const ends = await Promise.all([again.ended, other.ended]);
    expect(ends.map(({ exitCode }) => exitCode)).toEqual([130, 130]);
    expect(errorOf(ends[1])).toMatchObject({ code: "E_CANCELLED" });
  });

  test("believes no answer that is older than the end it has heard of", async () => {
    const job = {
      id: "7-1",
      model: "alpha",
      ref: "alpha",
      state: "running",
      startedAt: new Date().toISOString(),
    };
    const isAskedAgain = Promise.withResolvers<void>();
    const say = (event: string, data: object): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    const events = new ReadableStream<string>({
      start: async (stream) => {
        stream.enqueue(say("download", job));
        await isAskedAgain.promise;
        stream.enqueue(say("model.cancelled", { model: "alpha" }));
      },
    }).pipeThrough(new TextEncoderStream());
    let looks = 0;
    const handle = async ({ url }: Request): Promise<Response> => {
      const { pathname } = new URL(url);
      if (pathname === "/v1/health") return Response.json({ pid: 7 });
      if (pathname === "/v1/events")
        return new Response(events, { headers: { "Content-Type": "text/event-stream" } });
      looks += 1;
      if (looks !== 2) return Response.json({ downloads: looks === 1 ? [job] : [] });
      isAskedAgain.resolve();
      // On its way for longer than the end is.
      await Bun.sleep(1_000);
      return Response.json({ downloads: [job] });
    };
    const peer = await listenHttp({
      at: { socketPath: join(stage.home, "run", "7.ffffffffffff.sock") },
      handle,
    });
    try {
      const run = await luci("wait", "alpha", "--timeout", "60s", "--json");
      expect([run.exitCode, errorOf(run)["code"]]).toEqual([130, "E_CANCELLED"]);
    } finally {
      await peer.close();
    }
  });

  test("ends at once with what a daemon gave a model up for, before anybody waited", async () => {
    stage.hub.behave({
      intercept: ({ origin, path }) =>
        origin === "hub" && path.includes("/resolve/") ? new Response(null, { status: 404 }) : undefined,
    });
    const serve = await startServe(stage, { env, args: ["--retries", "0"] });
    try {
      expect((await luci("install", "alpha", "--detach")).exitCode).toBe(0);
      await until("it failed", async () => (await serve.jobs()).every(({ state }) => state === "failed"));
      const run = await luci("wait", "alpha", "--timeout", "60s", "--json");
      expect([run.exitCode, errorOf(run)]).toEqual([7, expect.objectContaining({ code: "E_NOT_FOUND" })]);
      // Asked for again it is on its way again: what was before is no news.
      stage.hub.behave({ intercept: null, rateBytesPerSec: 8 * MIB });
      expect((await luci("install", "alpha", "--detach")).exitCode).toBe(0);
      expect((await luci("wait", "alpha", "--timeout", "60s")).exitCode).toBe(0);
    } finally {
      serve.child.kill("SIGTERM");
      await serve.child.ended;
    }
  });

  test("goes on waiting when the install is interrupted, and ends on Ctrl-C", async () => {
    hold(stage.hub);
    const installing = start(["install", "alpha"]);
    const waiting = start(["wait", "alpha", "--json"]);
    await until("it follows", () => waiting.output().stdout.includes("is at it"));
    installing.kill("SIGINT");
    expect((await installing.ended).exitCode).toBe(130);
    const again = start(["install", "alpha"]);
    await until("it follows the next one", () =>
      waiting.output().stdout.includes(`process ${again.pid} is at it`),
    );
    waiting.kill("SIGINT");
    expect((await waiting.ended).exitCode).toBe(130);
    again.kill("SIGINT");
    await again.ended;
  });

  test("refuses what is no name and no time", async () => {
    expect((await luci("wait")).exitCode).toBe(2);
    expect((await luci("wait", "alpha", "--timeout", "7")).exitCode).toBe(2);
    expect((await luci("wait", "hf:", "--timeout", "1s")).exitCode).toBe(2);
  });
});

/** Writes what it was told to a file, so that a test can read it. */
const NOTE = 'printf "%s|%s|%s|%s\\n" "$LUCI_MODEL" "$LUCI_PATH" "$LUCI_REF" "$HF_TOKEN$SECRET" >> "$NOTES"';

describe("the command for ready models", () => {
  test("is told the model, the path and the ref, never a token, and speaks on standard error", async () => {
    const notes = join(stage.home, "notes-1");
    const more = { NOTES: notes, HF_TOKEN: TOKEN, SECRET: "mine" };
    const run = await start(["install", "alpha", "--on-ready", `${NOTE}; echo said`], more).ended;
    expect([run.exitCode, run.stdout]).toEqual([0, ""]);
    expect(run.stderr).toContain("said\n");
    expect(await text(notes)).toBe(`alpha|${model()}|alpha|mine\n`);
    // What is there already is ready, too.
    const again = await start(["install", "alpha", "--json", "--on-ready", NOTE], more).ended;
    expect(resultOf(again)["installed"]).toMatchObject([
      { already: true, hooks: [{ kind: "command", ok: true, detail: "" }] },
    ]);
    expect((await text(notes)).split("\n")).toHaveLength(3);
    const dry = await start(["install", "alpha", "--dry-run", "--on-ready", NOTE], more).ended;
    expect([dry.exitCode, (await text(notes)).split("\n").length]).toEqual([0, 3]);
  });

  test("comes from config.toml, for a repair as well", async () => {
    const notes = join(stage.home, "notes-2");
    await writeFile(join(stage.home, "config.toml"), `[hooks]\nready = '${NOTE}'\n`);
    expect((await start(["install", "alpha"], { NOTES: notes }).ended).exitCode).toBe(0);
    await truncate(model(), SIZE / 2);
    const repair = await start(["verify", "--repair", "--json"], { NOTES: notes }).ended;
    expect(resultOf(repair)["repaired"]).toMatchObject([{ hooks: [{ kind: "command", ok: true }] }]);
    expect((await text(notes)).split("\n")).toHaveLength(3);
  });

  test("that fails is said and changes nothing: the model is there, and the exit code is 0", async () => {
    const run = await luci("install", "alpha", "--json", "--on-ready", "exit 7");
    expect(run.exitCode).toBe(0);
    expect(resultOf(run)["installed"]).toMatchObject([
      { hooks: [{ kind: "command", ok: false, detail: "exit code 7" }] },
    ]);
    const notices = parseEvents(run.stdout).filter(
      ({ type, level }) => type === "notice" && level === "warn",
    );
    expect(notices).toMatchObject([{ model: "alpha", message: expect.stringContaining("exit code 7") }]);
    expect(await finalsBelow(stage.models)).toEqual(["alpha.gguf"]);
  });

  test("is ended when it takes too long, with everything it started", async () => {
    await writeFile(join(stage.home, "config.toml"), '[hooks]\ntimeout = "3s"\n');
    const notes = join(stage.home, "notes-3");
    const command = `sh -c 'echo $$ >> "$NOTES"; exec sleep 600 > /dev/null 2>&1' | cat`;
    const run = await start(["install", "alpha", "--json", "--on-ready", command], { NOTES: notes }).ended;
    expect(run.exitCode).toBe(0);
    expect(resultOf(run)["installed"]).toMatchObject([
      { hooks: [{ ok: false, detail: "it was ended after 3s" }] },
    ]);
    const pid = Number(await text(notes));
    expect(pid).toBeGreaterThan(0);
    await until("what it started has ended", () => isGone(pid));
  });

  test("ends with the run's interrupt", async () => {
    const notes = join(stage.home, "notes-4");
    const command = 'echo begun >> "$NOTES"; sleep 60; echo done >> "$NOTES"';
    const child = start(["install", "alpha", "--on-ready", command], { NOTES: notes });
    await until("it runs", async () => (await text(notes)) === "begun\n");
    child.kill("SIGINT");
    expect((await child.ended).exitCode).toBe(130);
    // Whoever waited for the command's end would have it done.
    expect([await text(notes), await finalsBelow(stage.models)]).toEqual(["begun\n", ["alpha.gguf"]]);
  });

  test("is not made of a model's name: nothing in it reaches the shell", async () => {
    const notes = join(stage.home, "notes-5");
    const url = `${stage.hub.url}/org/alpha/resolve/main/alpha.gguf`;
    const config = `[hooks]\nready = '${NOTE}'\n`;
    await writeFile(join(stage.home, "config.toml"), config);
    const run = await start(["install", `${url}?x=$(touch%20${stage.home}/owned)`], { NOTES: notes }).ended;
    expect(run.exitCode).toBe(0);
    expect(await text(notes)).toContain("alpha");
    expect(await text(join(stage.home, "owned"))).toBe("");
  });
});

test("an application begins with a stand-in and switches to the model when it is ready", async () => {
  const active = join(stage.home, "active-model");
  await writeFile(active, "stand-in");
  hold(stage.hub);
  const installing = start(["install", "alpha", "--on-ready", 'printf %s "$LUCI_PATH" > "$ACTIVE"'], {
    ACTIVE: active,
  });
  expect(await text(active)).toBe("stand-in");
  stage.hub.behave({ rateBytesPerSec: null });
  await until("it has switched", async () => (await text(active)) === model());
  // At that moment the model is whole: nobody has to look again.
  expect((await luci("wait", "alpha", "--timeout", "30s")).exitCode).toBe(0);
  expect((await installing.ended).exitCode).toBe(0);
});

describe("serve", () => {
  test("posts to the webhook, again until it is taken, runs the command, and wait follows it", async () => {
    const posts: { body: unknown; type: string | null; auth: string | null }[] = [];
    const listener = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { headers } = request;
        posts.push({
          body: await request.json(),
          type: headers.get("content-type"),
          auth: headers.get("authorization"),
        });
        return new Response(null, { status: posts.length === 1 ? 503 : 204 });
      },
    });
    const notes = join(stage.home, "notes-6");
    const args = ["--webhook", `http://127.0.0.1:${listener.port}/secret?key=k`, "--on-ready", NOTE];
    const serve = await startServe(stage, { env: { ...env, NOTES: notes, HF_TOKEN: "" }, args });
    running.push(serve.child);
    try {
      const waiting = start(["wait", "alpha"]);
      await serve.ask("POST", "/v1/downloads", { body: { ref: "alpha" } });
      expect((await waiting.ended).stdout).toBe(`${model()}\n`);
      await until("it was taken", () => posts.length === 2);
      expect(posts[0]).toEqual(posts[1]);
      expect(posts[1]).toEqual({
        body: { type: "model.ready", model: "alpha", ref: "alpha", path: model(), atMs: expect.any(Number) },
        type: "application/json",
        auth: null,
      });
      await until("the command ran", async () => (await text(notes)) === `alpha|${model()}|alpha|\n`);
      const { stdout, stderr } = serve.child.output();
      expect(`${stdout}${stderr}`).not.toContain("secret");
    } finally {
      serve.child.kill("SIGTERM");
      expect((await serve.child.ended).exitCode).toBe(0);
      await listener.stop(true);
    }
  });

  test("does not follow a webhook's redirect, says that it failed, and has the model all the same", async () => {
    const seen: string[] = [];
    const listener = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        seen.push(new URL(request.url).pathname);
        return new Response(null, { status: 307, headers: { Location: "/inside" } });
      },
    });
    const args = ["--webhook", `http://127.0.0.1:${listener.port}/hook`];
    const serve = await startServe(stage, { env, args });
    running.push(serve.child);
    try {
      const { data } = await serve.ask("POST", "/v1/downloads", { body: { ref: "beta" } });
      await until("it is done", async () => (await serve.job(data.id)).state === "done");
      await until("it is said", () => serve.child.output().stdout.includes("the webhook failed"));
      expect(seen).toEqual(["/hook"]);
      expect((await luci("wait", "beta", "--timeout", "30s")).exitCode).toBe(0);
    } finally {
      serve.child.kill("SIGTERM");
      await serve.child.ended;
      await listener.stop(true);
    }
  });
});
