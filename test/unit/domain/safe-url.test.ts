import { describe, expect, test } from "bun:test";
import { checkUrl, isLoopbackHost, redactUrl, withoutSecrets } from "../../../src/domain/safe-url.ts";

describe("checkUrl", () => {
  test.each([
    ["https://example.org/x", "https://example.org/x"],
    ["https://user:pass@example.org/x", "https://example.org/x"],
    ["http://127.1:80/x", "http://127.0.0.1/x"],
    ["http://2130706433/x", "http://127.0.0.1/x"],
    ["http://[::1]:8/x", "http://[::1]:8/x"],
    ["http://localhost:8/x", "http://localhost:8/x"],
  ])("%s", (text, href) => {
    expect(checkUrl(text).href).toBe(href);
  });

  test.each([
    "http://example.org",
    "http://192.168.0.1",
    "http://localhost.example.org",
    "ftp://localhost",
    "file:///x",
    "data:,x",
    "x",
    "",
  ])("refuses %s", (text) => {
    expect(() => checkUrl(text)).toThrow(expect.objectContaining({ code: "E_UNSAFE_URL" }));
  });
});

test.each([
  ["localhost", true],
  ["127.255.0.1", true],
  ["[::1]", true],
  ["127.0.0.1.example.org", false],
  ["10.0.0.1", false],
  ["0.0.0.0", false],
])("%s is this machine: %s", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

test.each([
  ["https://u:p@example.org:8/a/b?sig=s#f", "https://example.org:8/a/b?…"],
  ["https://example.org/a", "https://example.org/a"],
  ["data:text/plain,secret", "data:…"],
  ["https://u:p@[bad/x?sig=s", '"https://[bad/x"'],
  ["https://u:p/q@example.org/x", '"https://example.org/x"'],
])("%s is shown as %s", (text, shown) => {
  expect(redactUrl(text)).toBe(shown);
});

describe("withoutSecrets", () => {
  test.each([
    ["X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Date=d&X-Amz-Expires=9&X-Amz-Signature=s&id=5", "id=5"],
    ["Expires=1&Policy=p&Signature=s&Key-Pair-Id=k", ""],
    ["sv=1&se=2&sr=b&sp=r&sig=s&v=7", "v=7"],
    ["access_token=t&file=x", "file=x"],
    ["token=t", ""],
    ["api_key=k&n=1", "n=1"],
    ["download=true&expires=5", "download=true&expires=5"],
    ["tokenizer=bpe&author=me", "tokenizer=bpe&author=me"],
  ])("%s becomes %s", (query, left) => {
    const stored = withoutSecrets(`https://u:p@example.org/x.gguf?${query}#frag`);
    expect(stored).toBe(`https://example.org/x.gguf${left === "" ? "" : `?${left}`}`);
  });
});
