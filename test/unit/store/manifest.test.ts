import { describe, expect, test } from "bun:test";
import { mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import {
  type Manifest,
  installedPath,
  looksUntouched,
  mainPath,
  parseManifest,
  publishManifest,
  readRecords,
} from "../../../src/store/manifest.ts";
import { type DiskHand, faultyFiles } from "../../support/faulty-files.ts";
import { manifestFile, storeRoom } from "../../support/store-room.ts";

function manifest(change: Partial<Manifest> = {}): Manifest {
  return {
    format: 1,
    name: "llama3.2",
    ref: "llama3.2",
    source: "url",
    revision: null,
    folder: null,
    installedAt: "2026-01-01T00:00:00.000Z",
    files: [manifestFile({ pieces: ["00", "ff"] })],
    ...change,
  };
}

describe("a record", () => {
  test("that another process removes while records are read is none, and no broken one", async () => {
    const hand: DiskHand = async ({ name, path }) => {
      if (name === "readText" && path.endsWith("llama3.2.json")) await rm(path);
    };
    await using room = await storeRoom({ files: faultyFiles(nodeFiles(), hand) });
    const other = manifest({ name: "mistral", ref: "mistral" });
    await publishManifest(room.store, manifest());
    await publishManifest(room.store, other);
    expect(await readRecords(room.store)).toEqual({ manifests: [other], unreadable: [] });
  });

  test("is read back as it was published, and replaced by the next one", async () => {
    await using room = await storeRoom();
    expect(await readRecords(room.store)).toEqual({ manifests: [], unreadable: [] });
    await publishManifest(room.store, manifest());
    const hub = manifest({ name: "org/repo", source: "huggingface", revision: "abc", folder: "org--repo" });
    await publishManifest(room.store, hub);
    expect((await readRecords(room.store)).manifests).toEqual([manifest(), hub]);
    await publishManifest(room.store, manifest({ ref: "other" }));
    expect((await readRecords(room.store)).manifests[0]?.ref).toBe("other");
    // Nothing but records is left lying about.
    expect(await readdir(room.store.layout.manifestsFolder)).toHaveLength(2);
  });

  test.each([
    ["torn", '{"format":1,"name":"x"'],
    ["empty", ""],
    ["of another version", JSON.stringify({ ...manifest(), format: 2 })],
    ["of an unknown source", JSON.stringify({ ...manifest(), source: "torrent" })],
    ["without files", JSON.stringify({ ...manifest(), files: undefined })],
    ["something else", "[]"],
  ])("%s is listed, and hides no other", async (_, text) => {
    await using room = await storeRoom();
    await publishManifest(room.store, manifest());
    const path = join(room.store.layout.manifestsFolder, "bad.json");
    await writeFile(path, text);
    const { manifests, unreadable } = await readRecords(room.store);
    expect(manifests).toEqual([manifest()]);
    expect(unreadable.map((bad) => bad.path)).toEqual([path]);
    expect(unreadable[0]?.reason).not.toBe("");
    expect(() => parseManifest(text)).toThrow();
  });

  test("that the disk refuses is listed with the disk's reason", async () => {
    await using room = await storeRoom();
    await mkdir(join(room.store.layout.manifestsFolder, "folder.json"), { recursive: true });
    const { unreadable } = await readRecords(room.store);
    expect(unreadable[0]?.reason).toContain("a folder stands where a file is expected");
  });
});

describe("what to hand to an engine", () => {
  const files = (...paths: string[]) => paths.map((path) => manifestFile({ path }));
  test.each([
    ["the file of a single-file model", null, ["a.gguf"], "a.gguf"],
    ["a file that is no GGUF", null, ["a.safetensors"], "a.safetensors"],
    ["the folder of a repository", "o--r", ["o--r/a.safetensors", "o--r/config.json"], "o--r"],
    ["the only weights of a folder", "o--r", ["o--r/README.md", "o--r/a.gguf"], "o--r/a.gguf"],
    ["the weights, not the projector", "o--r", ["o--r/mmproj-a.gguf", "o--r/a.gguf"], "o--r/a.gguf"],
    [
      "the first shard",
      "o--r",
      ["o--r/a-00001-of-00002.gguf", "o--r/a-00002-of-00002.gguf"],
      "o--r/a-00001-of-00002.gguf",
    ],
    ["the folder of several quantisations", "o--r", ["o--r/a-Q4.gguf", "o--r/a-Q8.gguf"], "o--r"],
  ])("is %s", async (_, folder, paths, expected) => {
    await using room = await storeRoom();
    const path = mainPath(room.store, manifest({ folder, files: files(...paths) }));
    expect(path).toBe(join(room.folder, expected));
  });
});

test("an installed file looks untouched by kind, size and exact time", async () => {
  await using room = await storeRoom();
  await mkdir(room.folder, { recursive: true });
  const file = manifestFile({ path: "x", sizeBytes: 4 });
  const path = installedPath(room.store, file);
  expect(looksUntouched(file, await room.store.files.facts(path))).toBe(false);
  await writeFile(path, "four");
  const facts = await room.store.files.facts(path);
  const known = { ...file, modifiedNs: facts!.modifiedNs };
  expect(looksUntouched(known, facts)).toBe(true);
  expect(looksUntouched({ ...known, sizeBytes: 5 }, facts)).toBe(false);
  expect(looksUntouched(known, { ...facts!, kind: "link" })).toBe(false);
  await utimes(path, 1, 1);
  expect(looksUntouched(known, await room.store.files.facts(path))).toBe(false);
});
