import { afterEach, describe, expect, test } from "bun:test";
import type { LuciError } from "../../../src/domain/errors.ts";
import { parseRefs } from "../../../src/domain/ref.ts";
import { createHttp } from "../../../src/platform/http.ts";
import type { CatalogModel } from "../../../src/sources/catalog-schema.ts";
import { loadCatalog } from "../../../src/sources/catalog.ts";
import { huggingfaceSource } from "../../../src/sources/huggingface.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const signal = new AbortController().signal;
const servers: Bun.Server<undefined>[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

interface Listed {
  readonly path: string;
  readonly [key: string]: unknown;
}

interface HubOptions {
  readonly files?: readonly (string | Listed)[];
  readonly pageSize?: number;
  readonly info?: object;
  readonly answer?: (url: URL) => Response | undefined;
}

/** A hub that lists one repository, `org/repo`. */
function startHub({ files = [], pageSize = 100, info = {}, answer }: HubOptions) {
  const asked: { path: string; token: string | null }[] = [];
  const entries = files.map((file) => (typeof file === "string" ? entry(file) : file));
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const url = new URL(request.url);
      asked.push({ path: url.pathname, token: request.headers.get("authorization") });
      const special = answer?.(url);
      if (special !== undefined) return special;
      if (url.pathname.startsWith("/api/models/org/repo/revision/"))
        return Response.json({ sha: COMMIT, ...info });
      if (url.pathname !== `/api/models/org/repo/tree/${COMMIT}`) {
        return new Response("", { status: 401, headers: { "x-error-code": "RepoNotFound" } });
      }
      const start = Number(url.searchParams.get("cursor") ?? 0);
      const next = `<${url.origin}${url.pathname}?recursive=true&cursor=${start + pageSize}>; rel="next"`;
      const headers = start + pageSize < entries.length ? { link: next } : undefined;
      return Response.json(entries.slice(start, start + pageSize), headers === undefined ? {} : { headers });
    },
  });
  servers.push(server);
  return { endpoint: `http://127.0.0.1:${server.port}`, asked };
}

