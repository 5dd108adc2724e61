// Files that run code when they are loaded, known by what they hold and not by what they are called: refused unless
// somebody insists, whether they come alone or in a repository, from the network or from the folder itself.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeGguf, makeSafetensors } from "../../src/demo/gguf-writer.ts";
import { runsCode } from "../../src/sources/file-kinds.ts";
import { fileServer, sendBytes } from "../support/file-server.ts";
import { checkInvariants } from "../support/invariants.ts";
import { watchOutside } from "../support/outside.ts";
import { watchMemory } from "../support/peak-memory.ts";
import { type Rig, openRig } from "../support/rig.ts";
import { finalsBelow, openStage } from "../support/stage.ts";

const latin = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));
const padded = (bytes: Uint8Array, sizeBytes = 5_000) => Uint8Array.from(Buffer.concat([bytes], sizeBytes));
const OLD_PICKLE = "cos\nsystem\n(S'echo owned'\ntR.";

/** An archive whose list of names is long: what is first in it is far from its end. */
function archive(firstName: string, others = 3_000): Uint8Array {
  const entry = (name: string) =>
    Buffer.concat([latin("PK\x01\x02"), Buffer.alloc(24), u16(name.length), Buffer.alloc(16), latin(name)]);
  const names = [firstName, ...Array.from({ length: others }, (_, index) => `archive/data/tensor-${index}`)];
  const list = Buffer.concat(names.map(entry));
  const end = Buffer.concat([
    latin("PK\x05\x06"),
    Buffer.alloc(8),
    u32(list.length),
    u32(100_000),
    Buffer.alloc(2),
  ]);
  // The first file is none of the list's: only the list tells.
  const first = Buffer.concat(
    [latin("PK\x03\x04"), Buffer.alloc(22), u16(5), u16(0), latin("other")],
    100_000,
  );
  return Uint8Array.from(Buffer.concat([first, list, end]));
}

const u16 = (value: number) => Buffer.from([value & 255, value >> 8]);
const u32 = (value: number) =>
  Buffer.from([value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24]);

function windowsProgram(): Uint8Array {
  const bytes = Buffer.alloc(5_000);
  bytes.write("MZ", "latin1");
  bytes.writeUInt32LE(128, 0x3c);
  bytes.write("PE\0\0", 128, "latin1");
  return Uint8Array.from(bytes);
}

/** Content that a loader or a shell would run. */
const CODE: Readonly<Record<string, Uint8Array>> = {
  "a pickle of protocol 2": padded(latin("\x80\x02}q\x00.")),
  "a pickle of protocol 5": padded(latin("\x80\x05\x95")),
  "a pickle of protocol 0": latin(OLD_PICKLE),
  "a pickle of protocol 0 in a list": latin(`(lp0\n${OLD_PICKLE}`),
  "a pickle of protocol 0 in a dictionary": latin(`(dp0\nS'model'\n${OLD_PICKLE}`),
  "an archive with a pickle": archive("archive/data.pkl", 2),
  "an archive with a pickle first of thousands": archive("archive/data.pkl"),
  "an ELF program": padded(latin("\x7fELF")),
  "a Mach-O program": padded(latin("\xcf\xfa\xed\xfe")),
  "a universal Mach-O program": padded(latin("\xca\xfe\xba\xbe")),
  "a Windows program": windowsProgram(),
  "an HDF5 file": padded(latin("\x89HDF\r\n\x1a\n")),
  "an array of objects": padded(latin("\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, }\n")),
};
const NAMES = ["evil-Q4_0.gguf", "evil.safetensors", "config.json", "weights.onnx", "evil"];
const UNSAFE_NAMES = (
  "pkl pickle pt pth bin ckpt h5 npy npz joblib py keras sh exe dll so dylib jar bat ps1 pyc whl pb nemo mar js " +
  "llamafile PKL Bin"
)
  .split(" ")
  .map((ending) => `evil.${ending}`);

const gguf = await makeGguf({ name: "ok", sizeBytes: 40_000, seed: 5 });
const tensors = makeSafetensors({ name: "ok", sizeBytes: 5_000, seed: 6 });
const repoOf = (content: string, name: string) =>
  `hidden/${content.replaceAll(/[^a-z0-9]+/gi, "-")}.${name.replaceAll(/[^a-z0-9]+/gi, "-")}`;

let rig: Rig;
let checkOutside: () => Promise<void>;
beforeAll(async () => {
  const disguised = Object.entries(CODE).flatMap(([what, content]) =>
    NAMES.map((name) => ({
      name: repoOf(what, name),
      files: [
        { path: "ok.gguf", content: gguf },
        { path: name, content },
      ],
    })),
  );
  const named = UNSAFE_NAMES.map((path) => ({ path, content: "x = 1\n" }));
  rig = await openRig(40_013, {
    repos: [
      ...disguised,
      { name: "org/mixed", files: [{ path: "ok.safetensors", content: tensors }, ...named] },
      { name: "org/only", files: named },
      {
        name: "org/whisper",
        files: [
          { path: "ggml-ok.bin", content: padded(latin("lmgg")) },
          { path: "ggml-evil.bin", content: padded(latin("not that")) },
        ],
      },
    ],
  });
});
beforeEach(async () => {
  await rm(rig.models, { recursive: true, force: true });
  checkOutside = await watchOutside(rig.home, rig.models);
});
afterAll(() => rig[Symbol.asyncDispose]());

