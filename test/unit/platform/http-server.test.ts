import { expect, test } from "bun:test";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type SocketHooks, listenHttp } from "../../../src/platform/http-server.ts";
import { askLocal } from "../../../src/platform/http-local.ts";
import { tempHome } from "../../support/temp-home.ts";

const { signal } = new AbortController();
const echo = async (request: Request): Promise<Response> =>
  Response.json({ method: request.method, path: new URL(request.url).pathname, text: await request.text() });

test("a local socket is the user's alone, however long its path, and goes with its server", async () => {
  await using home = await tempHome();
  const folder = join(home.path, "x".repeat(200), "y".repeat(200));
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const socketPath = join(folder, "1.sock");
  const server = await listenHttp({ at: { socketPath }, handle: echo });
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  expect(await askLocal(socketPath, { method: "PATCH", path: "/v1/x", body: { a: 1 }, signal })).toEqual({
    status: 200,
    data: { method: "PATCH", path: "/v1/x", text: '{"a":1}' },
  });
  await server.close();
  expect(await readdir(folder)).toEqual([]);
  expect(await askLocal(socketPath, { method: "GET", path: "/", signal })).toBeNull();
});

test.each<[string, () => void | Promise<void>]>([
  // Both are this process: for both of them the machine stands still.
  [
    "time in which whoever asks did not run is not held against the one that is asked",
    () => Bun.sleepSync(5_500),
  ],
  ["one that is busy for a while is waited for", () => Bun.sleep(3_000)],
])("%s", async (_name, delay) => {
  await using home = await tempHome();
  const socketPath = join(home.path, "1.sock");
  const handle = async (request: Request): Promise<Response> => {
    await delay();
    return await echo(request);
  };
  const server = await listenHttp({ at: { socketPath }, handle });
  expect(await askLocal(socketPath, { method: "GET", path: "/", signal })).toMatchObject({ status: 200 });
  await server.close();
});

test("one that is silent is not waited for", async () => {
  await using home = await tempHome();
  const socketPath = join(home.path, "1.sock");
  const silence = Promise.withResolvers<Response>();
  const server = await listenHttp({ at: { socketPath }, handle: () => silence.promise });
  const question = askLocal(socketPath, { method: "GET", path: "/", signal });
  expect(await question.catch((error: unknown) => error)).toMatchObject({
    code: "E_NETWORK",
    message: "A running luci does not answer",
  });
  silence.resolve(new Response());
  await server.close();
});

test("a proxy of the surroundings is not asked", async () => {
  await using home = await tempHome();
  const socketPath = join(home.path, "1.sock");
  const server = await listenHttp({ at: { socketPath }, handle: echo });
  const before = process.env["HTTP_PROXY"];
  process.env["HTTP_PROXY"] = "http://127.0.0.1:1";
  try {
    expect(await askLocal(socketPath, { method: "GET", path: "/", signal })).toMatchObject({ status: 200 });
  } finally {
    if (before === undefined) delete process.env["HTTP_PROXY"];
    else process.env["HTTP_PROXY"] = before;
    await server.close();
  }
});

test("a port on this machine is chosen, and how large a body may be is the handler's to say", async () => {
  const server = await listenHttp({ at: { host: "127.0.0.1", port: 0 }, handle: echo });
  const url = `http://127.0.0.1:${server.port}/`;
  expect((await fetch(url, { method: "POST", body: "x".repeat(100) })).status).toBe(200);
  expect((await fetch(url, { method: "POST", body: "x".repeat(2 * 1024 * 1024) })).status).toBe(200);
  await server.close();
  // Where nobody answers, or somebody else by now: the port is free for anybody.
  const body = "still there";
  const answer = await fetch(url, { method: "POST", body }).then((late) => late.text(), String);
  expect(answer).not.toContain(body);
});

test("a connection becomes a WebSocket where the handler wants it", async () => {
  const log: string[] = [];
  const hooks: SocketHooks = {
    open: (socket) => void socket.send("hello"),
    message: (text) => void log.push(text),
    drain: () => undefined,
    close: () => void log.push("closed"),
  };
  const server = await listenHttp({
    at: { host: "127.0.0.1", port: 0 },
    handle: async (_request, connection) => {
      return connection.upgrade(hooks) ? null : new Response("no", { status: 400 });
    },
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`);
  const said = Promise.withResolvers<string>();
  socket.onmessage = ({ data }) => said.resolve(String(data));
  expect(await said.promise).toBe("hello");
  socket.send("back");
  while (!log.includes("back")) await Bun.sleep(1);
  socket.close();
  while (!log.includes("closed")) await Bun.sleep(1);
  expect(log).toEqual(["back", "closed"]);
  await server.close();
});

test("what a handler throws becomes a problem of its own, without its stack", async () => {
  const server = await listenHttp({
    at: { host: "127.0.0.1", port: 0 },
    handle: () => Promise.reject(new Error("secret")),
  });
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  expect([response.status, response.headers.get("content-type")]).toEqual([500, "application/problem+json"]);
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ status: 500, code: "E_INTERNAL", hint: expect.any(String) });
  expect(text).not.toContain("secret");
  await server.close();
});

test("a port is one server's alone", async () => {
  const server = await listenHttp({ at: { host: "127.0.0.1", port: 0 }, handle: echo });
  const at = { host: "127.0.0.1", port: server.port ?? 0 };
  expect(await listenHttp({ at, handle: echo }).catch((error: { code?: string }) => error.code)).toBe(
    "EADDRINUSE",
  );
  await server.close();
});
