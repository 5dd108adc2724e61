import { describe, expect, test } from "bun:test";
import { createGatekeeper } from "../../../src/control/gatekeeper.ts";
import type { Problem } from "../../../src/control/problem.ts";

const TOKEN = "abcdefghijklmnopqrstuvwxyz";

/** The status a request is refused with; 200 when it passes. */
function ask(
  headers: Record<string, string>,
  options: { host?: string; allowedHosts?: readonly string[]; method?: string; path?: string } = {},
): number {
  const { host = "127.0.0.1", allowedHosts = [], method = "GET", path = "/v1/health" } = options;
  const openPaths = new Set(["/", "/page.js"]);
  const keep = createGatekeeper({ token: TOKEN, host, allowedHosts, openPaths });
  try {
    keep(new Request(`http://x${path}`, { method, headers: { host: "127.0.0.1:5824", ...headers } }));
    return 200;
  } catch (thrown) {
    return (thrown as Problem).options.status;
  }
}

const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

describe("at an address that others reach", () => {
  const at = { host: "192.0.2.7" };

  test.each([
    [401, {}, "GET", "/v1/health"],
    [401, {}, "GET", "/openapi.json"],
    [200, AUTHORIZED, "GET", "/v1/health"],
    [200, AUTHORIZED, "DELETE", "/v1/models/x"],
    [200, {}, "GET", "/"],
    [200, {}, "GET", "/page.js"],
    [401, {}, "POST", "/"],
    [401, {}, "GET", "/page.js/"],
  ])("%d for %p: %s %s", (status, headers, method, path) => {
    expect(ask({ host: "192.0.2.7:5824", ...headers }, { ...at, method, path })).toBe(status);
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7", [], 200],
  ["192.0.2.8", "192.0.2.7", [], 403],
  ["[2001:db8::1]:5824", "2001:db8::1", [], 200],
  ["NAS.local:5824", "0.0.0.0", ["nas.local"], 200],
  ["nas.local.", "0.0.0.0", ["nas.local"], 200],
  ["nas.local.evil.example", "0.0.0.0", ["nas.local"], 403],
  ["evil.example", "0.0.0.0", [], 403],
  ["192.168.1.5:5824", "0.0.0.0", [], 200],
  ["192.168.1.5:5824", "::", [], 200],
  ["[fe80::1]:5824", "0:0:0:0:0:0:0:0", [], 200],
  ["192.168.1.5.evil.example", "0.0.0.0", [], 403],
  ["192.168.1.5:5824", "127.0.0.1", [], 403],
  ["localhost:5824", "127.0.0.1", [], 200],
  ["localhost/@evil.example", "127.0.0.1", [], 403],
  ["evil.example#localhost", "127.0.0.1", [], 403],
  ["", "127.0.0.1", [], 403],
  ["2130706433", "127.0.0.1", [], 200],
])("the name %p at %s with %p is answered %d", (name, host, allowedHosts, status) => {
  expect(ask({ host: name, ...AUTHORIZED }, { host, allowedHosts })).toBe(status);
});

test.each([
  ["http://127.0.0.1:5824", 200],
  ["https://127.0.0.1:5824", 200],
  ["http://localhost:5824", 403],
  ["http://127.0.0.1", 403],
  ["http://127.0.0.1:58240", 403],
  ["null", 403],
  ["", 403],
])("the origin %p is answered %d", (origin, status) => {
  expect(ask({ origin })).toBe(status);
});

test.each([
  [{ authorization: `bearer   ${TOKEN}` }, 200],
  [{ authorization: `Bearer ${TOKEN}x` }, 401],
  [{ authorization: `Bearer ${TOKEN.slice(1)}` }, 401],
  [{ authorization: "Bearer" }, 401],
  [{ authorization: TOKEN }, 401],
  [{ "sec-websocket-protocol": `luci.bearer.${TOKEN}` }, 401],
  [{ "sec-websocket-protocol": `luci.v1, luci.bearer.${TOKEN}`, upgrade: "WebSocket" }, 200],
  [{ cookie: `token=${TOKEN}` }, 401],
])("what changes something is done with %p: %d", (headers, status) => {
  expect(ask(headers as Record<string, string>, { method: "POST", path: "/v1/cleanup" })).toBe(status);
});

test.each([
  [true, AUTHORIZED, "/v1/events"],
  [false, {}, "/v1/events"],
  [false, AUTHORIZED, "/page.js"],
])("it says %p of whoever comes with %p to %s: the token was shown", (isKnown, headers, path) => {
  const keep = createGatekeeper({
    token: TOKEN,
    host: "127.0.0.1",
    allowedHosts: [],
    openPaths: new Set(["/page.js"]),
  });
  const request = new Request(`http://x${path}`, { headers: { host: "127.0.0.1:5824", ...headers } });
  expect(keep(request)).toBe(isKnown);
});
