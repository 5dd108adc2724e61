// Who gets no answer from `luci serve`, and what it survives: strangers' web pages, storms of connections, bodies and
// requests without end, readers that do not read. A download goes on all the while.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { listenHttp } from "../../src/platform/http-server.ts";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile } from "../support/model-repos.ts";
import { prng } from "../support/prng.ts";
import { type Serve, startServe } from "../support/serve.ts";
import { openStage, type Stage, writeCatalog } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 48 * MIB;
/** More than this of growth is no noise of the collector's. */
const GROWTH_BYTES = 128 * MIB;

let stage: Stage;
let serve: Serve;
let port: number;
let jobId: string;
let startBytes: number;

beforeAll(async () => {
  stage = await openStage({ repos: [{ name: "org/alpha", files: [await ggufFile("alpha.gguf", SIZE, 1)] }] });
  const env = await writeCatalog(stage, [{ name: "alpha", repo: "org/alpha", files: ["alpha.gguf"] }]);
  serve = await startServe(stage, { env, args: ["--limit-rate", "1M"] });
  port = Number(new URL(serve.url).port);
  jobId = (await serve.ask("POST", "/v1/downloads", { body: { ref: "alpha" } })).data.id as string;
  await until("bytes arrive", async () => (await serve.job(jobId)).doneBytes > MIB);
  // For longer than all of these tests take, on any machine.
  await serve.ask("PATCH", "/v1/settings", { body: { limitRate: "100k" } });
  startBytes = await serve.residentBytes();
});
afterAll(async () => {
  serve.child.kill("SIGKILL");
  await serve.child.ended;
  await stage[Symbol.asyncDispose]();
});

const bearer = (): Record<string, string> => ({ Authorization: `Bearer ${serve.token}` });

