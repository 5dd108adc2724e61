// Names of files from everywhere a stranger can write one: none leaves the models folder, each is refused in words.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { list } from "../../src/app/list.ts";
import { remove } from "../../src/app/remove.ts";
import { verify } from "../../src/app/verify.ts";
import { manifestFileName } from "../../src/store/layout.ts";
import { fileServer, sendBytes } from "../support/file-server.ts";
import { HARMLESS_NAMES, HOSTILE_NAMES } from "../support/hostile-names.ts";
import { checkInvariants } from "../support/invariants.ts";
import { watchOutside } from "../support/outside.ts";
import { type Rig, modelContent, openRig } from "../support/rig.ts";
import { filesBelow, finalsBelow, snapshot } from "../support/stage.ts";
import { manifestFile } from "../support/store-room.ts";
import { failureOf } from "../support/tiny-hub.ts";

const KIB = 1024;
const MODEL_BYTES = 40 * KIB + 13;
const content = await modelContent(MODEL_BYTES);

let rig: Rig;
let checkOutside: () => Promise<void>;

beforeAll(async () => {
  const files = [{ path: "m-Q4_0.gguf", content }];
  const other = [{ path: "straße.gguf", content: await modelContent(MODEL_BYTES + 1) }];
  const harmless = HARMLESS_NAMES.map((name) => ({ path: `${name}.gguf`, content }));
  rig = await openRig(MODEL_BYTES, {
    repos: [
      { name: "org/m", files },
      { name: "org/other", files: other },
      { name: "org/harmless", files: harmless },
      { name: "org/folded", files: [{ path: "STRASSE.gguf", content }] },
    ],
  });
  await mkdir(join(rig.home, "beside"));
  await writeFile(join(rig.home, "beside", "precious"), "precious");
});
beforeEach(async () => {
  await rm(rig.models, { recursive: true, force: true });
  rig.hub.behave({ intercept: null });
  checkOutside = await watchOutside(rig.home, rig.models);
});
afterAll(() => rig[Symbol.asyncDispose]());

/** Nothing under a final name, nothing half-way, nothing outside. */
async function expectNothing(): Promise<void> {
  expect(await filesBelow(rig.models)).toEqual([]);
  expect((await checkInvariants(rig.models, rig.hub)).models).toEqual([]);
  await checkOutside();
}

/** What a hub lists beside its one sound file. */
function listToo(...paths: string[]): void {
  const { sha256: oid, sizeBytes: size } = content;
  const entries = ["m-Q4_0.gguf", ...paths].map((path) => ({
    type: "file",
    path,
    oid: "0".repeat(40),
    size,
    lfs: { oid, size, pointerSize: 130 },
  }));
  rig.hub.behave({
    intercept: ({ path }) => (path.includes("/tree/") ? Response.json(entries) : undefined),
  });
}

describe("a hub's listing", () => {
  test.each(HOSTILE_NAMES)("with %s is refused whole", async (_, name) => {
    listToo(name);
    const run = await rig.install({ refs: ["hf:org/m"] });
    expect(run.error).toMatchObject({ code: "E_UNSAFE_PATH", exit: 10 });
    expect(run.error?.message.length).toBeLessThan(400);
    await expectNothing();
  });

  const alike: [string, ...string[]][] = [
    ["one name in two cases", "M-q4_0.GGUF"],
    ["a file in a file", "m-Q4_0.gguf/x.gguf"],
    ["a folder and a file of one name", "sub/x.gguf", "sub"],
    ["a folder and a file in another case", "sub/x.gguf", "SUB"],
    ["long and round s", "\u017f.gguf", "s.gguf"],
    ["a sharp s written out", "\u00df.gguf", "SS.gguf"],
  ];
  test.each(alike)("with %s names both", async (...row) => {
    const paths = row.slice(1).filter((part): part is string => typeof part === "string");
    listToo(...paths);
    const run = await rig.install({ refs: ["hf:org/m"] });
    expect(run.error?.code).toBe("E_UNSAFE_PATH");
    const both = ["m-Q4_0.gguf", ...paths].filter((path) =>
      run.error?.message.includes(JSON.stringify(path)),
    );
    expect(both.length).toBe(2);
    await expectNothing();
  });

  test("may hold names that are only odd", async () => {
    const run = await rig.install({ refs: ["hf:org/harmless"] });
    expect(run.error).toBeNull();
    expect(await finalsBelow(rig.models)).toEqual(
      HARMLESS_NAMES.map((name) => `org--harmless/${name}.gguf`).toSorted(),
    );
    await checkInvariants(rig.models, rig.hub);
    await checkOutside();
  });
});

