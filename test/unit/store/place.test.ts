import { describe, expect, test } from "bun:test";
import { mkdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plan, PlanFile } from "../../../src/domain/plan.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { Lately } from "../../../src/store/lately.ts";
import type { Manifest } from "../../../src/store/manifest.ts";
import { digestMark, isSameContent, makePlace, placePlan } from "../../../src/store/place.ts";
import { faultyFiles } from "../../support/faulty-files.ts";
import { manifestFile, planFile, storeRoom } from "../../support/store-room.ts";

const SHA = "ab".repeat(32);
const OTHER = "cd".repeat(32);
const REVISION = "0123456789abcdef0123456789abcdef01234567";

function plan(change: Partial<Plan> = {}): Plan {
  return {
    name: "new",
    ref: "hf:org/new",
    source: "huggingface",
    revision: REVISION,
    folder: null,
    files: [file()],
    notices: [],
    ...change,
  };
}

function file(change: Partial<PlanFile> = {}): PlanFile {
  return planFile({ path: "model.Q4.gguf", digest: { algorithm: "sha256", hex: SHA }, ...change });
}

function installed(change: Partial<Manifest> = {}): Manifest {
  return {
    format: 1,
    name: "old",
    ref: "old",
    source: "huggingface",
    revision: null,
    folder: null,
    installedAt: "",
    files: [manifestFile({ path: "model.Q4.gguf", sha256: OTHER })],
    ...change,
  };
}

const pathsOf = (of: Plan, manifests: Manifest[]) =>
  placePlan(of, manifests).placements.map(({ path }) => path);

describe("the place of a plan's files", () => {
  test("is the models folder for a single file, a folder of its own else", () => {
    expect(pathsOf(plan(), [])).toEqual(["model.Q4.gguf"]);
    const many = plan({ folder: "org--new", files: [file(), file({ path: "deep/config.json" })] });
    expect(pathsOf(many, [])).toEqual(["org--new/model.Q4.gguf", "org--new/deep/config.json"]);
    expect(placePlan(many, []).folder).toBe("org--new");
  });

  test("is shared with a model that has the same content there", () => {
    const same = installed({ files: [manifestFile({ path: "model.Q4.gguf", sha256: SHA })] });
    expect(pathsOf(plan(), [same])).toEqual(["model.Q4.gguf"]);
  });

  test("moves aside where another model has other content, also on a disk that ignores case", () => {
    expect(pathsOf(plan(), [installed()])).toEqual([`model.Q4@${REVISION.slice(0, 8)}.gguf`]);
    const upper = installed({ files: [manifestFile({ path: "MODEL.q4.GGUF", sha256: OTHER })] });
    expect(pathsOf(plan(), [upper])).toEqual([`model.Q4@${REVISION.slice(0, 8)}.gguf`]);
  });

  test("moves aside with all files together", () => {
    const old = installed({ files: [manifestFile({ path: "org--new/config.json", sha256: OTHER })] });
    const many = plan({ folder: "org--new", files: [file(), file({ path: "config.json" })] });
    const mark = REVISION.slice(0, 8);
    expect(pathsOf(many, [old])).toEqual([`org--new@${mark}/model.Q4.gguf`, `org--new@${mark}/config.json`]);
  });

  test("carries the digest, else the ref, where there is no revision", () => {
    const url = plan({ revision: null });
    expect(pathsOf(url, [installed()])).toEqual([`model.Q4@${SHA.slice(0, 8)}.gguf`]);
    const unknown = plan({ revision: null, files: [file({ digest: null, path: "weights" })] });
    const old = installed({ files: [manifestFile({ path: "weights" })] });
    const [path] = pathsOf(unknown, [
      { ...old, files: [{ ...old.files[0]!, origin: { kind: "url", url: "https://else.example" } }] },
    ]);
    expect(path).toBe(`weights@${digestMark("hf:org/new")}`);
  });

  test("does not move aside for the model itself", () => {
    expect(pathsOf(plan(), [installed({ name: "new" })])).toEqual(["model.Q4.gguf"]);
  });

  test.each([".luci/v1/manifests/x.json", ".LUCI/x", ".luci"])("%p is luci's own", (path) => {
    expect(() => placePlan(plan({ files: [file({ path })] }), [])).toThrow(
      expect.objectContaining({ code: "E_UNSAFE_PATH" }),
    );
  });
});

test("the same content is told by digest, else by origin", () => {
  const git = { algorithm: "git-sha1", hex: "ef".repeat(20) } as const;
  expect(isSameContent(file(), manifestFile({ sha256: SHA }))).toBe(true);
  expect(isSameContent(file(), manifestFile({ sha256: OTHER }))).toBe(false);
  expect(isSameContent(file({ digest: git }), manifestFile({ gitSha1: git.hex }))).toBe(true);
  expect(isSameContent(file({ digest: git }), manifestFile({ gitSha1: null }))).toBe(false);
  expect(isSameContent(file({ digest: null }), manifestFile())).toBe(true);
  const elsewhere = { kind: "url", url: "https://else.example" } as const;
  expect(isSameContent(file({ digest: null }), manifestFile({ origin: elsewhere }))).toBe(false);
});

describe("making the folders", () => {
  test("works for a file in the models folder and deep below", async () => {
    await using room = await storeRoom();
    await makePlace(room.store, "x.gguf");
    await makePlace(room.store, "org--repo/a/b/x.gguf");
    await makePlace(room.store, "org--repo/a/c/x.gguf");
    expect((await stat(join(room.folder, "org--repo/a/c"))).isDirectory()).toBe(true);
  });

  test.each([
    ["a link", async (path: string) => symlink("/tmp", path)],
    ["a file", async (path: string) => writeFile(path, "x")],
  ])("refuses %s on the way, at every depth", async (_, put) => {
    await using room = await storeRoom();
    await mkdir(join(room.folder, "org"), { recursive: true });
    for (const way of ["org/a", "org"]) {
      const path = join(room.folder, way);
      await rm(path, { recursive: true, force: true });
      await put(path);
      const made = makePlace(room.store, "org/a/x.gguf");
      expect(await made.catch((error: unknown) => error)).toMatchObject({ code: "E_UNSAFE_PATH" });
    }
  });

  test("is done once for files that come together, and looks again for those that come later", async () => {
    let count = 0;
    const files = faultyFiles(nodeFiles(), ({ name }) => void (count += Number(name === "makeFolder")));
    await using room = await storeRoom({ files });
    let nowMs = 0;
    const store = { ...room.store, places: new Lately(() => nowMs) };
    await Promise.all(["a", "b", "c"].map((name) => makePlace(store, `org/${name}.gguf`)));
    expect(count).toBe(1);
    await rm(join(room.folder, "org"), { recursive: true });
    await symlink("/tmp", join(room.folder, "org"));
    // A long download later.
    nowMs = 60_000;
    const made = makePlace(store, "org/d.gguf");
    expect(await made.catch((error: unknown) => error)).toMatchObject({ code: "E_UNSAFE_PATH" });
    await rm(join(room.folder, "org"));
    await makePlace(store, "org/d.gguf");
    expect((await stat(join(room.folder, "org"))).isDirectory()).toBe(true);
  });
});
