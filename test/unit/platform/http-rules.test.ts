// The parts of platform/http that need no server: addresses, statuses, headers, steps.

import { describe, expect, test } from "bun:test";
import { RANK, rankOfAddress, rankOfHost } from "../../../src/platform/http-address.ts";
import { parseBytes, parseContentRange } from "../../../src/platform/http-answer.ts";
import { readRetryAfter, statusError } from "../../../src/platform/http-errors.ts";
import { networkError } from "../../../src/platform/http-network-errors.ts";
import { follow } from "../../../src/platform/http-redirect.ts";

describe("ranks of addresses", () => {
  test.each([
    ["8.8.8.8", "public"],
    ["2606:4700::1111", "public"],
    ["10.1.2.3", "private"],
    ["172.31.0.1", "private"],
    ["172.32.0.1", "public"],
    ["192.168.1.1", "private"],
    ["100.64.0.1", "private"],
    ["fd00::1", "private"],
    ["169.254.169.254", "link"],
    ["fe80::1", "link"],
    ["127.0.0.2", "loopback"],
    ["0.0.0.0", "loopback"],
    ["::1", "loopback"],
    ["::", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:10.0.0.1", "private"],
    ["::ffff:8.8.8.8", "public"],
    ["64:ff9b::a9fe:a9fe", "link"],
  ] as const)("%s is %s", (address, rank) => {
    expect(rankOfAddress(address)).toBe(RANK[rank]);
  });

  test("a name counts as its most private address", async () => {
    const lookup = async () => ["8.8.8.8", "10.0.0.1"];
    expect(await rankOfHost("example.org", lookup)).toBe(RANK.private);
    expect(await rankOfHost("example.org", null)).toBe(RANK.public);
    expect(await rankOfHost("example.org", async () => Promise.reject(new Error("no such name")))).toBe(
      RANK.public,
    );
    expect(await rankOfHost("localhost.", null)).toBe(RANK.loopback);
    expect(await rankOfHost("[::1]", null)).toBe(RANK.loopback);
    expect(await rankOfHost("a.localhost", lookup)).toBe(RANK.loopback);
  });
});

describe("steps", () => {
  const ranks: Record<string, (typeof RANK)[keyof typeof RANK]> = {
    lan: RANK.private,
    meta: RANK.link,
    me: RANK.loopback,
  };

  function walk([start = "", ...steps]: readonly string[]) {
    return follow(start, {
      common: {},
      own: {},
      send: async () => {
        const location = steps.shift();
        return new Response(
          "",
          location === undefined ? { status: 200 } : { status: 302, headers: { location } },
        );
      },
      rankOf: async (hostname) => ranks[hostname] ?? RANK.public,
    });
  }

  test.each([
    [["https://public/", "https://lan/"]],
    [["https://public/", "https://me/"]],
    [["https://lan/", "https://meta/"]],
    [["https://lan/", "https://me/"]],
    [["https://me/", "https://public/", "https://me/"]],
    [["https://public/", "https://other/", "https://lan/"]],
  ])("%p is refused", async (urls) => {
    await expect(walk(urls)).rejects.toMatchObject({ code: "E_UNSAFE_URL" });
  });

  test.each([
    [["https://public/", "https://other/"]],
    [["https://lan/", "https://public/"]],
    [["https://me/", "https://me:8443/"]],
    [["https://lan/a", "/b"]],
  ])("%p is followed", async (urls) => {
    const { hops } = await walk(urls);
    expect(hops.at(-1)?.url).toBe(new URL(urls[1] ?? "", urls[0]).href);
  });

  test("a redirect that leads nowhere is an answer", async () => {
    const send = async () => new Response("", { status: 302 });
    const { response } = await follow("https://a/", {
      common: {},
      own: {},
      send,
      rankOf: async () => RANK.public,
    });
    expect(response.status).toBe(302);
  });
});

describe("statuses", () => {
  test.each([
    [401, {}, "E_AUTH"],
    [403, {}, "E_AUTH"],
    [401, { "x-error-code": "GatedRepo" }, "E_GATED"],
    [403, { "x-error-code": "GatedRepo" }, "E_GATED"],
    [401, { "x-error-code": "RepoNotFound" }, "E_NOT_FOUND"],
    [404, { "x-error-code": "RevisionNotFound" }, "E_NOT_FOUND"],
    [404, { "x-error-code": "EntryNotFound" }, "E_NOT_FOUND"],
    [403, { "x-error-code": "DisabledRepo" }, "E_GONE"],
    [404, {}, "E_NOT_FOUND"],
    [407, {}, "E_PROXY"],
    [408, {}, "E_SERVER"],
    [410, {}, "E_GONE"],
    [416, {}, "E_SIZE"],
    [429, {}, "E_RATE_LIMITED"],
    [451, {}, "E_GONE"],
    [500, {}, "E_SERVER"],
    [503, { "x-error-code": "GatedRepo" }, "E_SERVER"],
  ] as const)("%i %o is %s", (status, headers, code) => {
    const url = "https://u:p@example.org/x?sig=secret";
    const error = statusError({ status, headers: new Headers(headers), url }, { what: "org/repo" });
    expect(error.code).toBe(code);
    expect(error.message).toContain("org/repo");
    expect(error.message).not.toMatch(/secret|u:p/);
  });

  test("an odd status is not tried again", () => {
    const odd = (status: number) =>
      statusError({ status, headers: new Headers(), url: "https://a/" }, { what: "x" });
    expect(odd(400).retryable).toBe(false);
    expect(odd(302).retryable).toBe(false);
    expect(odd(502).retryable).toBe(true);
  });

  test.each([
    [{ "retry-after": "7" }, 7_000],
    [{ "retry-after": "Wed, 01 Jan 2020 00:01:00 GMT", date: "Wed, 01 Jan 2020 00:00:00 GMT" }, 60_000],
    [{ "retry-after": "Wed, 01 Jan 2020 00:01:00 GMT", date: "Wed, 01 Jan 2020 01:00:00 GMT" }, 0],
    [{ ratelimit: '"api";r=0;t=55' }, 55_000],
    [{ "retry-after": "9".repeat(40) }, 365 * 86_400_000],
    [
      { "retry-after": "Wed, 01 Jan 2020 00:00:00 GMT", date: "Tue, 01 Jan 2019 00:00:00 GMT" },
      365 * 86_400_000,
    ],
    [{ "retry-after": "Wed, 01 Jan 2020 00:00:00 GMT" }, 0],
    [{ "retry-after": "Fri, 01 Jan 2100 00:00:00 GMT" }, 86_400_000],
    [{ "retry-after": "-5" }, undefined],
    [{ "retry-after": "soon" }, undefined],
    [{}, undefined],
  ])("%o asks to wait %p ms", (headers, waitMs) => {
    expect(readRetryAfter(new Headers(headers as Record<string, string>))).toBe(waitMs as number);
  });
});

test.each([
  ["7", "wait 7 s", "Wait a few minutes"],
  ["900", "wait 15 min", "Wait a few minutes"],
  ["901", "wait 16 min", "again in 16 min"],
  ["3600", "wait 60 min", "again in 60 min"],
  ["10000", "wait 3 h", "again in 3 h"],
  ["1000000", "wait 12 days", "again in 12 days"],
])("a wait of %s s is named in the words of people", (seconds, said, hint) => {
  const headers = new Headers({ "retry-after": seconds });
  const error = statusError({ status: 429, headers, url: "https://a/" }, { what: "x" });
  expect(error.message).toContain(said);
  expect(error.hint).toContain(hint);
});

describe("headers", () => {
  test.each([
    ["bytes 0-0/10", { startBytes: 0, endBytes: 1, totalBytes: 10 }],
    ["bytes 5-9/*", { startBytes: 5, endBytes: 10, totalBytes: null }],
    ["bytes */10", { startBytes: 0, endBytes: 0, totalBytes: 10 }],
    ["bytes 5-4/10", null],
    ["bytes 0-10/10", null],
    ["bytes 0-0/99999999999999999", null],
    ["bytes=0-0/10", null],
    ["items 0-0/10", null],
    [null, null],
  ])("content-range %s", (text, range) => {
    expect(parseContentRange(text)).toEqual(range);
  });

  test.each([
    ["0", 0],
    ["9007199254740991", 9_007_199_254_740_991],
    ["9007199254740993", null],
    ["-1", null],
    ["1e3", null],
    ["0x5", null],
    ["", null],
    [null, null],
  ])("%p is %p bytes", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });
});