function entry(path: string): Listed {
  const isLarge = /\.(?:gguf|safetensors|bin|pt|h5|msgpack)$/.test(path);
  const lfs = { oid: sha256(path), size: 1_000, pointerSize: 130 };
  return {
    type: "file",
    oid: "ab".repeat(20),
    size: isLarge ? 1_000 : 10,
    path,
    ...(isLarge ? { lfs } : {}),
  };
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

function sourceFor(endpoint: string, options: { token?: string; allowUnsafe?: boolean } = {}) {
  const http = createHttp({ userAgent: "luci-test", stallMs: 60_000, retries: 0, environment: {} });
  return huggingfaceSource({
    http,
    endpoint,
    token: options.token ?? null,
    allowUnsafe: options.allowUnsafe ?? false,
  });
}

/** Resolves a ref against a hub with these files. */
async function resolve(
  ref: string,
  hub: HubOptions,
  options: { token?: string; allowUnsafe?: boolean } = {},
) {
  const { endpoint, asked } = startHub(hub);
  const plan = await sourceFor(endpoint, options).resolve(parseRefs([ref])[0]!, { signal });
  return { plan, asked, paths: plan.files.map((file) => file.path) };
}

async function failure(pending: Promise<unknown>): Promise<LuciError> {
  return pending.then(
    () => Promise.reject(new Error("it succeeded")),
    (reason: unknown) => reason as LuciError,
  );
}

describe("a plan", () => {
  test("of one quantisation is a plain file, pinned by the hub", async () => {
    const { plan, asked } = await resolve("hf:org/repo:q4_k_m", {
      files: ["sub/x-Q4_K_M.gguf", "sub/x-Q8_0.gguf", "README.md"],
    });
    expect(plan).toMatchObject({
      name: "org/repo:Q4_K_M",
      ref: "hf:org/repo:q4_k_m",
      revision: COMMIT,
      folder: null,
    });
    expect(plan.files).toEqual([
      {
        path: "x-Q4_K_M.gguf",
        sizeBytes: 1_000,
        digest: { algorithm: "sha256", hex: sha256("sub/x-Q4_K_M.gguf") },
        authority: "hub",
        origin: { kind: "huggingface", repo: "org/repo", revision: COMMIT, path: "sub/x-Q4_K_M.gguf" },
      },
    ]);
    expect(asked[0]?.path).toBe("/api/models/org/repo/revision/main");
  });

  test("of a commit does not ask for it", async () => {
    const { plan, asked } = await resolve(`hf:org/repo@${COMMIT}:x.gguf`, { files: ["x.gguf"] });
    expect(asked.map((request) => request.path)).toEqual([`/api/models/org/repo/tree/${COMMIT}`]);
    expect(plan.name).toBe(`org/repo@${COMMIT}:x.gguf`);
  });

  test("of a branch asks for it by its whole name", async () => {
    const { plan, asked } = await resolve("hf:org/repo@refs/pr/1:x.gguf", { files: ["x.gguf"] });
    expect(asked[0]?.path).toBe("/api/models/org/repo/revision/refs%2Fpr%2F1");
    expect(plan.revision).toBe(COMMIT);
  });

  test("of a path in another case is named as listed", async () => {
    const { plan } = await resolve("hf:org/repo:X.GGUF", { files: ["x.gguf"] });
    expect(plan.name).toBe("org/repo:x.gguf");
  });

  test("of a large repository reads every page", async () => {
    const files = Array.from({ length: 25 }, (_, index) => `f${index}.safetensors`);
    const { paths, asked } = await resolve("hf:org/repo", { files, pageSize: 10 });
    expect(paths).toEqual(files);
    expect(asked).toHaveLength(4);
  });

  test("of a repository keeps its layout; small files have git's digest", async () => {
    const { plan } = await resolve("hf:org/repo", {
      files: ["a/config.json", "model.safetensors", ".gitattributes"],
    });
    expect(plan).toMatchObject({ name: "org/repo", folder: "org--repo" });
    expect(plan.files.map(({ path, digest }) => [path, digest?.algorithm])).toEqual([
      ["a/config.json", "git-sha1"],
      ["model.safetensors", "sha256"],
    ]);
  });
});

describe("asking for a file", () => {
  const origin = { kind: "huggingface", repo: "org/repo", revision: COMMIT, path: "a b/x#1%.gguf" } as const;

  test("goes to the hub with every part encoded, the token only if there is one", async () => {
    const endpoint = "https://hub.example/base";
    const url = `${endpoint}/org/repo/resolve/${COMMIT}/a%20b/x%231%25.gguf`;
    expect(await sourceFor(endpoint).locate(origin, { signal })).toEqual({ url, headers: {} });
    expect(await sourceFor(endpoint, { token: "t" }).locate(origin, { signal })).toEqual({
      url,
      headers: { authorization: "Bearer t" },
    });
  });

  test("the hub's own hop tells the version", () => {
    const { validatorOf } = sourceFor("https://hub.example");
    const hop = (headers: Record<string, string>) => ({
      url: "",
      status: 302,
      headers: new Headers(headers),
    });
    const sha = "ab".repeat(32);
    expect(validatorOf(hop({ "x-linked-etag": `"${sha}"`, "x-linked-size": "12", etag: '"x"' }))).toEqual({
      etag: null,
      sha256: sha,
      sizeBytes: 12,
    });
    expect(validatorOf(hop({ etag: '"x"', "x-linked-etag": '"zz"', "x-linked-size": "1e9" }))).toEqual({
      etag: null,
      sha256: null,
      sizeBytes: null,
    });
  });
});

describe("refusals of the hub", () => {
  const status = (code: number, errorCode?: string) => () =>
    new Response("", {
      status: code,
      ...(errorCode === undefined ? {} : { headers: { "x-error-code": errorCode } }),
    });

  test.each([
    ["GatedRepo", 403, undefined, "E_GATED", /Accept the terms at http.*\/org\/repo, then set HF_TOKEN/],
    ["GatedRepo", 403, "t", "E_GATED", /account of your HF_TOKEN/],
    ["RepoNotFound", 401, undefined, "E_NOT_FOUND", /if it is private, set HF_TOKEN/],
    ["RepoNotFound", 404, "t", "E_NOT_FOUND", /Check the spelling/],
    [undefined, 401, "t", "E_AUTH", /still valid/],
    [undefined, 401, undefined, "E_AUTH", /Set HF_TOKEN/],
  ])("%s %i with token %s", async (errorCode, code, token, expected, hint) => {
    const hub = { answer: status(code, errorCode) };
    const error = await failure(resolve("hf:org/repo", hub, token === undefined ? {} : { token }));
    expect(error.code).toBe(expected as LuciError["code"]);
    expect(error.hint).toMatch(hint);
  });

  test("a gated repository without a token stops before the listing", async () => {
    const { endpoint, asked } = startHub({ files: ["x.gguf"], info: { gated: "auto" } });
    const error = await failure(sourceFor(endpoint).resolve(parseRefs(["hf:org/repo"])[0]!, { signal }));
    expect(error.code).toBe("E_GATED");
    expect(asked).toHaveLength(1);
    const { plan } = await resolve(
      "hf:org/repo",
      { files: ["x.gguf"], info: { gated: "auto" } },
      { token: "t" },
    );
    expect(plan.files).toHaveLength(1);
  });

  test("the token goes to the hub and nowhere else", async () => {
    const far = startHub({ answer: () => Response.json({ sha: COMMIT }) });
    const hub = startHub({
      files: ["x.gguf"],
      answer: (url) =>
        url.pathname.includes("/revision/") ? Response.redirect(`${far.endpoint}${url.pathname}`) : undefined,
    });
    await sourceFor(hub.endpoint, { token: "t" }).resolve(parseRefs(["hf:org/repo"])[0]!, { signal });
    expect(hub.asked.map((request) => request.token)).toEqual(["Bearer t", "Bearer t"]);
    expect(far.asked.map((request) => request.token)).toEqual([null]);
  });
});

describe("listings that cannot be believed", () => {
  const large = (more: object): Listed => ({ ...entry("x.gguf"), ...more });
  const lfs = (more: object): Listed => large({ lfs: { oid: sha256("x"), size: 5, ...more } });
  test.each<[string, HubOptions]>([
    ["no list", { answer: (url) => (url.pathname.includes("/tree/") ? Response.json({}) : undefined) }],
    ["no commit", { files: ["x.gguf"], info: { sha: "main" } }],
    ["a size as text", { files: [lfs({ size: "12" })] }],
    ["a negative size", { files: [lfs({ size: -1 })] }],
    ["a size beyond counting", { files: [lfs({ size: 2 ** 63 })] }],
    ["half a byte", { files: [lfs({ size: 0.5 })] }],
    ["no size", { files: [{ type: "file", path: "x.gguf", oid: "ab".repeat(20) }] }],
    ["a short digest", { files: [lfs({ oid: "abc" })] }],
    ["a digest in capitals", { files: [lfs({ oid: "AB".repeat(32) })] }],
    ["a path for a digest", { files: [lfs({ oid: "../../x" })] }],
    ["a path that is a number", { files: [{ ...entry("x"), path: 5 as unknown as string }] }],
    [
      "a next page elsewhere",
      {
        answer: (url) =>
          url.pathname.includes("/tree/")
            ? Response.json([entry("x.gguf")], { headers: { link: '<http://localhost:1/x>; rel="next"' } })
            : undefined,
      },
    ],
  ])("%s", async (_, hub) => {
    expect((await failure(resolve("hf:org/repo", hub))).code).toBe("E_MALFORMED");
  });

  test("an endless listing ends", async () => {
    const page = Response.json(
      Array.from({ length: 30_000 }, (_, index) => ({
        type: "file",
        path: `${index}`,
        oid: "ab".repeat(20),
        size: 1,
      })),
    );
    const body = await page.text();
    const hub: HubOptions = {
      answer: (url) =>
        url.pathname.includes("/tree/")
          ? new Response(body, { headers: { link: `<${url.href}&more>; rel="next"` } })
          : undefined,
    };
    expect((await failure(resolve("hf:org/repo", hub))).message).toContain("more than 100000 files");
  });

  test.each([
    "../x.gguf",
    "/abs.gguf",
    "a/../../b.gguf",
    "..\\x.gguf",
    "C:\\x.gguf",
    "a\u0000.gguf",
    "CON.gguf",
    ".luci/x.gguf",
  ])("the name %j", async (path) => {
    const hub = { files: ["x.gguf", { ...entry("y.gguf"), path }] };
    expect((await failure(resolve("hf:org/repo", hub))).code).toBe("E_UNSAFE_PATH");
  });

  test("two names that are one file", async () => {
    const error = await failure(resolve("hf:org/repo", { files: ["a/X.gguf", "a/x.gguf"] }));
    expect(error.code).toBe("E_UNSAFE_PATH");
    expect(error.message).toContain("a/X.gguf");
  });
});

describe("models of the catalog", () => {
  const digest = sha256("x-Q4_K_M.gguf");
  function catalogModel(files: object[], revision: string | null = null): CatalogModel {
    const models = [
      { name: "mine", tier: 1, source: { hub: "huggingface", repo: "org/repo", revision, files } },
    ];
    return loadCatalog({ files: [{ path: "c", text: JSON.stringify({ version: 1, models }) }] }).find(
      "mine",
    )!;
  }
  const hub = { files: ["x-Q4_K_M.gguf", "mmproj-F16.gguf"] };
  const pinned = { path: "x-Q4_K_M.gguf", size: 1_000, sha256: digest };

  test("entirely pinned: nobody is asked", async () => {
    const { endpoint, asked } = startHub(hub);
    const plan = await sourceFor(endpoint).resolveCatalogModel(catalogModel([pinned], COMMIT), { signal });
    expect(asked).toEqual([]);
    expect(plan).toMatchObject({
      name: "mine",
      ref: "mine",
      revision: COMMIT,
      folder: null,
      source: "huggingface",
    });
    expect(plan.files[0]).toMatchObject({ sizeBytes: 1_000, authority: "catalog", digest: { hex: digest } });
  });

  test("what it leaves open comes from the hub, and says so", async () => {
    const { endpoint } = startHub(hub);
    const model = catalogModel([
      { path: "x-Q4_K_M.gguf", sha256: digest },
      { path: "mmproj-F16.gguf", role: "mmproj" },
    ]);
    const plan = await sourceFor(endpoint).resolveCatalogModel(model, { signal });
    expect(plan.revision).toBe(COMMIT);
    expect(plan.folder).toBe("org--repo");
    expect(plan.files.map(({ authority, sizeBytes }) => [authority, sizeBytes])).toEqual([
      ["catalog", 1_000],
      ["hub", 1_000],
    ]);
  });

  test.each([
    ["another digest", { ...pinned, sha256: "00".repeat(32) }, "E_CHANGED"],
    ["another size", { ...pinned, size: 999 }, "E_CHANGED"],
    ["no such file", { ...pinned, path: "gone.gguf" }, "E_NOT_FOUND"],
  ])("the hub has %s", async (_, file, code) => {
    const { endpoint } = startHub(hub);
    const error = await failure(sourceFor(endpoint).resolveCatalogModel(catalogModel([file]), { signal }));
    expect(error.code).toBe(code as LuciError["code"]);
    expect(error.hint).toContain("hf:org/repo");
  });

  test("files that run code need leave, whisper's do not", async () => {
    const { endpoint } = startHub(hub);
    const bad = catalogModel([{ ...pinned, path: "x.pt" }], COMMIT);
    expect((await failure(sourceFor(endpoint).resolveCatalogModel(bad, { signal }))).code).toBe(
      "E_UNSAFE_FILE",
    );
    expect(
      (await sourceFor(endpoint, { allowUnsafe: true }).resolveCatalogModel(bad, { signal })).files,
    ).toHaveLength(1);
    const good = catalogModel([{ ...pinned, path: "ggml-base.bin" }], COMMIT);
    expect((await sourceFor(endpoint).resolveCatalogModel(good, { signal })).files[0]?.path).toBe(
      "ggml-base.bin",
    );
  });
});
