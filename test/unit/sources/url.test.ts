import { afterEach, describe, expect, test } from "bun:test";
import type { LuciError } from "../../../src/domain/errors.ts";
import type { Ref } from "../../../src/domain/ref.ts";
import { parseRefs } from "../../../src/domain/ref.ts";
import { createHttp } from "../../../src/platform/http.ts";
import { nameOfAnswer, parseDisposition } from "../../../src/sources/url-name.ts";
import { urlSource } from "../../../src/sources/url.ts";

const SHA = "ab".repeat(32);
const signal = new AbortController().signal;
const servers: Bun.Server<undefined>[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

function serve(answer: (request: Request) => Response) {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  servers.push(server);
  return `http://127.0.0.1:${server.port}`;
}

function makeSource(options: { sha256?: string; allowUnsafe?: boolean } = {}) {
  const http = createHttp({ userAgent: "luci-test", stallMs: 60_000, retries: 0, environment: {} });
  return urlSource({
    urls: [],
    http,
    sha256: options.sha256 ?? null,
    allowUnsafe: options.allowUnsafe ?? false,
  });
}

function refOf(text: string): Ref {
  return parseRefs([text])[0]!;
}

const file = (headers: Record<string, string> = {}) =>
  new Response("a", { status: 206, headers: { "content-range": "bytes 0-0/1234", ...headers } });

async function failure(pending: Promise<unknown>): Promise<LuciError> {
  return pending.then(
    () => Promise.reject(new Error("it succeeded")),
    (reason: unknown) => reason as LuciError,
  );
}

describe("a plan", () => {
  test("is one file of the announced size, unverified unless a digest is given", async () => {
    const methods: string[] = [];
    const url = serve((request) => {
      methods.push(`${request.method} ${request.headers.get("range")}`);
      return file();
    });
    const plan = await makeSource().resolve(refOf(`${url}/dir/My%20Model.Q4_0.gguf`), { signal });
    expect(plan).toMatchObject({ name: "my model.q4_0", source: "url", revision: null, folder: null });
    expect(plan.files).toEqual([
      {
        path: "My Model.Q4_0.gguf",
        sizeBytes: 1_234,
        digest: null,
        authority: "none",
        origin: { kind: "url", url: `${url}/dir/My%20Model.Q4_0.gguf` },
      },
    ]);
    expect(plan.notices).toHaveLength(1);
    expect(methods).toEqual(["GET bytes=0-0"]);
  });

  test.each([
    ["in the address", `#sha256=${SHA}`, undefined],
    ["beside it", "", SHA.toUpperCase()],
    ["both, the same", `#sha256=${SHA}`, SHA],
  ])("has the user's digest, given %s", async (_, fragment, sha256) => {
    const url = serve(() => file());
    const source = makeSource(sha256 === undefined ? {} : { sha256 });
    const plan = await source.resolve(refOf(`${url}/x.gguf${fragment}`), { signal });
    expect(plan.files[0]).toMatchObject({ authority: "user", digest: { algorithm: "sha256", hex: SHA } });
    expect(plan.notices).toEqual([]);
  });

  test("two different digests are refused", async () => {
    const url = serve(() => file());
    const source = makeSource({ sha256: "00".repeat(32) });
    expect((await failure(source.resolve(refOf(`${url}/x.gguf#sha256=${SHA}`), { signal }))).code).toBe(
      "E_USAGE",
    );
  });

  test("keeps signatures out of what is stored and uses them to fetch", async () => {
    const url = serve(() => file());
    const source = makeSource();
    const plan = await source.resolve(refOf(`${url}/x.gguf?v=1&Signature=secret&Expires=9`), { signal });
    expect(JSON.stringify(plan)).not.toContain("secret");
    const { origin } = plan.files[0]!;
    expect(origin).toEqual({ kind: "url", url: `${url}/x.gguf?v=1` });
    expect((await source.locate(origin, { signal })).url).toBe(
      `${url}/x.gguf?v=1&Signature=secret&Expires=9`,
    );
    expect((await makeSource().locate(origin, { signal })).url).toBe(`${url}/x.gguf?v=1`);
  });

  test("of a server without ranges takes its length", async () => {
    const url = serve(() => new Response("hello"));
    expect((await makeSource().resolve(refOf(`${url}/x.gguf`), { signal })).files[0]?.sizeBytes).toBe(5);
  });

  test("of a chunked answer has no size", async () => {
    const resolved = Promise.withResolvers<void>();
    // What is whole when it is sent has a size.
    async function* chunks() {
      yield "a";
      await resolved.promise;
      yield "b";
    }
    const url = serve(() => new Response(chunks()));
    const plan = await makeSource().resolve(refOf(`${url}/x.gguf`), { signal });
    resolved.resolve();
    expect(plan.files[0]?.sizeBytes).toBeNull();
  });
});

describe("refusals", () => {
  test("a web page is not a model", async () => {
    const url = serve(
      () => new Response("<html>", { headers: { "content-type": "text/html; charset=utf-8" } }),
    );
    const error = await failure(makeSource().resolve(refOf(`${url}/x.gguf`), { signal }));
    expect(error.code).toBe("E_MALFORMED");
    expect(error.message).toContain("web page");
  });

  test("neither size nor digest", async () => {
    const url = serve(() => new Response("a", { status: 206, headers: { "content-range": "bytes 0-0/*" } }));
    expect((await failure(makeSource().resolve(refOf(`${url}/x.gguf`), { signal }))).code).toBe(
      "E_UNVERIFIED",
    );
    const plan = await makeSource().resolve(refOf(`${url}/x.gguf#sha256=${SHA}`), { signal });
    expect(plan.files[0]).toMatchObject({ sizeBytes: null, authority: "user" });
  });

  test("an empty file", async () => {
    const url = serve(() => new Response(""));
    const error = await failure(makeSource().resolve(refOf(`${url}/x.gguf#sha256=${SHA}`), { signal }));
    expect(error.code).toBe("E_MALFORMED");
  });

  test("files that run code, unless allowed", async () => {
    const url = serve(() => file());
    expect((await failure(makeSource().resolve(refOf(`${url}/x.pt`), { signal }))).code).toBe(
      "E_UNSAFE_FILE",
    );
    expect(
      (await makeSource({ allowUnsafe: true }).resolve(refOf(`${url}/x.pt`), { signal })).files,
    ).toHaveLength(1);
    expect((await makeSource().resolve(refOf(`${url}/ggml-tiny.bin`), { signal })).files).toHaveLength(1);
  });

  test("an expired signature is told as such", async () => {
    const url = serve(() => new Response("", { status: 403 }));
    const error = await failure(makeSource().resolve(refOf(`${url}/x.gguf?sig=secret`), { signal }));
    expect(error.code).toBe("E_AUTH");
    expect(error.hint).toContain("expired");
    expect(error.message).not.toContain("secret");
  });

  test("a name that leaves the folder", async () => {
    const url = serve(() => file({ "content-disposition": 'attachment; filename="../../x.gguf"' }));
    expect((await failure(makeSource().resolve(refOf(`${url}/download`), { signal }))).code).toBe(
      "E_UNSAFE_PATH",
    );
    expect((await failure(makeSource().resolve(refOf(`${url}/..%2Fx.gguf`), { signal }))).code).toBe(
      "E_UNSAFE_PATH",
    );
    expect((await failure(makeSource().resolve(refOf(`${url}/a%5Cx.gguf`), { signal }))).code).toBe(
      "E_UNSAFE_PATH",
    );
    expect((await failure(makeSource().resolve(refOf(`${url}/.luci`), { signal }))).code).toBe(
      "E_UNSAFE_PATH",
    );
  });
});

describe("names", () => {
  test.each([
    ["https://a/x.gguf", null, "x.gguf"],
    ["https://a/x.gguf", 'attachment; filename="y.gguf"', "x.gguf"],
    ["https://a/download", 'attachment; filename="y.gguf"', "y.gguf"],
    ["https://a/download/", "attachment; filename=y.gguf; size=3", "y.gguf"],
    ["https://a/1.0", "attachment; filename*=UTF-8''caf%C3%A9.gguf; filename=b.gguf", "café.gguf"],
    ["https://a/model", null, "model"],
    ["https://a/100%.gguf", null, "100%.gguf"],
  ])("%s with %p is %s", (url, disposition, name) => {
    const headers = new Headers();
    // Header values reach us as Latin-1 at most: only ASCII is put in here.
    if (disposition !== null) headers.set("content-disposition", disposition);
    expect(nameOfAnswer(url, headers)).toBe(name);
  });

  test("a folder in the name is refused", () => {
    const headers = new Headers({ "content-disposition": 'attachment; filename="a/x.gguf"' });
    expect(() => nameOfAnswer("https://a/download", headers)).toThrow(/names a folder/);
  });

  test("none at all is refused", () => {
    expect(() => nameOfAnswer("https://a/", new Headers())).toThrow(
      expect.objectContaining({ code: "E_MALFORMED" }),
    );
  });

  test("quoted names may hold anything", () => {
    expect(parseDisposition('attachment; filename="a \\"b\\"; c.gguf"')).toBe('a "b"; c.gguf');
    expect(parseDisposition("inline")).toBeNull();
  });
});

test("only a strong ETag of the file itself tells its version", () => {
  const { validatorOf } = makeSource();
  const etagOf = (status: number, etag: string) =>
    validatorOf({ url: "", status, headers: new Headers(etag === "" ? {} : { etag }) }).etag;
  expect(etagOf(206, '"v1"')).toBe('"v1"');
  expect(etagOf(200, 'W/"v1"')).toBeNull();
  expect(etagOf(200, "v1")).toBeNull();
  expect(etagOf(302, '"v1"')).toBeNull();
  expect(etagOf(200, "")).toBeNull();
});
