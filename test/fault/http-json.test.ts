// Metadata from servers that are busy, endless or hostile; and surroundings that would make it unsafe.

import { afterEach, describe, expect, test } from "bun:test";
import { LuciError } from "../../src/domain/errors.ts";
import type { HttpOptions } from "../../src/platform/http.ts";
import { createHttp } from "../../src/platform/http.ts";

const servers: Bun.Server<undefined>[] = [];
const signal = new AbortController().signal;

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

function serve(answer: (request: Request, count: number) => Response | Promise<Response>) {
  let count = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => answer(request, (count += 1)),
  });
  servers.push(server);
  return { url: `http://127.0.0.1:${server.port}`, asked: () => count };
}

function http(options: Partial<HttpOptions> = {}) {
  return createHttp({ userAgent: "luci-test", stallMs: 60_000, retries: 0, environment: {}, ...options });
}

async function failure(pending: Promise<unknown>): Promise<LuciError> {
  const thrown: unknown = await pending.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(LuciError);
  return thrown as LuciError;
}

describe("json", () => {
  test("returns data and headers", async () => {
    const server = serve(() => Response.json({ a: [1, '["{'] }, { headers: { link: "<x>" } }));
    const { data, headers, status } = await http().json(server.url, { signal });
    expect(data).toEqual({ a: [1, '["{'] });
    expect(headers.get("link")).toBe("<x>");
    expect(status).toBe(200);
  });

  test("tries again, waits as long as the server asks, and says so", async () => {
    const server = serve((_, count) =>
      count === 1 ? new Response("", { status: 429, headers: { "retry-after": "2" } }) : Response.json(1),
    );
    const waits: number[] = [];
    const started = performance.now();
    await http({
      retries: 1,
      onRetry: ({ waitMs, code }) => waits.push(code === "E_RATE_LIMITED" ? waitMs : 0),
    }).json(server.url, { signal });
    expect(waits).toEqual([2_000]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(1_990);
    expect(server.asked()).toBe(2);
  });

  test.each([401, 403, 404, 410, 451])("%i is final", async (status) => {
    const server = serve(() => new Response("no", { status }));
    await failure(http({ retries: 3 }).json(server.url, { signal }));
    expect(server.asked()).toBe(1);
  });

  test("gives up after the retries, with the last error", async () => {
    const server = serve(() => new Response("", { status: 503, headers: { "retry-after": "0" } }));
    const error = await failure(http({ retries: 1 }).json(`${server.url}/x?sig=secret`, { signal }));
    expect(error.code).toBe("E_SERVER");
    expect(error.message).not.toContain("secret");
    expect(server.asked()).toBe(2);
  });

  test("reads no more of an endless answer than it may be long", async () => {
    // Then silence: whoever reads on hears of no more than that.
    const spaces = new Uint8Array(2_000_000).fill(0x20);
    const server = serve(
      () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(spaces) })),
    );
    const error = await failure(http().json(server.url, { signal, maxBytes: 1_000_000 }));
    expect(error.code).toBe("E_MALFORMED");
  });

  test.each([
    ["not JSON", "hello"],
    ["empty", ""],
    ["cut off", '{"a":'],
    ["too deep", `${"[".repeat(200)}${"]".repeat(200)}`],
    ["too scattered", `[${"{},".repeat(600_000)}{}]`],
  ])("refuses what is %s", async (_, text) => {
    const server = serve(() => new Response(text));
    expect((await failure(http().json(server.url, { signal }))).code).toBe("E_MALFORMED");
  });

  test("does not count what stands in strings", async () => {
    const text = `"\\${"[".repeat(300)}`;
    const server = serve(() => Response.json([text, `\\`, text]));
    expect((await http().json(server.url, { signal })).data).toEqual([text, `\\`, text]);
  });

  test("refuses bytes that are no text", async () => {
    const server = serve(() => new Response(new Uint8Array([0x22, 0xff, 0xfe, 0x22])));
    expect((await failure(http().json(server.url, { signal }))).code).toBe("E_MALFORMED");
  });
});

describe("probe", () => {
  test("learns the size from one byte and tries again", async () => {
    const ranges: (string | null)[] = [];
    const server = serve((request, count) => {
      ranges.push(request.headers.get("range"));
      if (count === 1) return new Response("", { status: 503, headers: { "retry-after": "0" } });
      return new Response("a", { status: 206, headers: { "content-range": "bytes 0-0/77" } });
    });
    const answer = await http({ retries: 1 }).probe(server.url, { signal });
    expect(answer.contentRange?.totalBytes).toBe(77);
    expect(ranges).toEqual(["bytes=0-0", "bytes=0-0"]);
  });

  test("throws by status", async () => {
    const server = serve(() => new Response("", { status: 404 }));
    expect((await failure(http().probe(server.url, { signal }))).code).toBe("E_NOT_FOUND");
  });
});

describe("surroundings", () => {
  test.each(["ALL_PROXY", "https_proxy", "HTTP_PROXY"])(
    "a socks proxy in %s is refused, not passed by",
    async (name) => {
      const server = serve(() => Response.json(1));
      const environment = { [name]: "socks5h://127.0.0.1:9050" };
      expect((await failure(http({ environment }).json(server.url, { signal }))).code).toBe("E_PROXY");
      expect((await failure(http({ environment }).open(server.url, { signal }))).code).toBe("E_PROXY");
      expect(server.asked()).toBe(0);
    },
  );

  test("switched-off certificate checks are refused", async () => {
    const server = serve(() => Response.json(1));
    const environment = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    expect((await failure(http({ environment }).json(server.url, { signal }))).code).toBe("E_TLS");
    expect(server.asked()).toBe(0);
  });

  test("http beyond this machine is refused before anything is asked", async () => {
    expect((await failure(http().json("http://192.0.2.1/x", { signal }))).code).toBe("E_UNSAFE_URL");
    expect((await failure(http().open("file:///etc/passwd", { signal }))).code).toBe("E_UNSAFE_URL");
  });
});
