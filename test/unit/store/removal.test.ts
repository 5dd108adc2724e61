import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import type { Leftover } from "../../../src/store/leftover.ts";
import { deleteLeftover, findLeftovers } from "../../../src/store/leftovers.ts";
import { type Manifest, publishManifest, readRecords } from "../../../src/store/manifest.ts";
import {
  assertRecordsReadable,
  executeRemoval,
  planRemoval,
  removeEmptyParents,
} from "../../../src/store/removal.ts";
import type { Store } from "../../../src/store/store.ts";
import { faultyFiles } from "../../support/faulty-files.ts";
import { manifestFile, storeRoom } from "../../support/store-room.ts";

/** Installs a model of empty files. */
async function put(store: Store, name: string, paths: readonly string[]): Promise<Manifest> {
  for (const path of paths) {
    await mkdir(dirname(join(store.layout.modelsFolder, path)), { recursive: true });
    await writeFile(join(store.layout.modelsFolder, path), "x");
  }
  const manifest: Manifest = {
    format: 1,
    name,
    ref: name,
    source: "url",
    revision: null,
    folder: null,
    installedAt: "",
    files: paths.map((path) => manifestFile({ path, sizeBytes: 1 })),
  };
  await publishManifest(store, manifest);
  return manifest;
}

describe("a plan", () => {
  test("leaves what another model needs, and names every file once", async () => {
    await using room = await storeRoom();
    const a = await put(room.store, "a", ["r/one", "r/shared"]);
    const b = await put(room.store, "b", ["r/one", "b-own"]);
    await put(room.store, "c", ["r/shared"]);
    const plan = planRemoval(room.store, await readRecords(room.store), [a, b]);
    const at = (path: string) => join(room.folder, path);
    expect(plan.files.map(({ path }) => path)).toEqual([at("r/one"), at("b-own")]);
    expect(plan.shared).toEqual([at("r/shared")]);
  });

  test("is not made while a record cannot be read", async () => {
    await using room = await storeRoom();
    const a = await put(room.store, "a", ["one"]);
    await writeFile(join(room.store.layout.manifestsFolder, "bad.json"), "{");
    const records = await readRecords(room.store);
    const damaged = expect.objectContaining({ code: "E_DAMAGED" });
    expect(() => planRemoval(room.store, records, [a])).toThrow(damaged);
    expect(() => assertRecordsReadable(records)).toThrow(damaged);
    expect(() => assertRecordsReadable({ ...records, unreadable: [] })).not.toThrow();
  });
});

describe("executing it", () => {
  test("takes files, empty folders and record, and nothing else", async () => {
    await using room = await storeRoom();
    const a = await put(room.store, "a", ["r/deep/one", "r/two"]);
    await put(room.store, "b", ["r/stays"]);
    const records = await readRecords(room.store);
    const freedBytes = await executeRemoval(room.store, planRemoval(room.store, records, [a]));
    expect(freedBytes).toBe(2);
    expect((await readdir(room.folder)).toSorted()).toEqual([".luci", "r"]);
    expect(await readdir(join(room.folder, "r"))).toEqual(["stays"]);
    expect((await readRecords(room.store)).manifests.map(({ name }) => name)).toEqual(["b"]);
    expect(await readdir(room.store.layout.manifestsFolder)).toEqual(["b.json"]);
  });

  test("counts a file that was gone already as nothing", async () => {
    await using room = await storeRoom();
    const a = await put(room.store, "a", ["one", "two"]);
    const plan = planRemoval(room.store, await readRecords(room.store), [a]);
    await nodeFiles().remove(join(room.folder, "one"));
    expect(await executeRemoval(room.store, plan)).toBe(1);
  });

  test("never leaves a record that names a file which is gone, wherever it is killed", async () => {
    for (let deadAt = 0; ; deadAt += 1) {
      let acts = 0;
      const files = faultyFiles(nodeFiles(), ({ name }) => {
        if (!["rename", "remove", "removeEmptyFolder"].includes(name)) return;
        if ((acts += 1) > deadAt) throw new Error("killed");
      });
      await using room = await storeRoom({ files });
      const sound = { ...room.store, files: nodeFiles() };
      const a = await put(sound, "a", ["r/one", "r/two"]);
      await put(sound, "b", ["r/two", "r/three"]);
      const plan = planRemoval(sound, await readRecords(sound), [a]);
      const finished = await executeRemoval(room.store, plan).then(
        () => true,
        () => false,
      );
      for (const { files: listed } of (await readRecords(sound)).manifests)
        for (const { path } of listed) expect(existsSync(join(room.folder, path)), path).toBe(true);
      // Cleanup finishes what was begun, unless nothing was: then the model is still whole.
      for (const item of await findLeftovers(sound)) await deleteLeftover(sound, item);
      const left = (await readRecords(sound)).manifests.map(({ name }) => name);
      expect(left).toEqual(deadAt === 0 ? ["a", "b"] : ["b"]);
      expect(existsSync(join(room.folder, "r/one"))).toBe(deadAt === 0);
      expect(await findLeftovers(sound)).toEqual([]);
      if (finished) break;
    }
  });
});

