// What every SHA-256 engine must do, run against each of them.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  type StreamingSha256,
  checkEngine,
  createNativeSha256,
  createWasmSha256,
  fingerprint,
} from "../../src/platform/hash.ts";
import { formatJournal, makeJournal, parseJournal } from "../../src/store/journal.ts";
import { randomBytes } from "../../src/demo/random-bytes.ts";
import { prng } from "../support/prng.ts";

const ENGINES: [string, () => Promise<StreamingSha256>][] = [
  ["hash-wasm", () => createWasmSha256(null)],
  ["native", async () => createNativeSha256()],
];
const bytesOf = (text: string) => new TextEncoder().encode(text);
const seeded = (seed: number, sizeBytes: number) => randomBytes(seed, { startBytes: 0, endBytes: sizeBytes });
const expected = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Feeds bytes in chunks of random sizes, empty ones too. */
function feed(engine: StreamingSha256, bytes: Uint8Array, random: ReturnType<typeof prng>): void {
  for (let at = 0; at < bytes.length;) {
    const length = random.pick([0, 1, 63, 64, 65, random.integer(0, 5_000), random.integer(0, 200_000)]);
    engine.update(bytes.subarray(at, at + length));
    at += length;
  }
}

describe.each(ENGINES)("%s", (name, create) => {
  // FIPS 180-2, appendix B, and the examples published with it.
  test.each([
    ["nothing", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["one block", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "two blocks",
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    [
      "a longer text",
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ],
    [
      "a million times a",
      "a".repeat(1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    ],
  ])("knows the digest of %s", async (_, text, digest) => {
    const engine = await create();
    engine.update(bytesOf(text));
    expect(engine.digestHex()).toBe(digest);
  });

  test("has no digest but the right one, however the bytes come", async () => {
    const random = prng(1_803);
    for (const sizeBytes of [1, 55, 56, 63, 64, 65, 119, 120, 4_096, 1_000_003]) {
      const bytes = seeded(random.seed + sizeBytes, sizeBytes);
      const engine = await create();
      feed(engine, bytes, random);
      expect(engine.digestHex(), `seed ${random.seed}, ${sizeBytes} bytes`).toBe(expected(bytes));
    }
  });

  test("keeps no hold of the buffer it was given", async () => {
    const engine = await create();
    const buffer = bytesOf("abc");
    engine.update(buffer);
    buffer.fill(0);
    expect(engine.digestHex()).toBe(expected(bytesOf("abc")));
  });

  test("runs beside others of its kind", async () => {
    const [one, other] = [await create(), await create()];
    one.update(bytesOf("a"));
    other.update(bytesOf("x"));
    one.update(bytesOf("bc"));
    expect(other.digestHex()).toBe(expected(bytesOf("x")));
    expect(one.digestHex()).toBe(expected(bytesOf("abc")));
  });

  test("passes the check at the start; one that computes something else does not", async () => {
    checkEngine(await create(), name);
    const spoiled = await create();
    spoiled.update(bytesOf("?"));
    expect(() => checkEngine(spoiled, name)).toThrow(name);
  });
});

describe("a saved state", () => {
  test("exists on hash-wasm only", async () => {
    expect(createNativeSha256().save).toBeUndefined();
    expect((await createWasmSha256(null)).save?.().length).toBe(116);
  });

  test("continues to the same digest from anywhere", async () => {
    const random = prng(640);
    const bytes = seeded(3, 300_000);
    for (let round = 0; round < 40; round += 1) {
      const cut = random.pick([0, 1, 63, 64, 65, random.integer(0, bytes.length)]);
      const first = await createWasmSha256(null);
      first.update(bytes.subarray(0, cut));
      const state = Uint8Array.from(first.save!());
      // What goes on in the first engine does not reach into the state.
      first.update(bytesOf("something else"));
      const second = await createWasmSha256(state);
      second.update(bytes.subarray(cut));
      expect(second.digestHex(), `seed ${random.seed}: cut at ${cut}`).toBe(expected(bytes));
    }
  });

  test("of another length or another version of the engine is refused", async () => {
    const state = (await createWasmSha256(null)).save!();
    const load = (bytes: Uint8Array) =>
      createWasmSha256(bytes).then(
        () => "loaded",
        () => "refused",
      );
    expect(await load(state.subarray(0, 115))).toBe("refused");
    expect(await load(new Uint8Array())).toBe("refused");
    const other = Uint8Array.from(state);
    other[0]! ^= 1;
    expect(await load(other)).toBe("refused");
  });

  test("with a flipped bit may load silently: the journal's checksum is what finds it", async () => {
    const engine = await createWasmSha256(null);
    engine.update(seeded(9, 1_000));
    const state = Uint8Array.from(engine.save!());
    const journal = (of: Uint8Array) =>
      formatJournal(
        makeJournal({
          key: "k",
          label: "",
          sizeBytes: null,
          etag: null,
          durable: [],
          pieces: [],
          checkpoint: { hashedBytes: 0, state: of },
          facts: {
            kind: "file",
            sizeBytes: 0,
            allocatedBytes: 0,
            modifiedNs: "0",
            modifiedMs: 0,
            inode: "1",
            links: 1,
          },
        }),
      );
    const sound = journal(state);
    expect(parseJournal(sound, "k")?.hash?.state).toBe(Buffer.from(state).toString("base64"));
    let silent = 0;
    for (let bit = 32; bit < state.length * 8; bit += 37) {
      const flipped = Uint8Array.from(state);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      silent += await createWasmSha256(flipped).then(
        () => 1,
        () => 0,
      );
      const encoded = Buffer.from(flipped).toString("base64");
      const text = sound.replace(Buffer.from(state).toString("base64"), encoded);
      expect(text).not.toBe(sound);
      expect(parseJournal(text, "k"), `bit ${bit}`).toBeNull();
    }
    expect(silent).toBeGreaterThan(0);
  });
});

test("a fingerprint is sixteen digits and changes with any bit", () => {
  const piece = seeded(5, 100_000);
  const mark = fingerprint(piece);
  expect(mark).toMatch(/^[0-9a-f]{16}$/);
  expect(fingerprint(Uint8Array.from(piece))).toBe(mark);
  // XXH3-64 of nothing, as published by its author; small values keep their zeros.
  expect(fingerprint(new Uint8Array())).toBe("2d06800538d394c2");
  const random = prng(8);
  for (let round = 0; round < 50; round += 1) {
    const flipped = Uint8Array.from(piece);
    flipped[random.integer(0, piece.length)]! ^= 1 << random.integer(0, 8);
    expect(fingerprint(flipped)).not.toBe(mark);
  }
});
