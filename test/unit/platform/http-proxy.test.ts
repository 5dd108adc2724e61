// Which proxy stands on the way to an address, and who is blamed when an exchange fails behind it.

import { describe, expect, test } from "bun:test";
import { networkError } from "../../../src/platform/http-network-errors.ts";
import { statusError } from "../../../src/platform/http-errors.ts";
import { proxyFor } from "../../../src/platform/http-proxy.ts";

const PROXY = "http://proxy.example:3128";

describe("a proxy is chosen by scheme, lower case first", () => {
  test.each([
    ["https://hub.example/", { HTTPS_PROXY: PROXY }, "proxy.example:3128"],
    ["https://hub.example/", { HTTPS_PROXY: "http://a:1", https_proxy: "http://b:1" }, "b:1"],
    ["https://hub.example/", { Https_Proxy: "http://c:1" }, "c:1"],
    ["https://hub.example/", { HTTP_PROXY: PROXY }, null],
    ["http://localhost/", { HTTP_PROXY: PROXY }, "proxy.example:3128"],
    ["http://localhost/", { HTTPS_PROXY: PROXY }, null],
    ["https://hub.example/", { ALL_PROXY: PROXY }, "proxy.example:3128"],
    ["https://hub.example/", { ALL_PROXY: "http://a:1", HTTPS_PROXY: "http://b:1" }, "b:1"],
    ["https://hub.example/", { HTTPS_PROXY: " ", ALL_PROXY: "http://a:1" }, "a:1"],
    ["https://hub.example/", { HTTPS_PROXY: "proxy.example:3128" }, "proxy.example:3128"],
    ["https://hub.example/", { HTTPS_PROXY: "https://proxy.example:443" }, "proxy.example"],
    ["https://hub.example/", { HTTPS_PROXY: "http://ada:pa%40ss@proxy.example:3128" }, "proxy.example:3128"],
    ["https://hub.example/", {}, null],
  ] as [string, Record<string, string>, string | null][])("%s with %j", (address, environment, name) => {
    expect(proxyFor(address, environment)?.name ?? null).toBe(name);
  });

  test.each(["socks5://a:1", "ftp://a:1", "http://", "http://[::bad", "http://ada:s3cret@:80"])(
    "%s is none",
    (value) => {
      const choose = (): unknown => proxyFor("https://hub.example/", { HTTPS_PROXY: value });
      expect(choose).toThrow("HTTPS_PROXY does not hold the address of an http proxy");
      expect(choose).not.toThrow("s3cret");
    },
  );
});

describe("NO_PROXY takes out", () => {
  test.each([
    ["https://hub.example/", "hub.example", true],
    ["https://hub.example/", "HUB.Example.", true],
    ["https://a.hub.example/", "hub.example", true],
    ["https://a.hub.example/", ".hub.example", true],
    ["https://a.hub.example/", "*.hub.example", true],
    ["https://hub.example/", ".hub.example", true],
    ["https://hub.example./", "hub.example", true],
    ["https://evilhub.example/", "hub.example", false],
    ["https://hub.example.evil/", "hub.example", false],
    ["https://hub.example/", "other.example hub.example", true],
    ["https://hub.example/", "other.example,\thub.example", true],
    ["https://hub.example/", "*", true],
    ["https://hub.example/", "example.*", false],
    ["https://hub.example/", "hub.example:443", true],
    ["https://hub.example:8443/", "hub.example:8443", true],
    ["https://hub.example:8443/", "hub.example:443", false],
    ["http://localhost/", "localhost:80", true],
    ["https://10.1.2.3/", "10.0.0.0/8", true],
    ["https://11.1.2.3/", "10.0.0.0/8", false],
    ["https://10.1.2.3/", "10.1.2.3/32", true],
    ["https://10.1.2.3/", "0.0.0.0/0", true],
    ["https://10.1.2.3/", "10.0.0.0/99", false],
    ["https://10.1.2.3/", "10.0.0.0/x", false],
    ["https://10.1.2.3/", "2.3", false],
    ["https://167838211/", "10.1.2.3", true],
    ["https://hub.example/", "0.0.0.0/0", false],
    ["https://[fd00::1]/", "fd00::/8", true],
    ["https://[fd00::1]/", "fd00::1", true],
    ["https://[fd00::1]:8443/", "[fd00::1]:8443", true],
    ["https://[fd00::1]:8443/", "[fd00::1]:1", false],
    ["https://hub.example/", ", ,.", false],
    ["https://hub.example/", "", false],
  ])("%s by %j: %p", (address, list, isExempt) => {
    for (const environment of [
      { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY, NO_PROXY: list },
      { ALL_PROXY: PROXY, no_proxy: list, NO_PROXY: "" },
    ]) {
      expect(proxyFor(address, environment) === null).toBe(isExempt);
    }
  });
});

describe("behind a proxy", () => {
  const proxy = proxyFor("https://hub.example/", { HTTPS_PROXY: "http://ada:s3cret@proxy.example:3128" });
  const peer = { host: "hub.example", proxy };
  const thrown = (code: string, status?: number): Error =>
    Object.assign(new TypeError("http://ada:s3cret@proxy.example:3128/"), { code, status });

  test.each([
    [
      "ECONNREFUSED",
      undefined,
      "E_PROXY",
      "The proxy proxy.example:3128 on the way to hub.example refused",
      true,
    ],
    [
      "ENOTFOUND",
      undefined,
      "E_PROXY",
      "The proxy proxy.example:3128 on the way to hub.example could not",
      true,
    ],
    ["ECONNRESET", undefined, "E_NETWORK", "hub.example through the proxy proxy.example:3128 closed", true],
    ["CERT_HAS_EXPIRED", undefined, "E_TLS", "hub.example through the proxy proxy.example:3128", false],
    ["ERR_PROXY_TUNNEL", 407, "E_PROXY", "does not accept the user name and password", false],
    ["ERR_PROXY_TUNNEL", 401, "E_PROXY", "does not accept the user name and password", false],
    ["ERR_PROXY_TUNNEL", 403, "E_PROXY", "refuses to connect to hub.example (403)", false],
    ["ERR_PROXY_TUNNEL", 502, "E_PROXY", "could not connect to hub.example (502)", true],
    ["ERR_PROXY_TUNNEL", undefined, "E_PROXY", "refuses to connect to hub.example", false],
  ] as const)("%s (%p) is %s, said of the right one", (code, status, expected, words, retryable) => {
    const error = networkError(thrown(code, status), peer);
    expect(error).toMatchObject({ code: expected, retryable, exit: 5 });
    expect(error.message).toContain(words);
    expect(error.message).toContain("proxy.example:3128");
    expect(`${error.message} ${error.hint}`).not.toContain("s3cret");
  });

  test("an answer that the proxy may have written says so", () => {
    const answer = (status: number, headers: Record<string, string> = {}) =>
      statusError({ status, headers: new Headers(headers), url: "http://localhost/x", proxy }, { what: "x" });
    expect(answer(502).message).toContain("localhost through the proxy proxy.example:3128 answered 502");
    expect(answer(407)).toMatchObject({ code: "E_PROXY" });
    expect(answer(401, { "www-authenticate": 'Basic realm="Tinyproxy"' })).toMatchObject({ code: "E_PROXY" });
    expect(answer(401)).toMatchObject({ code: "E_AUTH" });
    expect(answer(404)).toMatchObject({ code: "E_NOT_FOUND" });
  });
});
