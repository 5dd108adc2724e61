// The hostile server must say what it is told, to the byte, and count what it said.

import { expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import {
  type Answer,
  FIN,
  type HostileOptions,
  type HostileServer,
  RESET,
  STALL,
  hostileServer,
} from "../../support/hostile-server.ts";

async function open(answer: HostileOptions["answer"]): Promise<HostileServer> {
  return hostileServer({ answer });
}

/** Sends a request, and answers all that comes until the end, and how it ended. */
async function ask(url: string, path = "/"): Promise<{ text: string; error: string | null }> {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
  let text = "";
  let error: string | null = null;
  socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
  socket.on("error", (thrown: NodeJS.ErrnoException) => (error = thrown.code ?? "unknown"));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nRange: bytes=3-9\r\nX-Mine: yes\r\n\r\n`);
  // `once` would throw at an error.
  await new Promise((resolve) => void socket.on("close", resolve));
  return { text, error };
}

test("says any bytes, in their order", async () => {
  await using server = await open(() => [
    "HTTP/0.9 \xff\0",
    new Uint8Array([1, 2]),
    { pauseMs: 5 },
    "end",
    FIN,
  ]);
  expect(await ask(server.near)).toEqual({ text: "HTTP/0.9 \xff\0\x01\x02end", error: null });
  expect(server.sentBytes()).toBe(16);
});

test("logs the request as it came, and from which side", async () => {
  await using server = await open(() => [FIN]);
  await ask(server.far, "/a?b=c");
  expect(server.log).toHaveLength(1);
  expect(server.log[0]).toMatchObject({
    side: "far",
    method: "GET",
    target: "/a?b=c",
    range: { startBytes: 3, endBytes: 10 },
    sentBytes: 0,
  });
  expect(server.log[0]?.headers.get("x-mine")).toBe("yes");
});

test("resets a connection", async () => {
  await using server = await open(() => [RESET]);
  expect((await ask(server.near)).error).toBe("ECONNRESET");
});

test("an endless answer ends with its client, and so does silence", async () => {
  let given = 0;
  function* forever(): Answer & Generator<Uint8Array> {
    for (;;) {
      given += 1;
      yield new Uint8Array(64 * 1024);
    }
  }
  await using server = await open(({ target }) => (target === "/silent" ? ["x", STALL, "never"] : forever()));
  for (const path of ["/endless", "/silent"]) {
    const socket = connect({ port: Number(new URL(server.near).port), host: "127.0.0.1" });
    socket.write(`GET ${path} HTTP/1.1\r\n\r\n`);
    await once(socket, "data");
    socket.destroy();
    await once(socket, "close");
  }
  for (let before = -1; before !== given; await Bun.sleep(20)) before = given;
  expect(given).toBeGreaterThan(0);
});

test("goes down and comes up on the same port", async () => {
  await using server = await open(() => ["hello", FIN]);
  const { near } = server;
  await server.down("near");
  expect((await ask(near)).error).toBe("ECONNREFUSED");
  await server.up("near");
  expect((await ask(near)).text).toBe("hello");
});