describe("a removal that was killed", () => {
  /** A set-aside record, as `executeRemoval` leaves it. */
  async function killed(store: Store): Promise<string> {
    await put(store, "a", ["r/one", "r/shared"]);
    const path = join(store.layout.manifestsFolder, "a.json");
    await store.files.rename(path, `${path}.removing`);
    return `${path}.removing`;
  }
  const shown = (items: readonly Leftover[]) => items.map(({ path, isAlive }) => [path, isAlive]);

  test("is finished by cleanup, without what others need", async () => {
    await using room = await storeRoom();
    const tombstone = await killed(room.store);
    await put(room.store, "b", ["r/shared"]);
    const items = await findLeftovers(room.store);
    expect(shown(items)).toEqual([
      [join(room.folder, "r/one"), false],
      [tombstone, false],
    ]);
    expect(items[0]).toMatchObject({ of: "a", kind: "orphan" });
  });

  test("is finished without what was installed after it was planned", async () => {
    await using room = await storeRoom();
    const tombstone = await killed(room.store);
    const items = await findLeftovers(room.store);
    await put(room.store, "a", ["r/one"]);
    const gone = [];
    for (const item of items) if (await deleteLeftover(room.store, item)) gone.push(item.path);
    expect(gone).toEqual([join(room.folder, "r/shared"), tombstone]);
    expect(existsSync(join(room.folder, "r/one"))).toBe(true);
  });

  test("is not finished while a record that came later cannot be read", async () => {
    await using room = await storeRoom();
    const tombstone = await killed(room.store);
    const items = await findLeftovers(room.store);
    await writeFile(join(room.store.layout.manifestsFolder, "b.json"), "{");
    for (const item of items) {
      const failure = await deleteLeftover(room.store, item).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "E_DAMAGED" });
    }
    for (const path of [tombstone, join(room.folder, "r/one")]) expect(existsSync(path)).toBe(true);
  });

  test("has one age: a young file does not outlive its record", async () => {
    await using room = await storeRoom();
    const tombstone = await killed(room.store);
    await utimes(tombstone, 1, 1);
    const items = await findLeftovers(room.store);
    expect(items).toHaveLength(3);
    for (const { ageMs } of items) expect(ageMs).toBeGreaterThan(1e12);
  });

  test.each([
    ["its own record", "a.json.removing"],
    ["another model's record", "b.json"],
  ])("waits while %s cannot be read", async (_, name) => {
    await using room = await storeRoom();
    const tombstone = await killed(room.store);
    await writeFile(join(room.store.layout.manifestsFolder, name), "{");
    expect(shown(await findLeftovers(room.store))).toEqual([[tombstone, true]]);
  });
});

test("empty folders go up to the models folder and no further", async () => {
  await using room = await storeRoom();
  await mkdir(join(room.folder, "a/b/c"), { recursive: true });
  await removeEmptyParents(room.store, join(room.folder, "a/b/c/gone"));
  expect(await readdir(room.folder)).toEqual([]);
  await removeEmptyParents(room.store, join(room.folder, "gone"));
  expect(existsSync(room.folder)).toBe(true);
});
