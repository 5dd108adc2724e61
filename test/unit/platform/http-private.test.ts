// A public server must not send luci into a private network, however it spells the way. Names are resolved
// by the test, so that nothing is asked of any network.

import { describe, expect, test } from "bun:test";
import { type Lookup, rankOfHost } from "../../../src/platform/http-address.ts";
import { follow } from "../../../src/platform/http-redirect.ts";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "hub.example": ["93.184.216.34", "2606:2800:220:1::1"],
  "cdn.example": ["151.101.1.1"],
  "lan.example": ["10.1.2.3"],
  "mixed.example": ["93.184.216.34", "192.168.1.1"],
  "mixed-first.example": ["192.168.1.1", "93.184.216.34"],
  "mixed6.example": ["2606:2800:220:1::1", "fd00::1"],
  "rebound.example": ["127.0.0.1"],
  "mapped.example": ["::ffff:169.254.169.254"],
  "metadata.google.internal": ["169.254.169.254"],
  "any.example": ["0.0.0.0"],
};

const lookup: Lookup = async (hostname) => {
  const answers = NAMES[hostname];
  if (answers === undefined) throw new Error("no such name");
  return answers;
};

/** Where a redirect from one address to another leads: the addresses that were really asked. */
async function asked(from: string, location: string): Promise<{ urls: string[]; error: unknown }> {
  const urls: string[] = [];
  const answers = [new Response("", { status: 302, headers: { location } }), new Response("inside")];
  const error: unknown = await follow(from, {
    common: {},
    own: {},
    send: async (url) => {
      urls.push(url);
      return answers.shift() ?? new Response("");
    },
    rankOf: (hostname) => rankOfHost(hostname, lookup),
  }).then(
    () => null,
    (reason: unknown) => reason,
  );
  return { urls, error };
}

describe("a redirect from a public host", () => {
  test.each([
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/",
    "https://127%E3%80%820%E3%80%820%E3%80%821/",
    "https://%31%32%37.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::1]/",
    "https://[2002:a9fe:a9fe::]/",
    "https://[fe80::5efe:10.0.0.1]/",
    "https://[2606:4700::5efe:a00:1]/",
    "https://[2001:0:a00:1::1]/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://db.localhost/",
    "https://10.0.0.1/",
    "https://167772161/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://0300.0250.0.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fd12:3456::1]/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://lan.example/",
    "https://LAN.example./",
    "https://mixed.example/",
    "https://mixed-first.example/",
    "https://mixed6.example/",
    "https://rebound.example/",
    "https://mapped.example/",
    "https://metadata.google.internal/",
    "https://any.example/",
    "//10.0.0.1/",
    "\\\\10.0.0.1\\",
    "https:\\\\10.0.0.1/",
    "https://user:pass@10.0.0.1/",
    "https://hub.example@10.0.0.1/",
  ])("to %s is refused, and nothing there is asked", async (location) => {
    const { urls, error } = await asked("https://hub.example/file", location);
    expect(error).toMatchObject({ code: "E_UNSAFE_URL", exit: 10 });
    expect(urls).toEqual(["https://hub.example/file"]);
  });

  test.each([
    "http://cdn.example/",
    "http://127.0.0.1/",
    "ftp://cdn.example/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "javascript:alert(1)",
    "blob:https://hub.example/1",
  ])("to %s is refused: it is not https", async (location) => {
    const { urls, error } = await asked("https://hub.example/file", location);
    expect(error).toMatchObject({ code: "E_UNSAFE_URL", exit: 10 });
    expect(urls).toHaveLength(1);
  });

  test.each(["https://cdn.example/", "https://93.184.216.35/", "https://[2606:4700::1111]/", "/other"])(
    "to %s is followed",
    async (location) => {
      const { urls, error } = await asked("https://hub.example/file", location);
      expect(error).toBeNull();
      expect(urls).toEqual(["https://hub.example/file", new URL(location, "https://hub.example").href]);
    },
  );
});

test("a server of a private network may lead to another one there, not to this machine", async () => {
  expect((await asked("https://10.0.0.2/", "https://10.0.0.1/")).error).toBeNull();
  expect((await asked("https://10.0.0.2/", "https://cdn.example/")).error).toBeNull();
  expect((await asked("https://10.0.0.2/", "https://127.1/")).error).toMatchObject({ code: "E_UNSAFE_URL" });
  expect((await asked("https://10.0.0.2/", "https://169.254.169.254/")).error).toMatchObject({
    code: "E_UNSAFE_URL",
  });
});