describe("a catalog", () => {
  test.each(HOSTILE_NAMES)("with %s is refused whole", async (_, path) => {
    await mkdir(rig.models);
    const file = join(rig.models, "catalog.json");
    const source = { hub: "huggingface", repo: "org/m", files: [{ path, size: 1, sha256: content.sha256 }] };
    await writeFile(file, JSON.stringify({ version: 1, models: [{ name: "evil", tier: 0, source }] }));
    const run = await rig.install({ refs: ["evil"], settings: { catalogFiles: [file] } });
    expect(run.error).toMatchObject({ code: "E_CONFIG", exit: 2 });
    expect(run.error?.message).toContain("models.0.source.files.0.path");
    await rm(file);
    await expectNothing();
  });
});

describe("a record on the disk", () => {
  test.each(HOSTILE_NAMES)("with %s is read by nobody and deletes nothing", async (_, path) => {
    const evil = {
      format: 1,
      name: "evil",
      ref: "evil",
      source: "url",
      revision: null,
      folder: null,
      installedAt: "2026-01-01T00:00:00.000Z",
      files: [manifestFile({ path })],
    };
    const folder = join(rig.models, ".luci", "v1", "manifests");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, manifestFileName("evil")), JSON.stringify(evil));
    const before = await snapshot(rig.models);
    const context = rig.context();
    expect((await list(context, { available: false })).installed).toEqual([]);
    expect((await verify(context, { names: [], quick: false, repair: true })).failed).toEqual([]);
    const failure = await failureOf(remove(context, { names: ["evil"], dryRun: false }));
    expect(["E_NOT_FOUND", "E_DAMAGED"]).toContain(failure.code ?? "nothing");
    expect(await snapshot(rig.models)).toEqual(before);
    await checkOutside();
  });
});

describe("a ref", () => {
  // A space at the end of a word is the shell's, not the name's.
  const typed = HOSTILE_NAMES.filter(([, name]) => name !== "" && !name.endsWith(" "));

  test.each(typed)("with %s is refused before anybody is asked", async (_, name) => {
    rig.hub.reset();
    const run = await rig.install({ refs: [`hf:org/m:${name}`] });
    expect(["E_UNSAFE_PATH", "E_REF_SYNTAX"]).toContain(run.error?.code ?? "nothing");
    expect(rig.hub.log()).toEqual([]);
    await expectNothing();
  });
});

describe("a server's own name for its file", () => {
  const bytes = content.read(0, MODEL_BYTES);
  // A header holds no control characters, and one name has no slash by itself.
  const inHeader = HOSTILE_NAMES.filter(([, name]) => name !== "" && name.length < 300);

  test.each(inHeader)("with %s is refused", async (_, name) => {
    const wellFormed = name.toWellFormed() === name;
    const disposition = wellFormed
      ? `attachment; filename*=UTF-8''${encodeURIComponent(name)}`
      : `attachment; filename="x/${encodeURIComponent("x")}"`;
    await using server = await fileServer((asked, response) =>
      sendBytes(asked, response, { bytes, headers: { "Content-Disposition": disposition } }),
    );
    const run = await rig.install({ refs: [server.url.replace("m.safetensors", "download")] });
    expect(run.error?.code).toBe("E_UNSAFE_PATH");
    await expectNothing();
  });

  test.each(["%2e%2e%2fx.gguf", "..%5cx.gguf", "a%00b.gguf", "%2fx.gguf", "nul.gguf", "a%3ab.gguf"])(
    "%s at the end of the address is refused",
    async (name) => {
      await using server = await fileServer((asked, response) => sendBytes(asked, response, { bytes }));
      const run = await rig.install({ refs: [server.url.replace("m.safetensors", name)] });
      expect(run.error?.code).toBe("E_UNSAFE_PATH");
      await expectNothing();
    },
  );
});

describe("a name that an installed model holds", () => {
  test("in a form some disks fold to the same is given way", async () => {
    expect((await rig.install({ refs: ["hf:org/other:straße.gguf"] })).error).toBeNull();
    const before = await snapshot(rig.models);
    expect((await rig.install({ refs: ["hf:org/folded:STRASSE.gguf"] })).error).toBeNull();
    const finals = await finalsBelow(rig.models);
    expect(finals).toContain("straße.gguf");
    expect(finals).not.toContain("STRASSE.gguf");
    expect(finals).toHaveLength(2);
    expect(await snapshot(rig.models)).toMatchObject(before);
    await checkOutside();
  });
});
