// What one server is told must not reach another: tokens, cookies, names and passwords in addresses. Every byte
// that the other server hears is searched.

import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { createHttp } from "../../src/platform/http.ts";

const SECRET = "hf_s3cretT0ken";
const signal = new AbortController().signal;
const open: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(() => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

interface Listener {
  readonly port: number;
  /** Every byte it was sent. */
  heard(): string;
  /** First lines of the requests. */
  asked(): string[];
}

/** A raw server that answers each path as told and remembers every byte. */
async function listen(answer: (path: string) => { to: string; cookie?: string } | string): Promise<Listener> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (data: Buffer) => {
      chunks.push(data);
      const said = answer(data.toString("latin1").split(" ")[1] ?? "");
      const head =
        typeof said === "string"
          ? `HTTP/1.1 200 OK\r\ncontent-length: ${said.length}\r\n`
          : `HTTP/1.1 302 Found\r\nlocation: ${said.to}\r\nset-cookie: ${said.cookie ?? "a=b"}\r\ncontent-length: 0\r\n`;
      socket.write(`${head}connection: close\r\n\r\n${typeof said === "string" ? said : ""}`);
      socket.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push({ server, sockets });
  const heard = (): string => Buffer.concat(chunks).toString("latin1");
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    asked: () => [...heard().matchAll(/^GET \S+/gm)].map(([line]) => line),
  };
}

const http = createHttp({ userAgent: "luci-test", stallMs: 60_000, retries: 0, environment: {} });
const headers = {
  authorization: `Bearer ${SECRET}`,
  cookie: `session=${SECRET}`,
  "x-api-key": SECRET,
};

/** Both ways of asking, to their ends. */
async function askBothWays(url: string): Promise<void> {
  await http.json(url, { signal, headers });
  const answer = await http.open(url, { signal, headers, range: { startBytes: 0, endBytes: 2 } });
  for await (const _ of answer.body());
}

describe("a redirect to another origin", () => {
  test.each([
    ["another port", (port: number) => `http://127.0.0.1:${port}/file`],
    ["another name", (port: number) => `http://localhost:${port}/file`],
    ["with a user name and password", (port: number) => `http://ada:${SECRET}@127.0.0.1:${port}/file`],
    ["without a scheme", (port: number) => `//ada:${SECRET}@127.0.0.1:${port}/file`],
    ["with a fragment", (port: number) => `http://127.0.0.1:${port}/file#${SECRET}`],
  ])("%s carries nothing that was meant for the first", async (_what, place) => {
    const other = await listen(() => "{}");
    const origin = await listen(() => ({ to: place(other.port), cookie: `session=${SECRET}` }));
    await askBothWays(`http://ada:${SECRET}@127.0.0.1:${origin.port}/start?token=${SECRET}`);
    expect(origin.heard()).toContain(`Bearer ${SECRET}`);
    expect(other.asked()).toEqual(["GET /file", "GET /file"]);
    const heard = other.heard();
    expect(heard).not.toContain(SECRET);
    expect(heard).not.toContain(btoa(`ada:${SECRET}`));
    expect(heard).not.toMatch(/^(?:authorization|cookie|referer|x-api-key|proxy-authorization):/im);
  });

  test("does not give them back on the way home", async () => {
    const ports = { origin: 0 };
    const other = await listen(() => ({ to: `http://127.0.0.1:${ports.origin}/end` }));
    const origin = await listen((path) =>
      path === "/end" ? "{}" : { to: `http://127.0.0.1:${other.port}/` },
    );
    ports.origin = origin.port;
    await askBothWays(`http://127.0.0.1:${origin.port}/start`);
    const atTheEnd = origin
      .heard()
      .split(/(?=^GET )/m)
      .filter((request) => request.startsWith("GET /end"));
    expect(atTheEnd).toHaveLength(2);
    expect(atTheEnd.join("")).not.toContain(SECRET);
  });
});

test("who does not answer is named, not who led there", async () => {
  const silent = createServer(() => undefined);
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  open.push({ server: silent, sockets: new Set() });
  const { port } = silent.address() as AddressInfo;
  const hurried = createHttp({ userAgent: "luci-test", stallMs: 3_000, retries: 0, environment: {} });
  for (const { place, words, asker } of [
    { place: `localhost:${port}`, words: `from localhost:${port}`, asker: hurried },
    { place: "localhost:1", words: "localhost:1 refused", asker: http },
  ]) {
    const origin = await listen(() => ({ to: `http://${place}/file` }));
    const from = `http://127.0.0.1:${origin.port}/start`;
    for (const ask of [asker.json, asker.open]) await expect(ask(from, { signal })).rejects.toThrow(words);
  }
});

test("a redirect within the origin keeps them, and a cookie it sets is not kept", async () => {
  const origin = await listen((path) => (path === "/end" ? "{}" : { to: "/end", cookie: "fresh=cookie" }));
  await askBothWays(`http://127.0.0.1:${origin.port}/start`);
  const requests = origin.heard().split(/(?=^GET )/m);
  expect(requests.every((request) => request.includes(`Bearer ${SECRET}`))).toBe(true);
  expect(origin.heard()).not.toContain("fresh=cookie");
});
