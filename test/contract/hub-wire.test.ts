// What Hugging Face's client does not look at: hops, refusals, ranges, expiry, the log and ordered trouble,
// held against the documented wire.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomContent } from "../../src/demo/content.ts";
import type { Content } from "../../src/demo/content.ts";
import { startHub } from "../../src/demo/hub.ts";
import type { Hub } from "../../src/demo/hub.ts";
import type { Trouble } from "../../src/demo/hub-trouble.ts";
import {
  BEARER,
  COMMIT,
  failureOf,
  gitSha1,
  MIB,
  README,
  startTinyHub,
  WEIGHTS_BYTES,
} from "../support/tiny-hub.ts";

const GIB = 1024 * MIB;

let hub: Hub;
let weights: Content;

beforeEach(async () => {
  ({ hub, weights } = await startTinyHub());
});

afterEach(async () => {
  await hub.stop();
});

const resolveUrl = (path: string, repo = "org/tiny") => `${hub.url}/${repo}/resolve/main/${path}`;

/** The first hop only, as a client that wants the hub's own word asks. */
const firstHop = (url: string, init: RequestInit = {}) => fetch(url, { redirect: "manual", ...init });

async function cdnAddress(path = "tiny-Q4_K_M.gguf"): Promise<string> {
  const answer = await firstHop(resolveUrl(path), { method: "HEAD" });
  return answer.headers.get("location") ?? "";
}

describe("the first hop", () => {
  test("says what a large file is and sends the bytes elsewhere", async () => {
    for (const method of ["HEAD", "GET"]) {
      const answer = await firstHop(resolveUrl("tiny-Q4_K_M.gguf"), { method });
      expect(answer.status).toBe(302);
      expect(answer.headers.get("x-linked-etag")).toBe(`"${weights.sha256}"`);
      expect(answer.headers.get("x-linked-size")).toBe(String(weights.sizeBytes));
      expect(answer.headers.get("x-repo-commit")).toBe(COMMIT);
      const location = new URL(answer.headers.get("location") ?? "");
      expect(location.origin).toBe(hub.cdnUrl);
      expect(location.searchParams.has("Expires") && location.searchParams.has("Signature")).toBe(true);
    }
  });

  test("serves a small file itself, in ranges too", async () => {
    const answer = await firstHop(resolveUrl("README.md"), { headers: { Range: "bytes=2-4" } });
    expect([answer.status, answer.headers.get("content-range"), await answer.text()]).toEqual([
      206,
      `bytes 2-4/${README.length}`,
      "A m",
    ]);
    expect(answer.headers.get("etag")).toBe(`"${gitSha1(README)}"`);
    expect(answer.headers.get("x-repo-commit")).toBe(COMMIT);
  });

  test("moves small files to a relative address when told to", async () => {
    await hub.stop();
    hub = await startHub({
      movesSmallFiles: true,
      repos: [{ name: "org/tiny", commit: COMMIT, files: [{ path: "a/b c.json", content: "{}" }] }],
    });
    const answer = await firstHop(resolveUrl("a/b%20c.json"));
    expect(answer.status).toBe(307);
    expect(answer.headers.get("location")).toBe(`/api/resolve-cache/models/org/tiny/${COMMIT}/a/b%20c.json`);
    expect(answer.headers.get("x-linked-size")).toBe("2");
    expect(await (await fetch(resolveUrl("a/b%20c.json"))).text()).toBe("{}");
  });

  test.each([
    ["org/none", "README.md", {}, 401, "RepoNotFound"],
    ["org/none", "README.md", BEARER, 404, "RepoNotFound"],
    ["org/private", "README.md", {}, 401, "RepoNotFound"],
    ["org/private", "README.md", BEARER, 200, null],
    ["org/gated", "README.md", {}, 401, "GatedRepo"],
    ["org/gated", "README.md", BEARER, 200, null],
    ["org/denied", "README.md", BEARER, 403, "GatedRepo"],
    ["org/tiny", "nope.txt", {}, 404, "EntryNotFound"],
    ["org/tiny", "README.md", { Authorization: "Bearer nonsense" }, 401, null],
  ] as const)("%s %s with %o answers %d %s", async (...row) => {
    const [repo, path, headers, status, code] = row;
    const answer = await firstHop(resolveUrl(path, repo), { headers });
    expect([answer.status, answer.headers.get("x-error-code")]).toEqual([status, code]);
  });

  test("does not know a revision nobody published, and keeps old ones", async () => {
    const missing = await firstHop(`${hub.url}/org/tiny/resolve/v9/README.md`);
    expect([missing.status, missing.headers.get("x-error-code")]).toEqual([404, "RevisionNotFound"]);
    const next = hub.publish({ name: "org/tiny", files: [{ path: "README.md", content: "new" }] });
    expect(await (await fetch(resolveUrl("README.md"))).text()).toBe("new");
    expect(await (await fetch(`${hub.url}/org/tiny/resolve/${COMMIT}/README.md`)).text()).toBe(README);
    const refs = await (await fetch(`${hub.url}/api/models/org/tiny/refs`)).json();
    expect(refs).toMatchObject({ branches: [{ name: "main", targetCommit: next }] });
  });
});

