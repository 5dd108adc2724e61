import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeGguf, makeSafetensors } from "../../../src/demo/gguf-writer.ts";
import { inspectFile } from "../../../src/store/inspect.ts";
import { prng } from "../../support/prng.ts";
import { storeRoom } from "../../support/store-room.ts";

interface Look {
  readonly name?: string;
  readonly allowUnsafe?: boolean;
  /** What the file is said to hold; its real size unless given. */
  readonly sizeBytes?: number;
}

/** Inspects bytes as a file; answers the error's code, or "fine". */
async function verdict(
  bytes: Uint8Array,
  { name = "model.gguf", allowUnsafe = false, sizeBytes }: Look = {},
) {
  await using room = await storeRoom();
  await mkdir(room.folder, { recursive: true });
  const path = join(room.folder, "data");
  await writeFile(path, bytes);
  const options = { name, allowUnsafe, sizeBytes: sizeBytes ?? bytes.length };
  const file = await room.store.files.open(path, "read");
  try {
    return await inspectFile(file, options).then(
      () => "fine",
      (error: { code?: string; message: string }) => error.code ?? error.message,
    );
  } finally {
    await file.close();
  }
}

const text = (content: string) => new TextEncoder().encode(content);
const joined = (...parts: (Uint8Array | readonly number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

function windowsProgram(): Uint8Array {
  const bytes = new Uint8Array(256);
  bytes.set(text("MZ"));
  new DataView(bytes.buffer).setUint32(0x3c, 128, true);
  bytes.set(text("PE\0\0"), 128);
  return bytes;
}

describe("content that can run code is refused, whatever the file is called", () => {
  const zip = joined(
    [0x50, 0x4b, 3, 4],
    new Uint8Array(100_000),
    text("archive/data.pkl"),
    new Uint8Array(50),
  );
  const dangers: [string, Uint8Array][] = [
    ["an ELF program", joined([0x7f], text("ELF"), new Uint8Array(60))],
    ["a Mach-O program", joined([0xcf, 0xfa, 0xed, 0xfe], new Uint8Array(60))],
    ["a Windows program", windowsProgram()],
    ["a pickle", joined([0x80, 4, 0x95], new Uint8Array(60))],
    ["an archive with a pickle", zip],
  ];
  test.each(dangers)("%s", async (_, bytes) => {
    for (const name of ["model.gguf", "model.safetensors", "README.md", "x"])
      expect(await verdict(bytes, { name })).toBe("E_UNSAFE_FILE");
    expect(await verdict(bytes, { name: "x", allowUnsafe: true })).toBe("fine");
  });

  test.each([
    ["nothing", new Uint8Array()],
    ["one byte", new Uint8Array([0x80])],
    ["text", text("# A model\n")],
    ["MZ without a program behind it", joined(text("MZ"), new Uint8Array(100))],
    ["an archive without a pickle", joined([0x50, 0x4b, 3, 4], new Uint8Array(100))],
  ])("%s is fine", async (_, bytes) => {
    expect(await verdict(bytes, { name: "x" })).toBe("fine");
  });
});

describe("a GGUF file", () => {
  const sound = async () => {
    const content = await makeGguf({ name: "m", sizeBytes: 40_000, seed: 1 });
    return Uint8Array.from(content.read(0, content.sizeBytes));
  };

  test("is fine when it is whole", async () => {
    expect(await verdict(await sound())).toBe("fine");
  });

  test.each([0, 3, 4, 23, 24, 400, 39_999])("cut to %d bytes is refused", async (sizeBytes) => {
    expect(await verdict((await sound()).subarray(0, sizeBytes))).toBe("E_MALFORMED");
  });

  test("is judged by its own header, not by its neighbours", async () => {
    expect(await verdict(text("<!doctype html><p>Log in first"))).toBe("E_MALFORMED");
    expect(await verdict(text("<!doctype html><p>Log in first"), { name: "page.html" })).toBe("fine");
  });

  test.each([
    ["a tensor count", 8],
    ["a metadata count", 16],
  ])("with %s no file can have is refused before it is counted", async (_, at) => {
    for (const count of [2n ** 63n, 2n ** 40n, 1_000_000n]) {
      const bytes = await sound();
      new DataView(bytes.buffer).setBigUint64(at, count, true);
      const startedMs = performance.now();
      expect(await verdict(bytes)).toBe("E_MALFORMED");
      // Who believed the count would be at it for years.
      expect(performance.now() - startedMs).toBeLessThan(60_000);
    }
  });

  test.each([0, 3, 2 ** 31, 2 ** 32 - 32])(
    "whose data is aligned to %d bytes is refused",
    async (alignment) => {
      const bytes = await sound();
      const at = Buffer.from(bytes.buffer).indexOf("general.alignment") + "general.alignment".length + 4;
      new DataView(bytes.buffer).setUint32(at, alignment, true);
      expect(await verdict(bytes)).toBe("E_MALFORMED");
    },
  );

  test("of the first version or of big-endian numbers is read as such", async () => {
    const header = (littleEndian: boolean, version: number) => {
      const bytes = new Uint8Array(64);
      const view = new DataView(bytes.buffer);
      bytes.set(text("GGUF"));
      view.setUint32(4, version, littleEndian);
      return bytes;
    };
    for (const version of [1, 2, 3]) {
      expect(await verdict(header(true, version))).toBe("fine");
      expect(await verdict(header(false, version))).toBe("fine");
    }
    expect(await verdict(header(true, 4))).toBe("E_MALFORMED");
    expect(await verdict(header(true, 0))).toBe("E_MALFORMED");
  });

  test("with lists in lists beyond reason is refused", async () => {
    const list = (itemType: number, count: number) => {
      const bytes = new Uint8Array(12);
      new DataView(bytes.buffer).setUint32(0, itemType, true);
      new DataView(bytes.buffer).setBigUint64(4, BigInt(count), true);
      return bytes;
    };
    const start = joined(text("GGUF"), [3, 0, 0, 0], new Uint8Array(8), [1, 0, 0, 0, 0, 0, 0, 0]);
    const key = joined([1, 0, 0, 0, 0, 0, 0, 0], text("k"), [9, 0, 0, 0]);
    const deep = joined(start, key, ...Array.from({ length: 9 }, () => list(9, 1)), list(0, 0));
    const wide = joined(start, key, list(9, 20_000), ...Array.from({ length: 20_000 }, () => list(0, 0)));
    const fair = joined(start, key, list(9, 100), ...Array.from({ length: 100 }, () => list(0, 0)));
    expect([await verdict(deep), await verdict(wide), await verdict(fair)]).toEqual([
      "E_MALFORMED",
      "E_MALFORMED",
      "fine",
    ]);
  });

  test("with any flipped byte in its header is fine or refused, never a crash", async () => {
    const bytes = await sound();
    const random = prng(4_242);
    for (let round = 0; round < 150; round += 1) {
      const spoiled = Uint8Array.from(bytes);
      const at = random.integer(0, 1_200);
      spoiled[at] = random.integer(0, 256);
      const found = await verdict(spoiled);
      expect(["fine", "E_MALFORMED"], `seed ${random.seed}: byte ${at} = ${spoiled[at]}`).toContain(found);
    }
  });
});

describe("a safetensors file", () => {
  const name = "model.safetensors";
  const withHeader = (header: string, dataBytes = 0) => {
    const head = new Uint8Array(8);
    new DataView(head.buffer).setBigUint64(0, BigInt(text(header).length), true);
    return joined(head, text(header), new Uint8Array(dataBytes));
  };
  const tensor = (...offsets: unknown[]) => JSON.stringify({ w: { dtype: "I8", data_offsets: offsets } });

  test("is fine when it is whole", async () => {
    const content = makeSafetensors({ name: "m", sizeBytes: 5_000, seed: 1 });
    const bytes = content.read(0, content.sizeBytes);
    expect(await verdict(bytes, { name })).toBe("fine");
    expect(await verdict(bytes.subarray(0, 4_999), { name })).toBe("E_MALFORMED");
    expect(await verdict(joined(bytes, [0]), { name })).toBe("E_MALFORMED");
    expect(await verdict(withHeader(tensor(0, 4), 4), { name })).toBe("fine");
    expect(await verdict(withHeader('{"__metadata__":{"a":"b"}}'), { name })).toBe("fine");
  });

  test.each([
    ["is empty", new Uint8Array()],
    ["ends in its length", new Uint8Array(7)],
    ["claims an absurd header", new Uint8Array(40).fill(0xff)],
    ["claims a header longer than itself", joined([200, 0, 0, 0, 0, 0, 0, 0], text("{}"))],
    ["has no JSON", withHeader("{not json")],
    ["has a list", withHeader("[]")],
    ["has null", withHeader("null")],
    ["has a tensor that is null", withHeader('{"w":null}')],
    ["has a tensor without offsets", withHeader('{"w":{"dtype":"I8"}}')],
    ["has one offset", withHeader(tensor(0), 0)],
    ["has offsets that are text", withHeader(tensor("0", "4"), 4)],
    ["has fractional offsets", withHeader(tensor(0, 3.5), 4)],
    ["runs backwards", withHeader(tensor(4, 0), 4)],
    ["begins before itself", withHeader(tensor(-4, 4), 4)],
    ["points outside itself", withHeader(tensor(0, 5), 4)],
    ["holds bytes no tensor owns", withHeader(tensor(0, 3), 4)],
    ["has three offsets", withHeader(tensor(0, 2, 4), 4)],
    ["has a hole", withHeader('{"a":{"data_offsets":[0,1]},"b":{"data_offsets":[2,4]}}', 4)],
    ["has two owners of a byte", withHeader('{"a":{"data_offsets":[0,3]},"b":{"data_offsets":[2,4]}}', 4)],
    ["has a header of half a million lists", withHeader(`{"w":[${"[],".repeat(600_000)}[]]}`)],
  ])("that %s is refused", async (_, bytes) => {
    expect(await verdict(bytes, { name })).toBe("E_MALFORMED");
  });
});
