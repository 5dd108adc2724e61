// The network and the protocol misbehave, one fault at a time; the file that comes out is right, or none does.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import type { HubRequest } from "../../src/demo/hub-request.ts";
import type { Trouble } from "../../src/demo/hub-trouble.ts";
import { type Arrivals, watchArrivals } from "../support/arrivals.ts";
import { UNWRITTEN_BYTES } from "../support/hostile-row.ts";
import { checkInvariants } from "../support/invariants.ts";
import {
  LARGE,
  type Rig,
  type RigRun,
  SMALL,
  cdnBytes,
  cdnLog,
  eventsOf,
  onCdn,
  onResolve,
  openRig,
  resolveLog,
} from "../support/rig.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** What may be on its way when a connection dies, and has to be sent again. */
const IN_FLIGHT_BYTES = MIB;
/** Several connections help each other where it is slow: then bytes come twice, and requests are more. */
const ALONE = { settings: { connections: 1 } } as const;

async function expectInstalled(rig: Rig, run: RigRun): Promise<void> {
  expect(run.error).toBeNull();
  expect(await rig.finalSha256()).toBe(rig.content.sha256);
  expect((await checkInvariants(rig.models, rig.hub)).models).toEqual(["org/m:Q4_0"]);
  expect((await checkInvariants(rig.models, rig.hub)).journals).toBe(0);
}

async function expectRefused(rig: Rig, run: RigRun, expected: { code: string; exit: number }): Promise<void> {
  expect(run.error).toMatchObject(expected);
  expect(existsSync(rig.finalPath)).toBe(false);
  await checkInvariants(rig.models, rig.hub);
}

/** Cuts a range when so many bytes of it have arrived. */
const cutAfter =
  (cutAfterBytes: number, arrivals: Arrivals) =>
  ({ range }: Pick<HubRequest, "range">): Trouble => ({
    cutAfterBytes,
    cutWhen: () => arrivals.of(startOf(range) + cutAfterBytes),
  });

const startOf = (range: string | null): number => Number(/bytes=(\d+)-/.exec(range ?? "")?.[1]);