describe("the API", () => {
  test("takes the form fields that huggingface_hub posts", async () => {
    const body = new URLSearchParams([
      ["paths", "README.md"],
      ["paths", "tokenizer"],
      ["expand", "True"],
    ]);
    const answer = await fetch(`${hub.url}/api/models/org/tiny/paths-info/main`, { method: "POST", body });
    expect(await answer.json()).toMatchObject([
      { type: "file", path: "README.md", size: README.length, lastCommit: { id: COMMIT } },
      { type: "directory", path: "tokenizer" },
    ]);
  });

  test("tells sizes and digests with blobs=true, for a legacy name and a default branch too", async () => {
    const info = (await (await fetch(`${hub.url}/api/models/gpt2?blobs=true`)).json()) as {
      siblings: unknown[];
    };
    expect(info.siblings).toContainEqual({
      rfilename: "tiny-Q4_K_M.gguf",
      blobId: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
      size: WEIGHTS_BYTES,
      lfs: { sha256: weights.sha256, size: WEIGHTS_BYTES, pointerSize: expect.any(Number) as number },
    });
  });

  test("shows the LFS pointer as the raw file", async () => {
    const pointer = await (await fetch(`${hub.url}/org/tiny/raw/main/tiny-Q4_K_M.gguf`)).text();
    expect(pointer).toContain(`oid sha256:${weights.sha256}\nsize ${WEIGHTS_BYTES}\n`);
  });

  test("lists hostile names as they are", async () => {
    const path = "../../etc/pass\u001b[31mwd";
    hub.publish({ name: "org/evil", files: [{ path, content: "x" }] });
    const tree = await (await fetch(`${hub.url}/api/models/org/evil/tree/main?recursive=true`)).json();
    expect(tree).toContainEqual({ type: "file", path, size: 1, oid: gitSha1("x") });
  });
});