async function expectNothing(): Promise<void> {
  const finals = await finalsBelow(rig.models);
  expect(finals.filter((name) => /(?:evil|config|weights)[^/]*$/.test(name))).toEqual([]);
  expect((await checkInvariants(rig.models, rig.hub)).models).toEqual([]);
  await checkOutside();
}

describe.each(Object.keys(CODE))("%s", (what) => {
  test.each(NAMES)("called %s is refused", async (name) => {
    const run = await rig.install({ refs: [`hf:${repoOf(what, name)}:${name}`] });
    expect(run.error).toMatchObject({ code: "E_UNSAFE_FILE", exit: 10 });
    expect(run.error?.message).toContain(name);
    await expectNothing();
  });

  test("in a repository beside sound weights is refused with it", async () => {
    const run = await rig.install({ refs: [`hf:${repoOf(what, "config.json")}`] });
    expect(run.error).toMatchObject({ code: "E_UNSAFE_FILE", exit: 10 });
    await expectNothing();
  });

  test("at a plain address is refused, published digest or not", async () => {
    const bytes = CODE[what]!;
    await using server = await fileServer((asked, response) => sendBytes(asked, response, { bytes }));
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    for (const change of [{}, { sha256 }]) {
      const run = await rig.install({ refs: [server.url], ...change });
      expect(run.error?.code).toBe("E_UNSAFE_FILE");
    }
    await expectNothing();
  });

  test("that lies in the models folder already is not taken over", async () => {
    await mkdir(rig.models);
    await writeFile(join(rig.models, "evil-Q4_0.gguf"), CODE[what]!);
    const run = await rig.install({ refs: [`hf:${repoOf(what, "evil-Q4_0.gguf")}:evil-Q4_0.gguf`] });
    expect(run.error?.code).toBe("E_UNSAFE_FILE");
    expect((await checkInvariants(rig.models, rig.hub)).models).toEqual([]);
    await checkOutside();
  });
});

describe("a name that promises code", () => {
  test.each(UNSAFE_NAMES)("%s is refused before anything is fetched", async (name) => {
    expect(runsCode(name)).toBe(true);
    rig.hub.reset();
    const run = await rig.install({ refs: [`hf:org/only:${name}`] });
    expect(run.error?.code).toBe("E_UNSAFE_FILE");
    expect(rig.hub.log(({ path }) => path.includes("/resolve/"))).toEqual([]);
    await expectNothing();
  });

  test("is left out of a repository with safe weights, in words, and refused where there are none", async () => {
    const run = await rig.install({ refs: ["hf:org/mixed"] });
    expect(run.error).toBeNull();
    expect(await finalsBelow(rig.models)).toEqual(["org--mixed/ok.safetensors"]);
    const said = run.events.flatMap((event) => (event.type === "notice" ? [event.message] : [])).join();
    expect(said).toContain("Left out because they can run code when loaded");
    expect((await rig.install({ refs: ["hf:org/only"] })).error?.code).toBe("E_UNSAFE_FILE");
    await checkInvariants(rig.models, rig.hub);
    await checkOutside();
  });

  test("but not code is taken: whisper.cpp's weights, if that is what they are", async () => {
    expect((await rig.install({ refs: ["hf:org/whisper:ggml-ok.bin"] })).error).toBeNull();
    const run = await rig.install({ refs: ["hf:org/whisper:ggml-evil.bin"] });
    expect(run.error?.code).toBe("E_UNSAFE_FILE");
    expect(await finalsBelow(rig.models)).toEqual(["ggml-ok.bin"]);
  });
});

describe.skipIf(process.platform !== "linux")("a header as long as the largest models' and longer", () => {
  const count = (value: number) => Buffer.concat([u32(value), u32(0)]);
  const text = (value: string) => Buffer.concat([count(value.length), latin(value)]);
  const list = (name: string, type: number, length: number, items: Buffer) =>
    Buffer.concat([text(name), u32(9), u32(type), count(length), items]);
  const texts = (length: number) =>
    Buffer.concat(Array.from({ length }, (_, index) => text(`word ${index}`)));
  const head = (...lists: Buffer[]) =>
    Buffer.concat([latin("GGUF"), u32(3), count(0), count(lists.length), ...lists]);

  test.each([
    [
      "a vocabulary of 260,000 with 510,000 merges",
      () => head(list("t", 8, 260_000, texts(260_000)), list("m", 8, 510_000, texts(510_000))),
    ],
    ["a list of 40 million numbers", () => head(list("n", 0, 40_000_000, Buffer.alloc(40_000_000)))],
  ])("%s is read in little memory", async (_, make) => {
    const content = Uint8Array.from(make());
    await using stage = await openStage({
      repos: [{ name: "org/long", files: [{ path: "long.gguf", content }] }],
    });
    const run = await watchMemory(stage.start(["install", "hf:org/long:long.gguf"]));
    expect([run.exitCode, run.stderr]).toEqual([0, run.stderr]);
    expect(run.peakBytes).toBeLessThan(200 * 1024 * 1024);
  });
});