describe.concurrent("a connection that ends early", () => {
  test.each([0, 1, Math.floor(SMALL / 2), SMALL - 1])(
    "after %d bytes is taken up again",
    async (cutAfterBytes) => {
      await using rig = await openRig(SMALL);
      const arrivals = watchArrivals();
      const cut = cutAfter(cutAfterBytes, arrivals);
      rig.hub.behave({ intercept: onCdn((request, count) => (count === 0 ? cut(request) : undefined)) });
      const run = await rig.install({ ...ALONE, onEvent: arrivals.onEvent });
      await expectInstalled(rig, run);
      expect(eventsOf(run, "file.retrying")).toHaveLength(1);
      expect(cdnBytes(rig.hub)).toBeLessThanOrEqual(SMALL + IN_FLIGHT_BYTES);
      const ranges = cdnLog(rig.hub).map(({ range }) => startOf(range));
      expect(ranges).toHaveLength(2);
      expect(ranges[1]).toBeLessThanOrEqual(cutAfterBytes);
      expect(ranges[1]).toBeGreaterThan(cutAfterBytes - IN_FLIGHT_BYTES);
    },
  );

  test.each([
    ["chunked", { framing: "chunked", cutAfterBytes: MIB + 1 }],
    ["without a length, in order", { framing: "close", cutAfterBytes: MIB + 1 }],
    ["without a range", { ignoresRange: true, cutAfterBytes: MIB + 1 }],
    ["without a range or a length", { ignoresRange: true, framing: "close", cutAfterBytes: MIB + 1 }],
  ] as [string, Trouble][])("%s is seen for what it is", async (_, trouble) => {
    await using rig = await openRig(SMALL);
    rig.hub.behave({ intercept: onCdn((_request, count) => (count === 0 ? trouble : undefined)) });
    await expectInstalled(rig, await rig.install(ALONE));
    expect(cdnLog(rig.hub)).toHaveLength(2);
  });

  test("each time gives up in the end and keeps what came; the next run goes on", async () => {
    await using rig = await openRig(SMALL);
    const arrivals = watchArrivals();
    rig.hub.behave({ intercept: onCdn(cutAfter(900 * KIB, arrivals)) });
    const settings = { retries: 1, connections: 1 };
    const failed = await rig.install({ settings, onEvent: arrivals.onEvent });
    await expectRefused(rig, failed, { code: "E_NETWORK", exit: 5 });
    rig.hub.behave({ intercept: null });
    rig.hub.reset();
    const run = await rig.install(ALONE);
    await expectInstalled(rig, run);
    const resumedBytes = eventsOf(run, "file.started")[0]!.resumedBytes;
    expect(resumedBytes).toBeGreaterThan(0);
    expect(cdnBytes(rig.hub)).toBe(SMALL - resumedBytes);
  });

  test("each time without a word of its length is not asked for ever", async () => {
    await using rig = await openRig(SMALL);
    const cut: Trouble = { ignoresRange: true, framing: "close", cutAfterBytes: 300 * KIB };
    // Whoever does not count would get it all in the end.
    rig.hub.behave({ intercept: onCdn((_, count) => (count < 20 ? cut : undefined)) });
    const run = await rig.install({ settings: { connections: 1, retries: 1 } });
    await expectRefused(rig, run, { code: "E_NETWORK", exit: 5 });
    expect(cdnLog(rig.hub)).toHaveLength(2);
  });

  test("on several connections at once are taken up where they were", async () => {
    await using rig = await openRig(LARGE);
    // The third span is one of the short ones at the end.
    const arrivals = watchArrivals();
    // Nobody else's bytes count, nor is anybody idle, until both are cut: of each more than a MiB is written then.
    const areHere = arrivals.of(4 * MIB - UNWRITTEN_BYTES);
    const cut = { cutAfterBytes: 2 * MIB, cutWhen: () => areHere };
    rig.hub.behave({
      intercept: onCdn((_, count) => (count < 2 ? cut : areHere.then(() => undefined))),
    });
    const run = await rig.install({ settings: { connections: 3 }, onEvent: arrivals.onEvent });
    await expectInstalled(rig, run);
    // Each is taken up where it was cut, give or take what was on its way.
    const starts = cdnLog(rig.hub).map(({ range }) => startOf(range));
    for (const start of starts.slice(0, 2)) {
      const cutBytes = start + 2 * MIB;
      const isTakenUp = (one: number): boolean => one > cutBytes - IN_FLIGHT_BYTES && one <= cutBytes;
      expect([starts, starts.some(isTakenUp)]).toEqual([starts, true]);
    }
  });
});