describe("the CDN", () => {
  test.each([
    ["bytes=0-0", 206, 0, 1],
    ["bytes=100-199", 206, 100, 200],
    ["bytes=2097160-", 206, 2097160, WEIGHTS_BYTES],
    ["bytes=-5", 206, 2 * MIB + 8, WEIGHTS_BYTES],
    ["bytes=2097160-99999999", 206, 2097160, WEIGHTS_BYTES],
    ["bytes=9-3", 200, 0, WEIGHTS_BYTES],
    ["bytes=0-1,5-6", 200, 0, WEIGHTS_BYTES],
    ["lines=1-2", 200, 0, WEIGHTS_BYTES],
  ] as const)("answers %s with %d", async (...row) => {
    const [range, status, startBytes, endBytes] = row;
    const answer = await fetch(await cdnAddress(), { headers: { Range: range } });
    expect(answer.status).toBe(status);
    const size = weights.sizeBytes;
    expect(answer.headers.get("content-range")).toBe(
      status === 206 ? `bytes ${startBytes}-${endBytes - 1}/${size}` : null,
    );
    expect(answer.headers.get("content-length")).toBe(String(endBytes - startBytes));
    const body = new Uint8Array(await answer.arrayBuffer());
    expect(Buffer.compare(body, weights.read(startBytes, endBytes))).toBe(0);
  });

  test("answers 416 behind the end, with the size", async () => {
    const answer = await fetch(await cdnAddress(), { headers: { Range: `bytes=${weights.sizeBytes}-` } });
    expect([answer.status, answer.headers.get("content-range")]).toEqual([
      416,
      `bytes */${weights.sizeBytes}`,
    ]);
  });

  test("sends everything when If-Range names another version", async () => {
    const url = await cdnAddress();
    const etag = (await fetch(url, { method: "HEAD" })).headers.get("etag") ?? "";
    expect(etag).not.toContain(weights.sha256);
    const same = await fetch(url, { headers: { Range: "bytes=0-9", "If-Range": etag } });
    const other = await fetch(url, { headers: { Range: "bytes=0-9", "If-Range": '"other"' } });
    expect([same.status, other.status]).toEqual([206, 200]);
    await other.body?.cancel();
  });

  test("opens for the signature it gave, until it expires", async () => {
    const url = await cdnAddress();
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
    for (const [name, value] of [
      ["Signature", "x"],
      ["Expires", "9999999999"],
    ] as const) {
      const forged = new URL(url);
      forged.searchParams.set(name, value);
      expect((await fetch(forged)).status).toBe(403);
    }
    expect((await fetch(`${hub.cdnUrl}${new URL(url).pathname}`)).status).toBe(403);
    hub.expireLinks();
    expect((await fetch(url)).status).toBe(403);
    expect((await fetch(await cdnAddress(), { method: "HEAD" })).status).toBe(200);
    hub.behave({ linkLifeMs: -1000 });
    expect((await fetch(await cdnAddress())).status).toBe(403);
  });

  test("serves 4 GiB from a generator without holding it, at any offset", async () => {
    const huge = randomContent({ seed: 5, sizeBytes: 4 * GIB, sha256: "a".repeat(64) });
    hub.publish({ name: "org/huge", files: [{ path: "huge.gguf", content: huge }] });
    const rssBefore = process.memoryUsage().rss;
    const answer = await fetch(resolveUrl("huge.gguf", "org/huge"), {
      headers: { Range: `bytes=${4 * GIB - 1000}-` },
    });
    expect<Uint8Array>(new Uint8Array(await answer.arrayBuffer())).toEqual(
      huge.read(4 * GIB - 1000, 4 * GIB),
    );
    const whole = await fetch(resolveUrl("huge.gguf", "org/huge"));
    expect(whole.headers.get("content-length")).toBe(String(4 * GIB));
    let readBytes = 0;
    for await (const chunk of whole.body!) {
      readBytes += chunk.length;
      if (readBytes >= 64 * MIB) break;
    }
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(150 * MIB);
    const served = hub.servedBytes((entry) => entry.origin === "cdn" && entry.range === null);
    expect(served).toBeGreaterThanOrEqual(64 * MIB);
    expect(served).toBeLessThan(128 * MIB);
  });

  test("keeps to the rate of each answer", async () => {
    hub.behave({ rateBytesPerSec: 4 * MIB });
    const startMs = performance.now();
    await (await fetch(await cdnAddress())).arrayBuffer();
    expect(performance.now() - startMs).toBeGreaterThan(450);
  });

  test("keeps to a new rate in the middle of a body", async () => {
    const { signal } = new AbortController();
    const isBody = ({ origin }: { origin: string }): boolean => origin === "cdn";
    hub.behave({ rateBytesPerSec: 4 * MIB });
    const body = (await fetch(await cdnAddress())).arrayBuffer();
    await hub.whenServed(1, { filter: isBody, signal });
    // At this rate the next piece alone would take half an hour.
    hub.behave({ rateBytesPerSec: 100 });
    await hub.whenServed(300_000, { filter: isBody, signal });
    hub.behave({ rateBytesPerSec: null });
    expect((await body).byteLength).toBe(weights.sizeBytes);
  });
});

describe("the log", () => {
  test("counts the bytes of every request and starts anew", async () => {
    await (
      await fetch(resolveUrl("tiny-Q4_K_M.gguf"), {
        headers: { ...BEARER, Range: "bytes=0-99", "User-Agent": "me" },
      })
    ).arrayBuffer();
    const [first, second] = hub.log();
    expect(first).toMatchObject({
      origin: "hub",
      method: "GET",
      path: "/org/tiny/resolve/main/tiny-Q4_K_M.gguf",
      status: 302,
    });
    expect(first?.headers.authorization).toBe(BEARER.Authorization);
    expect(second).toMatchObject({
      origin: "cdn",
      range: "bytes=0-99",
      status: 206,
      bytesServed: 100,
      isComplete: true,
    });
    expect(second?.headers).toMatchObject({ authorization: null, userAgent: "me" });
    expect(second?.path).not.toContain("Signature");
    hub.reset();
    expect([hub.log().length, hub.servedBytes()]).toEqual([0, 0]);
  });

  test("records a token that reaches the CDN", async () => {
    await (await fetch(await cdnAddress(), { headers: { ...BEARER, Range: "bytes=0-0" } })).arrayBuffer();
    expect(hub.log((entry) => entry.origin === "cdn")[0]?.headers.authorization).toBe(BEARER.Authorization);
  });

  test("counts what went out when the client leaves, and tells when it has", async () => {
    hub.behave({ rateBytesPerSec: MIB });
    const leave = new AbortController();
    const answer = await fetch(await cdnAddress(), { signal: leave.signal });
    await hub.whenServed(200_000, {
      filter: (entry) => entry.origin === "cdn",
      signal: AbortSignal.timeout(60_000),
    });
    leave.abort();
    expect(await failureOf(answer.arrayBuffer())).toBeInstanceOf(Error);
    hub.behave({ rateBytesPerSec: null });
    await hub.stop();
    const entry = hub.log((one) => one.origin === "cdn").at(-1);
    expect(entry?.isComplete).toBe(false);
    expect(entry?.bytesServed).toBeGreaterThanOrEqual(200_000);
    expect(entry?.bytesServed).toBeLessThan(MIB);
  });
});