test.each([
  ["ECONNREFUSED", "E_NETWORK"],
  ["ENOTFOUND", "E_NETWORK"],
  ["SomethingNew", "E_NETWORK"],
  ["CERT_HAS_EXPIRED", "E_TLS"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "E_TLS"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "E_TLS"],
  ["EPROTO", "E_TLS"],
  ["ERR_PROXY_TUNNEL", "E_PROXY"],
  ["UnsupportedProxyProtocol", "E_PROXY"],
  ["Malformed_HTTP_Response", "E_SERVER"],
  ["InvalidContentLength", "E_SERVER"],
] as const)("the runtime's %s is %s, in our words", (code, expected) => {
  const thrown = Object.assign(new TypeError("https://example.org/?sig=secret"), { code });
  for (const error of [
    networkError(thrown, { host: "example.org", proxy: null }),
    networkError(new Error("x", { cause: thrown }), { host: "example.org", proxy: null }),
  ]) {
    expect(error.code).toBe(expected);
    expect(error.message).toContain("example.org");
    expect(error.message).not.toContain("secret");
  }
});

test.each([
  ["EMFILE", "No connection to example.org: too many open files (see ulimit -n)"],
  ["ENFILE", "No connection to example.org: the system has too many open files"],
])("where nothing can be opened any more (%s) it is not the network", (code, message) => {
  const thrown = Object.assign(new Error("connect"), { code });
  const error = networkError(thrown, { host: "example.org", proxy: null });
  expect(error).toMatchObject({ code: "E_NETWORK", retryable: true, message });
  expect(error.hint).toContain("more open files");
});