describe.concurrent("a server that answers another question", () => {
  test("all of the file instead of a range: written where it belongs", async () => {
    await using rig = await openRig(LARGE);
    rig.hub.behave({ intercept: onCdn(() => ({ ignoresRange: true })) });
    await expectInstalled(rig, await rig.install(ALONE));
    expect(cdnBytes(rig.hub)).toBe(LARGE);
  });

  test("the same in the middle of a file: nothing is appended", async () => {
    await using rig = await openRig(LARGE);
    const arrivals = watchArrivals();
    const cut = cutAfter(MIB, arrivals);
    rig.hub.behave({ intercept: onCdn((request, count) => (count > 0 ? cut(request) : undefined)) });
    const settings = { retries: 0, connections: 1 };
    const failed = await rig.install({ settings, onEvent: arrivals.onEvent });
    await expectRefused(rig, failed, { code: "E_NETWORK", exit: 5 });
    rig.hub.behave({ intercept: onCdn(() => ({ ignoresRange: true })) });
    const run = await rig.install();
    expect(eventsOf(run, "file.started")[0]!.resumedBytes).toBeGreaterThan(8 * MIB);
    await expectInstalled(rig, run);
  });

  test("another range than the one asked for: not written, fetched whole", async () => {
    await using rig = await openRig(LARGE);
    rig.hub.behave({
      intercept: onCdn(({ range }) => (range === null ? undefined : { shiftBytes: 4_096 })),
    });
    await expectInstalled(rig, await rig.install());
    expect(cdnLog(rig.hub).at(-1)?.range).toBeNull();
  });

  test.each([
    ["a shorter range", { headers: { "Content-Length": "100", "Content-Range": `bytes 0-99/${SMALL}` } }],
  ] as [string, Trouble][])("%s: taken, and the rest asked for", async (_, trouble) => {
    await using rig = await openRig(SMALL);
    rig.hub.behave({ intercept: onCdn((_request, count) => (count === 0 ? trouble : undefined)) });
    await expectInstalled(rig, await rig.install(ALONE));
    expect(cdnLog(rig.hub)[1]?.range).toStartWith("bytes=100-");
  });

  test("a range that begins later than asked, and says so: not taken either", async () => {
    await using rig = await openRig(SMALL);
    const later = new Response(Uint8Array.from(rig.content.read(4_096, SMALL)), {
      status: 206,
      headers: { "Content-Range": `bytes 4096-${SMALL - 1}/${SMALL}` },
    });
    rig.hub.behave({ intercept: onCdn((_, count) => (count === 0 ? later : undefined)) });
    await expectInstalled(rig, await rig.install(ALONE));
    expect(cdnLog(rig.hub).map(({ range }) => range)).toEqual([`bytes=0-${SMALL - 1}`, null]);
  });

  const other = (size: number): Trouble => ({ headers: { "Content-Range": `bytes 0-${SMALL - 1}/${size}` } });
  test.each([
    ["a longer file", other(SMALL + 1)],
    ["a longer file, whole", { ignoresRange: true, headers: { "Content-Length": String(SMALL + 1) } }],
    ["a shorter file, whole", { ignoresRange: true, headers: { "Content-Length": String(SMALL - 1) } }],
    ["416: the file ends before", { status: 416, headers: { "Content-Range": `bytes */${SMALL - 1}` } }],
    ["416 for no reason", { status: 416, headers: { "Content-Range": `bytes */${SMALL}` } }],
  ] as [string, Trouble][])("%s: refused before a byte is written", async (_, trouble) => {
    await using rig = await openRig(SMALL);
    rig.hub.behave({ intercept: onCdn(() => trouble) });
    const run = await rig.install(ALONE);
    await expectRefused(rig, run, { code: "E_SIZE", exit: 4 });
    expect(cdnLog(rig.hub).length).toBeLessThanOrEqual(2);
    expect(eventsOf(run, "file.progress").at(-1)?.doneBytes).toBe(0);
  });

  test("a compressed one: asked again, and never written", async () => {
    await using rig = await openRig(SMALL);
    const gzip = { headers: { "Content-Encoding": "gzip" } };
    rig.hub.behave({ intercept: onCdn((_, count) => (count === 0 ? gzip : undefined)) });
    await expectInstalled(rig, await rig.install());
  });

  test("nothing but compressed ones: refused", async () => {
    await using rig = await openRig(SMALL);
    rig.hub.behave({ intercept: onCdn(() => ({ headers: { "Content-Encoding": "br" } })) });
    await expectRefused(rig, await rig.install(ALONE), { code: "E_MALFORMED", exit: 10 });
    expect(cdnLog(rig.hub).length).toBeLessThanOrEqual(3);
  });

  test("another file than it announced: refused at once", async () => {
    await using rig = await openRig(SMALL);
    const headers = { "X-Linked-Etag": `"${"0".repeat(64)}"` };
    rig.hub.behave({ intercept: onResolve(() => ({ headers })) });
    await expectRefused(rig, await rig.install(), { code: "E_CHANGED", exit: 4 });
    expect(resolveLog(rig.hub)).toHaveLength(1);
  });

  test("wrong bytes once: fetched once more, right in the end", async () => {
    await using rig = await openRig(SMALL);
    const corrupt: Trouble["corrupt"] = (piece, atBytes) => {
      const spoiled = Uint8Array.from(piece);
      if (atBytes >= MIB) spoiled[7]! ^= 1;
      return spoiled;
    };
    rig.hub.behave({ intercept: onCdn((_, count) => (count === 0 ? { corrupt } : undefined)) });
    const run = await rig.install(ALONE);
    await expectInstalled(rig, run);
    expect(eventsOf(run, "file.restarted")).toHaveLength(1);
  });

  test("wrong bytes always: refused after the second time, and nothing is left of them", async () => {
    await using rig = await openRig(SMALL);
    const corrupt: Trouble["corrupt"] = (piece) =>
      Uint8Array.from(piece, (byte, at) => (at === 9 ? byte ^ 1 : byte));
    rig.hub.behave({ intercept: onCdn(() => ({ corrupt })) });
    await expectRefused(rig, await rig.install(ALONE), { code: "E_DIGEST", exit: 4 });
    expect(cdnBytes(rig.hub)).toBe(2 * SMALL);
    expect((await checkInvariants(rig.models, rig.hub)).journals).toBe(0);
  });
});