describe("ordered trouble", () => {
  const get = async (range = "bytes=1000-1999") => {
    const answer = await fetch(await cdnAddress(), { headers: { Range: range } });
    return { answer, body: new Uint8Array(await answer.arrayBuffer()) };
  };
  const onCdn = (trouble: Trouble) =>
    hub.behave({ intercept: (request) => (request.origin === "cdn" ? trouble : undefined) });

  test("cuts the connection after some bytes", async () => {
    onCdn({ cutAfterBytes: 300 });
    expect((await failureOf(get())).code).toBe("ECONNRESET");
    expect(hub.log().at(-1)).toMatchObject({ bytesServed: 300, isComplete: false });
    onCdn({ cutAfterBytes: 0 });
    expect((await failureOf(get())).code).toBe("ECONNRESET");
  });

  test("ignores a range, shifts it, or flips bits", async () => {
    onCdn({ ignoresRange: true });
    const whole = await get();
    expect([whole.answer.status, whole.body.length]).toEqual([200, weights.sizeBytes]);
    onCdn({ shiftBytes: 7 });
    const shifted = await get();
    expect(shifted.answer.headers.get("content-range")).toBe(`bytes 1007-2006/${weights.sizeBytes}`);
    expect<Uint8Array>(shifted.body).toEqual(weights.read(1007, 2007));
    onCdn({ corrupt: (piece: Uint8Array) => piece.map((byte) => byte ^ 1) });
    expect<Uint8Array>((await get()).body).toEqual(weights.read(1000, 2000).map((byte) => byte ^ 1));
  });

  test("changes status and headers", async () => {
    onCdn({ status: 503, headers: { "retry-after": "2", etag: null } });
    const { answer } = await get();
    expect([answer.status, answer.headers.get("retry-after"), answer.headers.get("etag")]).toEqual([
      503,
      "2",
      null,
    ]);
  });

  test("leaves out the length: chunked, or ended by the connection", async () => {
    for (const framing of ["chunked", "close"] as const) {
      onCdn({ framing });
      const { answer, body } = await get();
      expect(answer.headers.get("content-length")).toBeNull();
      expect(answer.headers.get("transfer-encoding")).toBe(framing === "chunked" ? "chunked" : null);
      expect<Uint8Array>(body).toEqual(weights.read(1000, 2000));
    }
    onCdn({ framing: "chunked", cutAfterBytes: 300 });
    expect(await failureOf(get())).toBeInstanceOf(Error);
  });

  test("stalls until the client gives up, and answers in its own words", async () => {
    onCdn({ stallAfterBytes: 300 });
    const leave = new AbortController();
    const answer = await fetch(await cdnAddress(), {
      headers: { Range: "bytes=0-999" },
      signal: leave.signal,
    });
    const body = failureOf(answer.arrayBuffer());
    await hub.whenServed(300, {
      filter: (entry) => entry.origin === "cdn",
      signal: AbortSignal.timeout(60_000),
    });
    expect(await Promise.race([body, Bun.sleep(300).then(() => "silence")])).toBe("silence");
    leave.abort();
    expect(await body).toBeInstanceOf(Error);
    expect(hub.log().at(-1)).toMatchObject({ bytesServed: 300, isComplete: false });
    hub.behave({ intercept: () => new Response("teapot", { status: 418, headers: { "x-own": "1" } }) });
    const own = await fetch(resolveUrl("README.md"));
    expect([own.status, await own.text(), own.headers.get("x-own")]).toEqual([418, "teapot", "1"]);
  });
});
