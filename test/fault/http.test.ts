// platform/http against servers that misbehave, written on raw sockets so that they can.

import { afterEach, describe, expect, test } from "bun:test";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { LuciError } from "../../src/domain/errors.ts";
import type { HttpOptions } from "../../src/platform/http.ts";
import { createHttp } from "../../src/platform/http.ts";
import { until } from "../support/until.ts";

interface Asked {
  readonly path: string;
  readonly headers: Headers;
}

const servers: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(() => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

/** A server that hands each request to `answer` and keeps what was asked. */
async function serve(answer: (asked: Asked, socket: Socket, count: number) => void) {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      const [first = "", ...lines] = data.toString("latin1").split("\r\n");
      const pairs = lines
        .filter((line) => line.includes(": "))
        .map((line) => line.split(/: (.*)/).slice(0, 2));
      const request = { path: first.split(" ")[1] ?? "", headers: new Headers(pairs) };
      asked.push(request);
      answer(request, socket, asked.length);
    });
  });
  servers.push({ server, sockets });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", () => listening.resolve());
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  return { asked, url: `http://127.0.0.1:${port}`, other: `http://localhost:${port}` };
}

function reply(status: string, headers: Record<string, string | number>, body: string | Uint8Array = "") {
  const lines = Object.entries({ "content-length": body.length, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`), Buffer.from(body)]);
}

function http(options: Partial<HttpOptions> = {}) {
  return createHttp({ userAgent: "luci-test", stallMs: 60_000, retries: 0, environment: {}, ...options });
}

const signal = new AbortController().signal;

async function failure(pending: Promise<unknown>): Promise<LuciError> {
  const thrown: unknown = await pending.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(LuciError);
  return thrown as LuciError;
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("open", () => {
  test("asks for a range, unencoded, and tells what came", async () => {
    const server = await serve((_, socket) =>
      socket.write(reply("206 Partial Content", { "content-range": "bytes 2-4/10" }, "cde")),
    );
    const range = { startBytes: 2, endBytes: 5 };
    const answer = await http().open(`${server.url}/f`, {
      signal,
      range,
      headers: { "x-mine": "1" },
    });
    expect(answer.status).toBe(206);
    expect(answer.contentRange).toEqual({ startBytes: 2, endBytes: 5, totalBytes: 10 });
    expect(answer.contentLengthBytes).toBe(3);
    expect(await readAll(answer.body())).toBe("cde");
    const { headers } = server.asked[0]!;
    expect(headers.get("range")).toBe("bytes=2-4");
    expect(headers.get("accept-encoding")).toBe("identity");
    expect(headers.get("user-agent")).toBe("luci-test");
    expect(headers.get("x-mine")).toBe("1");
  });

  test("refuses a compressed answer", async () => {
    const server = await serve((_, socket) =>
      socket.write(reply("206 Partial Content", { "content-encoding": "gzip" }, gzipSync("abc"))),
    );
    expect((await failure(http().open(server.url, { signal }))).code).toBe("E_MALFORMED");
  });

  test("leaves statuses to the caller, a compressed error page too", async () => {
    const server = await serve((_, socket) =>
      socket.write(reply("404 Not Found", { "content-encoding": "gzip" }, gzipSync("no"))),
    );
    const answer = await http().open(server.url, { signal });
    expect(answer.status).toBe(404);
    await answer.discard();
    await answer.discard();
  });

  test("a body that ends early is a network error, after its bytes", async () => {
    let hangUp = (): void => undefined;
    const server = await serve((_, socket) => {
      hangUp = () => socket.end();
      socket.write(reply("200 OK", { "content-length": 50 }, "abc"));
    });
    const answer = await http().open(server.url, { signal });
    let received = "";
    const reading = (async () => {
      for await (const chunk of answer.body()) {
        received += Buffer.from(chunk).toString();
        hangUp();
      }
    })();
    const error = await failure(reading);
    expect(error.code).toBe("E_NETWORK");
    expect(error.message).not.toContain("verbose");
    expect(received).toBe("abc");
  });

  test("a refused connection and a broken answer have our words", async () => {
    const server = await serve((_, socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n"));
    expect((await failure(http().open(`${server.url}/?sig=secret`, { signal }))).code).toBe("E_SERVER");
    const refused = await failure(http().open("http://127.0.0.1:1/?sig=secret", { signal }));
    expect(refused.code).toBe("E_NETWORK");
    expect(refused.message).toBe("127.0.0.1:1 refused the connection");
  });
});

describe("answers that announce an answer for ever", () => {
  const HINT = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
  const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
  const rows: [string, string, number][] = [
    ["103, as fast as they go", HINT.repeat(500), 0],
    ["100, as fast as they go", CONTINUE.repeat(1_000), 0],
    ["103, one at a time", HINT, 20],
  ];
  // The runtime swallows them unseen: only the clock tells, and no number of them may stop it.
  test.each(rows)("%s, count as silence, and the connection is closed", async (_, text, pauseMs) => {
    const closed = Promise.withResolvers<void>();
    const server = await serve((_asked, socket) => {
      const send = (): void => {
        if (!socket.destroyed) socket.write(text, () => setTimeout(send, pauseMs));
      };
      socket.once("close", () => closed.resolve());
      send();
    });
    const error = await failure(http({ stallMs: 400 }).open(server.url, { signal }));
    expect(error.code).toBe("E_STALLED");
    await closed.promise;
    expect(server.asked).toHaveLength(1);
  });
});

describe("redirects", () => {
  test("a loop ends after ten steps", async () => {
    const server = await serve((_, socket) =>
      socket.write(reply("302 Found", { location: "/again?sig=secret" })),
    );
    const error = await failure(http({ retries: 3 }).json(`${server.url}/start`, { signal }));
    expect(error.code).toBe("E_SERVER");
    expect(error.message).not.toContain("secret");
    expect(server.asked).toHaveLength(11);
  });

  test("ten steps are followed, hop by hop", async () => {
    const server = await serve((_, socket, count) =>
      socket.write(count <= 10 ? reply("307 X", { location: `/${count}` }) : reply("200 OK", {}, "end")),
    );
    const answer = await http().open(`${server.url}/0`, { signal });
    expect(await readAll(answer.body())).toBe("end");
    expect(answer.hops.map((hop) => hop.status)).toEqual([...Array<number>(10).fill(307), 200]);
    expect(answer.url).toBe(`${server.url}/10`);
  });

  test("the caller's headers stay with the first origin, even when it comes back", async () => {
    const far = await serve((_, socket) =>
      socket.write(reply("302 Found", { location: `${near.url}/back` })),
    );
    const near = await serve((request, socket) => {
      const location = request.path === "/start" ? "/same" : far.url;
      socket.write(request.path === "/back" ? reply("200 OK", {}, "{}") : reply("302 Found", { location }));
    });
    const range = { startBytes: 0, endBytes: 2 };
    const answer = await http().open(`${near.url}/start`, {
      signal,
      range,
      headers: { authorization: "Bearer t" },
    });
    await answer.discard();
    expect(near.asked.map((request) => request.headers.get("authorization"))).toEqual([
      "Bearer t",
      "Bearer t",
      null,
    ]);
    expect(far.asked.map((request) => request.headers.get("authorization"))).toEqual([null]);
    expect(far.asked[0]!.headers.get("range")).toBe("bytes=0-1");
  });

  test("another port and another name for the same machine are other origins", async () => {
    const server = await serve((request, socket) =>
      socket.write(
        request.path === "/a" ? reply("302 F", { location: `${server.other}/b` }) : reply("200 OK", {}, "{}"),
      ),
    );
    await http().json(`${server.url}/a`, { signal, headers: { authorization: "Bearer t" } });
    expect(server.asked.map((request) => request.headers.get("authorization"))).toEqual(["Bearer t", null]);
  });

  test.each([
    "file:///etc/passwd",
    "data:text/plain,hi",
    "ftp://127.0.0.1/x",
    "http://192.0.2.1/x",
    "//[bad",
  ])("to %s is refused", async (location) => {
    const server = await serve((_, socket) => socket.write(reply("302 Found", { location })));
    const error = await failure(http().open(server.url, { signal }));
    expect(error.code).toBe("E_UNSAFE_URL");
    expect(server.asked).toHaveLength(1);
  });
});

describe("waiting", () => {
  /** What a server that answers never takes, whoever of this process has no turn meanwhile. */
  const stallMs = 1_500;
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc";

  test("silence instead of headers is a stall", async () => {
    const server = await serve(() => undefined);
    const error = await failure(http({ stallMs: 200 }).open(server.url, { signal }));
    expect(error.code).toBe("E_STALLED");
    expect(error.message).toContain("No data");
  });

  test("silence within a body is a stall, for bodies and for JSON", async () => {
    const server = await serve((_, socket) => socket.write(head));
    const answer = await http({ stallMs }).open(server.url, { signal });
    expect((await failure(readAll(answer.body()))).code).toBe("E_STALLED");
    expect((await failure(http({ stallMs }).json(server.url, { signal }))).code).toBe("E_STALLED");
  });

  test("a drip far below any real line is a stall", async () => {
    const server = await serve((_, socket) => {
      socket.write(head);
      const drip = setInterval(() => (socket.destroyed ? clearInterval(drip) : socket.write("x")), 40);
    });
    const answer = await http({ stallMs }).open(server.url, { signal });
    const error = await failure(readAll(answer.body()));
    expect(error.code).toBe("E_STALLED");
    expect(error.message).toContain("Hardly any data");
  });

  test("a reader that takes its time is no stall", async () => {
    const body = "x".repeat(2_000_000);
    const server = await serve((_, socket) => socket.write(reply("200 OK", {}, body)));
    const answer = await http({ stallMs }).open(server.url, { signal });
    let receivedBytes = 0;
    for await (const chunk of answer.body()) {
      if (receivedBytes === 0) await Bun.sleep(2 * stallMs);
      receivedBytes += chunk.length;
    }
    expect(receivedBytes).toBe(body.length);
  });

  test("an interrupt ends every wait at once with its own reason", async () => {
    const busy = reply("503 Service Unavailable", { "retry-after": 240 });
    const server = await serve(({ path }, socket) => {
      if (path === "/body") socket.write(head);
      if (path === "/busy") socket.write(busy);
    });
    const reason = new Error("whatever the caller gave");
    const interrupt = async (isWaiting: () => boolean, run: (signal: AbortSignal) => Promise<unknown>) => {
      const controller = new AbortController();
      const pending = run(controller.signal).catch((thrown: unknown) => thrown);
      await until("it waits", isWaiting);
      controller.abort(reason);
      expect(await pending).toBe(reason);
    };
    const isAsked = (path: string, times: number) => () =>
      server.asked.filter((one) => one.path === path).length === times;
    // Left alone, each of them would wait for minutes, or end with another reason.
    const patient = http({ stallMs: 600_000 });
    await interrupt(isAsked("/silent", 1), (signal) => patient.open(`${server.url}/silent`, { signal }));
    let received = "";
    const read = async (signal: AbortSignal): Promise<void> => {
      const answer = await patient.open(`${server.url}/body`, { signal });
      for await (const chunk of answer.body()) received += Buffer.from(chunk).toString();
    };
    await interrupt(() => received === "abc", read);
    await interrupt(isAsked("/body", 2), (signal) => patient.json(`${server.url}/body`, { signal }));
    let retries = 0;
    const retrying = http({ retries: 1, onRetry: () => void (retries += 1) });
    await interrupt(
      () => retries === 1,
      (signal) => retrying.json(`${server.url}/busy`, { signal }),
    );
    expect(server.asked.filter(({ path }) => path === "/busy")).toHaveLength(1);
  });
});