describe.concurrent("a server that goes quiet", () => {
  test.each([0, MIB])(
    "after %d bytes of the body is left, and asked again from there",
    async (stallAfterBytes) => {
      await using rig = await openRig(SMALL);
      rig.hub.behave({ intercept: onCdn((_, count) => (count === 0 ? { stallAfterBytes } : undefined)) });
      const run = await rig.install({ settings: { connections: 1, stallMs: 3_000 } });
      await expectInstalled(rig, run);
      expect(eventsOf(run, "file.retrying")[0]?.code).toBe("E_STALLED");
      expect(cdnBytes(rig.hub)).toBeLessThanOrEqual(SMALL + IN_FLIGHT_BYTES);
    },
  );

  test("before its headers is left too", async () => {
    await using rig = await openRig(SMALL);
    const never = new Promise<undefined>(() => undefined);
    rig.hub.behave({ intercept: onResolve((_, count) => (count === 0 ? never : undefined)) });
    const run = await rig.install({ settings: { connections: 1, stallMs: 3_000 } });
    await expectInstalled(rig, run);
    expect(eventsOf(run, "file.retrying")[0]?.code).toBe("E_STALLED");
  });
});

describe.concurrent("a server in trouble", () => {
  test("three times in a row is borne, with longer and longer waits", async () => {
    await using rig = await openRig(SMALL);
    rig.hub.behave({ intercept: onCdn((_, count) => (count < 3 ? { status: 503 } : undefined)) });
    const run = await rig.install(ALONE);
    await expectInstalled(rig, run);
    const waits = eventsOf(run, "file.retrying").map(({ waitMs }) => waitMs);
    expect(waits).toHaveLength(3);
    for (const [index, waitMs] of waits.entries()) {
      expect(waitMs).toBeGreaterThanOrEqual(500 * 2 ** index);
      expect(waitMs).toBeLessThanOrEqual(1_000 * 2 ** index);
    }
  });

  test("that asks for two seconds gets them, and the user is told", async () => {
    await using rig = await openRig(SMALL);
    const slowDown = { status: 429, headers: { "Retry-After": "2" } };
    rig.hub.behave({ intercept: onResolve((_, count) => (count === 0 ? slowDown : undefined)) });
    const startedMs = performance.now();
    const run = await rig.install(ALONE);
    await expectInstalled(rig, run);
    expect(performance.now() - startedMs).toBeGreaterThan(1_990);
    expect(eventsOf(run, "file.retrying")[0]).toMatchObject({ code: "E_RATE_LIMITED", waitMs: 2_000 });
  });

  test("in mid-file gets its second too, and is asked through the origin again", async () => {
    await using rig = await openRig(LARGE);
    const busy = { status: 503, headers: { "Retry-After": "1" } };
    rig.hub.behave({ intercept: onCdn((_, count) => (count === 1 ? busy : undefined)) });
    const run = await rig.install({ settings: { connections: 1 } });
    await expectInstalled(rig, run);
    expect(eventsOf(run, "file.retrying").map(({ waitMs }) => waitMs)).toEqual([1_000]);
    expect(resolveLog(rig.hub)).toHaveLength(2);
    expect(cdnBytes(rig.hub)).toBe(LARGE);
  });

  test("that asks for an hour is not waited for", async () => {
    await using rig = await openRig(SMALL);
    const headers = { "Retry-After": "3600" };
    rig.hub.behave({ intercept: onResolve(() => ({ status: 429, headers })) });
    await expectRefused(rig, await rig.install(), { code: "E_RATE_LIMITED", exit: 5 });
    expect(resolveLog(rig.hub)).toHaveLength(1);
  });
});