describe("a request", () => {
  test.each([
    [403, "GET", { Host: "evil.example" }],
    [403, "GET", { Host: "127.0.0.1.evil.example" }],
    [403, "GET", { Host: "evil@localhost" }],
    [403, "GET", { Origin: "http://evil.example" }],
    [403, "GET", { Origin: "null" }],
    [403, "GET", { Origin: "http://127.0.0.1:1" }],
    [403, "GET", { "Sec-Fetch-Site": "cross-site" }],
    [403, "GET", { "Sec-Fetch-Site": "same-site" }],
    [401, "POST", {}],
    [401, "POST", { Authorization: "Bearer x" }],
    [401, "POST", { Authorization: "Basic x" }],
    [401, "GET", { Authorization: "Bearer x" }],
    [200, "GET", {}],
    [200, "GET", { Host: "localhost" }],
    [200, "GET", { Host: "[::1]:80" }],
    [200, "GET", { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" }],
  ])("is answered %d: %s with %p", async (status, method, headers) => {
    const path = method === "GET" ? "/v1/downloads" : `/v1/downloads/${jobId}/pause`;
    const reply = await serve.ask(method, path, { headers });
    expect(reply.status).toBe(status);
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    expect(reply.headers.get("access-control-allow-origin")).toBeNull();
    if (status === 401) expect(reply.headers.get("www-authenticate")).toStartWith("Bearer");
  });

  test("with the token and a stranger's origin or host is refused all the same", async () => {
    for (const headers of [{ Origin: "https://evil.example" }, { Host: "evil.example" }]) {
      const path = `/v1/downloads/${jobId}`;
      const reply = await serve.ask("DELETE", path, { headers: { ...bearer(), ...headers } });
      expect(reply.status).toBe(403);
    }
    // Between two requests nothing runs.
    await until("it runs", async () => (await serve.job(jobId)).state === "running");
  });

  test("of its own page is answered", async () => {
    const headers = { ...bearer(), Origin: serve.url, "Sec-Fetch-Site": "same-origin" };
    expect((await serve.ask("GET", "/v1/health", { headers })).status).toBe(200);
  });
});

describe("a WebSocket", () => {
  test.each([
    [{ Origin: "http://evil.example" }, [], false],
    [{ Host: "evil.example" }, [], false],
    [{}, ["luci.v1", "luci.bearer.wrong"], false],
    [{}, [], true],
  ] as const)("with %p and %p opens: %p", async (headers, protocols, opens) => {
    const socket = new WebSocket(`${serve.url.replace("http", "ws")}/v1/events`, {
      headers,
      protocols: [...protocols],
    });
    const outcome = await new Promise<boolean>((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onerror = () => resolve(false);
    });
    socket.close();
    expect(outcome).toBe(opens);
  });

  test("with the token tells of every job, then of what changes, as often as it was asked to", async () => {
    const socket = new WebSocket(`${serve.url.replace("http", "ws")}/v1/events?every=100`, [
      "luci.v1",
      `luci.bearer.${serve.token}`,
    ]);
    const records: { id: number | null; event: string; data: Record<string, unknown> }[] = [];
    socket.onmessage = ({ data }) => void records.push(JSON.parse(String(data)));
    await until(
      "it is told of progress",
      () => records.filter(({ event }) => event === "download").length > 5,
    );
    expect(socket.protocol).toBe("luci.v1");
    expect(records.find(({ event }) => event === "download")?.data["id"]).toBe(jobId);
    socket.close();
  });
});

test("a stream goes on where it was left, and says what cannot be told any more", async () => {
  const { seq } = (await serve.ask("GET", "/v1/downloads")).data as { seq: number };
  await serve.ask("PATCH", `/v1/downloads/${jobId}`, { body: { priority: 3 } });
  const since = await readEvents(`/v1/events?since=${seq}`, (text) => text.includes("download.changed"));
  expect(since).toMatch(/^retry: \d+\n\nid: \d+\nevent: /);
  expect(since).not.toContain("event: gap");
  for (const known of [1, 9e14])
    expect(
      await readEvents(`/v1/events?since=${known}`, (text) => text.includes("event: download\n")),
    ).toContain("event: gap");
});

async function readEvents(path: string, isEnough: (text: string) => boolean): Promise<string> {
  const gone = new AbortController();
  const response = await fetch(`${serve.url}${path}`, { signal: gone.signal });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (isEnough(text)) break;
  }
  gone.abort();
  return text;
}

test("nonsense is the asker's fault, never an accident", async () => {
  const { pick, integer, next, seed } = prng(2_026);
  console.log(`seed ${seed}`);
  const words = [
    "v1",
    "downloads",
    jobId,
    "batch",
    "pause",
    "models",
    "alpha",
    "verify",
    "settings",
    "events",
    "%",
    "%00",
    "..",
    "",
    "catalog",
    "a".repeat(3_000),
    "%2e%2e%2f",
    "☃",
    "openapi.json",
  ];
  const values: unknown[] = [
    null,
    1,
    -1,
    1e99,
    "",
    "x",
    "☃",
    "\0",
    [],
    {},
    [[]],
    { ref: [] },
    true,
    "hf:",
    "hf:../..",
    "tier 99",
    "https://[",
    "http://127.0.0.1/x",
    "core models",
    "-",
    "--json",
    "a".repeat(3_000),
  ];
  const fields = [
    "ref",
    "refs",
    "priority",
    "limitRate",
    "partials",
    "sha256",
    "allowUnsafe",
    "paused",
    "repair",
    "dryRun",
    "olderThan",
    "__proto__",
    "x",
  ];
  for (let round = 0; round < 400; round += 1) {
    const path = `/${Array.from({ length: integer(1, 5) }, () => pick(words)).join("/")}`;
    const query = next() < 0.2 ? `?${pick(fields)}=${encodeURIComponent(pick(words))}` : "";
    // A good request in the middle of the nonsense may do what it says, so those that end the job are left out.
    const method = pick([
      "GET",
      "POST",
      "PATCH",
      "PUT",
      "OPTIONS",
      ...(path.includes(jobId) ? [] : ["DELETE"]),
    ]);
    if (method === "GET" && path === "/v1/events") continue;
    const record = Object.fromEntries(Array.from({ length: 3 }, () => [pick(fields), pick(values)]));
    const text = pick([JSON.stringify(record), JSON.stringify(pick(values)), '{"ref":', "\u0000", "{}"]);
    const options = method === "GET" ? {} : { body: text };
    const { status, data } = await serve.ask(method, `${path}${query}`, options);
    if (status >= 500 && status !== 502)
      throw new Error(`${method} ${path}${query} ${text}: ${JSON.stringify(data)}`);
  }
  await serve.ask("POST", `/v1/downloads/${jobId}/resume`);
});

/** The problem that a raw answer tells. */
function problemIn(answer: string): unknown {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  expect(head).toMatch(/content-type: application\/problem\+json/i);
  return JSON.parse(body);
}

describe("what is too much", () => {
  test("bodies of 100 MB are refused, announced or not", async () => {
    for (const headers of [bearer(), {}]) {
      const announced = await rawRequest(
        `POST /v1/downloads HTTP/1.1\r\nHost: localhost\r\n${headersText(headers)}Content-Length: 100000000\r\n\r\n`,
      );
      expect(problemIn(announced)).toMatchObject({ status: 413, code: "E_USAGE", hint: "Send less" });
    }
    // Who sends all of it before reading has an answer, too.
    const sent = await serve.ask("POST", "/v1/downloads", { body: "x".repeat(100_000_000) });
    expect([sent.status, sent.data.code]).toEqual([413, "E_USAGE"]);
    const endless = await rawRequest(
      `POST /v1/downloads HTTP/1.1\r\nHost: localhost\r\n${headersText(bearer())}Transfer-Encoding: chunked\r\n\r\n`,
      { chunk: `10000\r\n${"x".repeat(65_536)}\r\n`, times: 1_600 },
    );
    expect(problemIn(endless)).toMatchObject({ status: 413, code: "E_USAGE", hint: "Send less" });
    await expectUnharmed();
  });

  test("10,000 connections come and go", async () => {
    let open = 0;
    for (let count = 0; count < 10_000; count += 1) {
      open += 1;
      const socket = connect(port, "127.0.0.1", () => {
        if (count % 3 > 0)
          socket.write("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n" + (count % 3 > 1 ? "\r\n" : ""));
        setTimeout(() => socket.resetAndDestroy(), 5);
      });
      socket.on("error", () => undefined).on("close", () => (open -= 1));
      if (open >= 200) await until("some have gone", () => open < 100);
    }
    await until("all have gone", () => open === 0);
    await expectUnharmed();
    // Streams of clients that have gone are not counted as open.
    expect(await readEvents("/v1/events", (text) => text.includes("event: download\n"))).toContain("retry");
  });

  test("readers that do not read, and requests that never end; those that wait in silence are kept", async () => {
    await using quiet = await openQuiet();
    const sockets: Socket[] = [];
    const beginnings = [
      "GET / HTTP/1.1\r\nX: ",
      `POST /v1/downloads HTTP/1.1\r\nHost: localhost\r\n${headersText(bearer())}Content-Length: 60000\r\n\r\n`,
    ];
    let closed = 0;
    for (let count = 0; count < 200; count += 1) {
      const socket = connect(port, "127.0.0.1", () => socket.write(beginnings[count % 2]!));
      const trickle = setInterval(() => socket.write("x"), 500);
      socket.on("error", () => undefined).on("close", () => (clearInterval(trickle), (closed += 1)));
      sockets.push(socket);
    }
    const readers = Array.from({ length: 50 }, (_, at) => {
      const path = at % 2 ? "/v1/events?every=100&since=1" : "/v1/events?every=100";
      const upgrade =
        at % 4 > 2
          ? ""
          : "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
      const socket = connect(port, "127.0.0.1", () =>
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`),
      );
      return socket.on("error", () => undefined).pause();
    });
    // Much to tell: 10 kB of it each time, to everybody.
    const ref = `https://models.example/${"x".repeat(1_900)}.gguf`;
    const { id } = (await serve.ask("POST", "/v1/downloads", { body: { ref, paused: true } })).data;
    for (let round = 0; round < 3_000; round += 1)
      await serve.ask("PATCH", `/v1/downloads/${id}`, { body: { priority: round % 50 } });
    await serve.ask("DELETE", `/v1/downloads/${id}`);
    await expectUnharmed();
    await until("those who dawdle are put out", () => closed === sockets.length);
    expect(await quiet.answers()).toEqual({ stream: "open", slowAnswer: 200, forgottenAnswer: "cut" });
    for (const socket of readers) socket.destroy();
    await expectUnharmed();
  }, 600_000);
});

test("the download comes to its end, and nobody else has changed anything", async () => {
  await serve.ask("PATCH", "/v1/settings", { body: { limitRate: "off" } });
  await until("it is done", async () => (await serve.job(jobId)).state === "done");
  await checkInvariants(stage.models, stage.hub);
});

/** A daemon where nothing happens with a stream of events, and answers that take longer than a request may. */
async function openQuiet() {
  const calm = await openStage({ repos: [] });
  const idle = await startServe(calm);
  const stream = { state: "open", text: "" };
  const response = await fetch(`${idle.url}/v1/events`);
  void (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) stream.text += chunk;
    stream.state = "closed";
  })().catch(() => (stream.state = "cut"));
  const slow = await listenHttp({
    at: { host: "127.0.0.1", port: 0 },
    handle: async (request, connection) => {
      if (request.url.endsWith("/quick")) {
        connection.keepOpen();
        return new Response();
      }
      if (request.url.endsWith("/kept")) connection.keepOpen();
      await Bun.sleep(20_000);
      return new Response();
    },
  });
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${slow.port}${path}`).then(
      ({ status }) => status,
      () => "cut",
    );
  const answers = [ask("/kept"), ask("/forgotten")] as const;
  let isPutOut = false;
  const idler = connect(slow.port ?? 0, "127.0.0.1", () =>
    idler.write("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  );
  idler.on("close", () => (isPutOut = true)).resume();
  return {
    answers: async () => {
      const [slowAnswer, forgottenAnswer] = await Promise.all(answers);
      expect(stream.text).toContain(": still here");
      await until("who has the answer and stays is put out", () => isPutOut);
      return { stream: stream.state, slowAnswer, forgottenAnswer };
    },
    [Symbol.asyncDispose]: async () => {
      idle.child.kill("SIGKILL");
      await idle.child.ended;
      idler.destroy();
      await slow.close();
      await calm[Symbol.asyncDispose]();
    },
  };
}

async function expectUnharmed(): Promise<void> {
  const { doneBytes } = await serve.job(jobId);
  await until("the download goes on", async () => (await serve.job(jobId)).doneBytes > doneBytes);
  expect((await serve.residentBytes()) - startBytes).toBeLessThan(GROWTH_BYTES);
}

function headersText(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}

/** Sends bytes as they are and answers what comes. */
function rawRequest(head: string, body?: { chunk: string; times: number }): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    let left = body?.times ?? 0;
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(head);
      push();
    });
    const push = (): void => {
      while (left > 0 && !socket.destroyed) {
        left -= 1;
        if (!socket.write(body!.chunk)) return void socket.once("drain", push);
      }
    };
    socket.on("data", (data) => {
      answer += data.toString();
      const [head, text] = answer.split("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(head ?? "")?.[1] ?? 0);
      if (text !== undefined && text.length >= length) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}
