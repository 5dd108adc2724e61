// What is posted, how often, and what is said when nobody takes it.

import { describe, expect, test } from "bun:test";
import { LuciError } from "../../src/domain/errors.ts";
import { postJson } from "../../src/platform/http-post.ts";

const { signal } = new AbortController();

/** A place that answers so, one after the other, the last again and again. */
function listen(...answers: readonly { status: number; location?: string }[]) {
  const bodies: unknown[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      bodies.push(await request.json());
      const { status, location } = (answers[bodies.length - 1] ?? answers.at(-1))!;
      const headers = location === undefined ? {} : { Location: location };
      return new Response("something that nobody reads".repeat(99), { status, headers });
    },
  });
  return { bodies, url: `http://127.0.0.1:${server.port}/secret-path?k=hush`, stop: () => server.stop(true) };
}

function post(url: string, more: Partial<Parameters<typeof postJson>[1]> = {}): Promise<void> {
  const usual = { userAgent: "luci/0", stallMs: 60_000, retries: 3, signal, caFile: null, environment: {} };
  return postJson(url, { body: { type: "model.ready" }, ...usual, ...more });
}

async function errorOf(posted: Promise<void>): Promise<LuciError> {
  const error: unknown = await posted.catch((thrown: unknown) => thrown);
  if (error instanceof LuciError) return error;
  throw new Error("it was taken");
}

describe("a post", () => {
  test("is repeated while the server is in trouble, and not when it refuses", async () => {
    const busy = listen({ status: 503 }, { status: 200 });
    await post(busy.url);
    expect(busy.bodies).toEqual([{ type: "model.ready" }, { type: "model.ready" }]);
    const deaf = listen({ status: 400 });
    const { message } = await errorOf(post(deaf.url));
    expect(deaf.bodies).toHaveLength(1);
    expect(message).not.toMatch(/secret|hush/);
    await Promise.all([busy.stop(), deaf.stop()]);
  });

  test.each([301, 302, 307, 308])("is not sent elsewhere by a %d", async (status) => {
    const place = listen({ status, location: "http://169.254.169.254/" });
    const { code, message } = await errorOf(post(place.url));
    expect([code, place.bodies.length]).toEqual(["E_UNSAFE_URL", 1]);
    expect(message).not.toMatch(/secret|hush|169/);
    await place.stop();
  });

  test.each(["http://example.org/hook", "ftp://example.org/", "nonsense"])(
    "does not go to %s",
    async (url) => {
      expect((await errorOf(post(url))).code).toBe("E_UNSAFE_URL");
    },
  );

  test("ends with the signal, and when nobody answers", async () => {
    const silent = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Promise<Response>(() => undefined),
    });
    const url = `http://127.0.0.1:${silent.port}/`;
    expect((await errorOf(post(url, { stallMs: 200, retries: 0 }))).code).toBe("E_STALLED");
    const stop = new AbortController();
    const posted = post(url, { signal: stop.signal });
    stop.abort(new LuciError("E_INTERRUPTED", "over"));
    expect((await errorOf(posted)).code).toBe("E_INTERRUPTED");
    await silent.stop(true);
  });
});