describe.concurrent("an origin that says no", () => {
  const gated = { "X-Error-Code": "GatedRepo" };
  test.each([
    [401, {}, "E_AUTH", 6],
    [401, gated, "E_GATED", 6],
    [403, {}, "E_AUTH", 6],
    [403, gated, "E_GATED", 6],
    [404, {}, "E_NOT_FOUND", 7],
    [410, {}, "E_GONE", 7],
    [451, {}, "E_GONE", 7],
    [407, {}, "E_PROXY", 5],
  ])("%d %p is %s, asked once", async (status, headers, code, exit) => {
    await using rig = await openRig(SMALL);
    rig.hub.behave({ intercept: onResolve(() => ({ status, headers })) });
    await expectRefused(rig, await rig.install(), { code, exit });
    expect(resolveLog(rig.hub)).toHaveLength(1);
  });

  test("because of the law is told apart from one that withdrew it", async () => {
    await using rig = await openRig(SMALL);
    const messages: string[] = [];
    for (const status of [404, 410, 451]) {
      rig.hub.behave({ intercept: onResolve(() => ({ status })) });
      messages.push((await rig.install()).error?.message ?? "");
    }
    expect(new Set(messages).size).toBe(3);
    expect(messages[2]).toContain("legal");
  });
});

describe.concurrent("signed addresses", () => {
  test.each([400, 401, 403, 404, 410])(
    "that answer %d in mid-file are fetched anew, at once",
    async (status) => {
      await using rig = await openRig(LARGE);
      rig.hub.behave({ intercept: onCdn((_, count) => (count === 1 ? { status } : undefined)) });
      const run = await rig.install({ settings: { connections: 1 } });
      await expectInstalled(rig, run);
      expect(resolveLog(rig.hub)).toHaveLength(2);
      expect(eventsOf(run, "file.retrying")).toEqual([]);
      expect(cdnBytes(rig.hub)).toBe(LARGE);
    },
  );

  test("that ran out for all connections are fetched anew once", async () => {
    await using rig = await openRig(LARGE);
    const intercept = onCdn((_, count) => {
      if (count === 1) rig.hub.expireLinks();
      return undefined;
    });
    rig.hub.behave({ intercept });
    await expectInstalled(rig, await rig.install({ settings: { connections: 3 } }));
    expect(resolveLog(rig.hub).length).toBeLessThanOrEqual(3);
  });

  test("that never work are not fetched for ever", async () => {
    await using rig = await openRig(SMALL);
    rig.hub.behave({ intercept: onCdn(() => ({ status: 403 })) });
    const run = await rig.install({ settings: { retries: 1 } });
    await expectRefused(rig, run, { code: "E_SERVER", exit: 5 });
    expect(resolveLog(rig.hub).length).toBeLessThanOrEqual(5);
  });

  test("are used as long as they work: one question for the whole file", async () => {
    await using rig = await openRig(LARGE);
    await expectInstalled(rig, await rig.install(ALONE));
    expect(resolveLog(rig.hub)).toHaveLength(1);
    expect(cdnLog(rig.hub).length).toBeGreaterThan(1);
  });
});

describe.concurrent("redirects", () => {
  test("in circles end after ten steps", async () => {
    await using rig = await openRig(SMALL);
    const again = (path: string) => new Response(null, { status: 302, headers: { Location: path } });
    rig.hub.behave({ intercept: onResolve(({ path }) => again(path)) });
    await expectRefused(rig, await rig.install(), { code: "E_SERVER", exit: 5 });
    expect(resolveLog(rig.hub)).toHaveLength(11);
  });

  test.each(["file:///etc/passwd", "data:text/plain,x", "ftp://127.0.0.1/x", "http://example.com/x"])(
    "to %s are refused",
    async (location) => {
      await using rig = await openRig(SMALL);
      const away = () => new Response(null, { status: 302, headers: { Location: location } });
      rig.hub.behave({ intercept: onResolve(away) });
      await expectRefused(rig, await rig.install(), { code: "E_UNSAFE_URL", exit: 10 });
    },
  );

  test("to another port do not carry the token", async () => {
    await using rig = await openRig(SMALL, { token: "hf_secret" });
    const run = await rig.install({ settings: { hubToken: "hf_secret" } });
    await expectInstalled(rig, run);
    expect(resolveLog(rig.hub)[0]?.headers.authorization).toBe("Bearer hf_secret");
    for (const { headers } of cdnLog(rig.hub)) expect(headers.authorization).toBeNull();
    expect(JSON.stringify(run.events)).not.toContain("hf_secret");
  });
});

test("HEAD is never asked", async () => {
  await using rig = await openRig(SMALL);
  rig.hub.behave({ intercept: ({ method }) => (method === "HEAD" ? { status: 405 } : undefined) });
  await expectInstalled(rig, await rig.install());
  expect(rig.hub.log(({ method }) => method !== "GET")).toEqual([]);
});
