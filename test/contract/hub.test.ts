// The embedded hub speaks the real protocol: Hugging Face's own JavaScript client must accept it.

import { gguf } from "@huggingface/gguf";
import {
  downloadFile,
  fileDownloadInfo,
  HubApiError,
  listFiles,
  modelInfo,
  parseSafetensorsMetadata,
  pathsInfo,
  snapshotDownload,
} from "@huggingface/hub";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Content } from "../../src/demo/content.ts";
import { startHub } from "../../src/demo/hub.ts";
import type { Hub } from "../../src/demo/hub.ts";
import { tempHome } from "../support/temp-home.ts";
import {
  COMMIT,
  failureOf,
  gitSha1,
  README,
  SAFETENSORS_BYTES,
  startTinyHub,
  TOKEN,
} from "../support/tiny-hub.ts";

let hub: Hub;
let weights: Content;

beforeEach(async () => {
  ({ hub, weights } = await startTinyHub());
});

afterEach(async () => {
  await hub.stop();
});

function sha256(bytes: Uint8Array | ArrayBuffer): string {
  return createHash("sha256").update(new Uint8Array(bytes)).digest("hex");
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("huggingface.js", () => {
  test("lists files with their LFS digests", async () => {
    const entries = await collect(listFiles({ repo: "org/tiny", recursive: true, hubUrl: hub.url }));
    expect(entries.map((entry) => `${entry.type} ${entry.path}`)).toEqual([
      "file README.md",
      "file tiny-Q4_K_M.gguf",
      "directory tokenizer",
      "directory tokenizer/deep",
      "file tokenizer/deep/merges.txt",
      "file tokenizer/vocab.json",
    ]);
    const file = entries.find((entry) => entry.path.endsWith(".gguf"));
    expect(file?.size).toBe(weights.sizeBytes);
    expect(file?.lfs?.oid).toBe(sha256(weights.read(0, weights.sizeBytes)));
    expect(entries[0]).toEqual({
      type: "file",
      path: "README.md",
      size: README.length,
      oid: gitSha1(README),
    });
  });

  test("lists one folder without its sub-folders' files", async () => {
    const entries = await collect(listFiles({ repo: "org/tiny", path: "tokenizer", hubUrl: hub.url }));
    expect(entries.map((entry) => entry.path)).toEqual(["tokenizer/deep", "tokenizer/vocab.json"]);
  });

  test("follows the pages of a long listing", async () => {
    await hub.stop();
    const files = Array.from({ length: 25 }, (_, index) => ({
      path: `f${String(index).padStart(2, "0")}.txt`,
      content: "x",
    }));
    hub = await startHub({ pageSize: 10, repos: [{ name: "org/many", files }] });
    const entries = await collect(listFiles({ repo: "org/many", recursive: true, hubUrl: hub.url }));
    expect(entries.map((entry) => entry.path)).toEqual(files.map((file) => file.path));
    expect(hub.log().length).toBe(3);
  });

  test("reads model info at a branch and at a commit", async () => {
    for (const revision of ["main", COMMIT]) {
      const info = await modelInfo({
        name: "org/tiny",
        revision,
        hubUrl: hub.url,
        additionalFields: ["sha", "filePaths"],
      });
      expect(info.name).toBe("org/tiny");
      expect(info.sha).toBe(COMMIT);
      expect(info.filePaths).toContain("tokenizer/deep/merges.txt");
    }
  });

  test("reads path infos", async () => {
    const infos = await pathsInfo({
      repo: "org/tiny",
      paths: ["tiny-Q4_K_M.gguf", "nope", "tokenizer"],
      expand: true,
      hubUrl: hub.url,
    });
    expect(infos.map((info) => [info.type, info.path])).toEqual([
      ["file", "tiny-Q4_K_M.gguf"],
      ["directory", "tokenizer"],
    ]);
    expect(infos[0]?.lfs?.oid).toBe(weights.sha256);
    expect(infos[0]?.lastCommit.id).toBe(COMMIT);
  });

  test("takes the linked ETag and the size for a large file, the git hash for a small one", async () => {
    const large = await fileDownloadInfo({ repo: "org/tiny", path: "tiny-Q4_K_M.gguf", hubUrl: hub.url });
    expect(large?.size).toBe(weights.sizeBytes);
    const small = await fileDownloadInfo({ repo: "org/tiny", path: "README.md", hubUrl: hub.url });
    expect(small).toMatchObject({ size: README.length, etag: `"${gitSha1(README)}"` });
    expect(await fileDownloadInfo({ repo: "org/tiny", path: "nope.txt", hubUrl: hub.url })).toBeNull();
  });

  test.each(["org/tiny", "gpt2", "old/tiny"])("downloads from %s", async (repo) => {
    const large = await downloadFile({ repo, path: "tiny-Q4_K_M.gguf", hubUrl: hub.url });
    expect(sha256(await large!.arrayBuffer())).toBe(weights.sha256);
    const slice = await large!.slice(1000, 2000).arrayBuffer();
    expect<Uint8Array>(new Uint8Array(slice)).toEqual(weights.read(1000, 2000));
    const small = await downloadFile({ repo, path: "tokenizer/vocab.json", hubUrl: hub.url });
    expect(await small!.text()).toBe('{"a":0}');
  });

  test("downloads a snapshot", async () => {
    await using home = await tempHome();
    const folder = await snapshotDownload({ repo: "org/tiny", cacheDir: home.path, hubUrl: hub.url });
    expect(folder.endsWith(COMMIT)).toBe(true);
    expect(sha256(await readFile(join(folder, "tiny-Q4_K_M.gguf")))).toBe(weights.sha256);
    expect(await readFile(join(folder, "tokenizer/deep/merges.txt"), "utf8")).toBe("a b\n");
  });

  test("is refused a gated file without the token and served with it", async () => {
    const ask = (accessToken?: string, repo = "org/gated") =>
      downloadFile({
        repo,
        path: "README.md",
        hubUrl: hub.url,
        ...(accessToken === undefined ? {} : { accessToken }),
      });
    expect(await failureOf(ask())).toBeInstanceOf(HubApiError);
    expect((await failureOf(ask("hf_wrong"))).message).toContain("Invalid credentials");
    expect((await failureOf(ask(TOKEN, "org/denied"))).message).toContain("restricted");
    expect(await (await ask(TOKEN))!.text()).toBe(README);
  });

  test("parses the made models through the hub", async () => {
    const parsed = await gguf(`${hub.url}/org/tiny/resolve/main/tiny-Q4_K_M.gguf`, {
      computeParametersCount: true,
    });
    expect(parsed.metadata).toMatchObject({
      version: 3,
      "general.name": "tiny",
      "general.architecture": "llama",
    });
    expect(parsed.tensorInfos.length).toBe(7);
    const ends = parsed.tensorInfos.map((info) =>
      Number(parsed.tensorDataOffset + info.offset + info.shape[0]!),
    );
    expect(Math.max(...ends)).toBe(weights.sizeBytes);
    expect(parsed.tensorInfos.every((info) => info.offset % 32n === 0n)).toBe(true);
    const safe = await parseSafetensorsMetadata({
      repo: "org/safe",
      hubUrl: hub.url,
      computeParametersCount: true,
    });
    expect(safe.sharded).toBe(false);
    expect(Object.values(safe.parameterCount ?? {})).toEqual([SAFETENSORS_BYTES - safetensorsHeadBytes()]);
  });
});

function safetensorsHeadBytes(): number {
  const { content } = hub.filesOf("org/safe").get("model.safetensors")!;
  return 8 + Number(new DataView(content.read(0, 8).slice().buffer).getBigUint64(0, true));
}
