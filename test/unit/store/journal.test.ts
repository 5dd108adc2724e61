import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import type { FileFacts } from "../../../src/platform/files.ts";
import { PIECE_BYTES } from "../../../src/platform/hash.ts";
import {
  type Journal,
  type JournalParts,
  believeJournal,
  formatJournal,
  makeJournal,
  parseJournal,
  readJournal,
} from "../../../src/store/journal.ts";
import { journalPath } from "../../../src/store/layout.ts";
import { prng } from "../../support/prng.ts";
import { storeRoom } from "../../support/store-room.ts";

const KEY = "source-0123";
const facts: FileFacts = {
  kind: "file",
  sizeBytes: 3 * PIECE_BYTES,
  allocatedBytes: 0,
  modifiedNs: "1700000000000000001",
  modifiedMs: 1_700_000_000_000,
  inode: "42",
  links: 1,
};
const state = new Uint8Array(116).fill(7);

function journal(change: Partial<JournalParts> = {}): Journal {
  return makeJournal({
    key: KEY,
    label: "model · file",
    sizeBytes: 3 * PIECE_BYTES,
    etag: '"v1"',
    durable: [{ startBytes: 0, endBytes: 2 * PIECE_BYTES + 5 }],
    pieces: ["aa", "bb", "cc"],
    checkpoint: { hashedBytes: PIECE_BYTES, state },
    facts,
    ...change,
  });
}

describe("as text", () => {
  test("it is read back as it was", () => {
    const written = journal();
    expect(parseJournal(formatJournal(written), KEY)).toEqual(written);
    // A label may hold anything a repository calls its files.
    const odd = journal({ label: 'a "quoted"\nline }} \u{1f600}' });
    expect(parseJournal(formatJournal(odd), KEY)).toEqual(odd);
  });

  test("it is for one key only", () => {
    expect(parseJournal(formatJournal(journal()), "source-4567")).toBeNull();
  });

  test("one flipped bit anywhere makes it worthless", () => {
    const text = new TextEncoder().encode(formatJournal(journal()));
    const random = prng(77);
    for (let round = 0; round < 300; round += 1) {
      const at = random.integer(0, text.length);
      const flipped = Uint8Array.from(text);
      flipped[at]! ^= 1 << random.integer(0, 7);
      const read = parseJournal(new TextDecoder("latin1").decode(flipped), KEY);
      expect(read, `seed ${random.seed}: byte ${at}`).toBeNull();
    }
  });

  test("cut anywhere it is worthless", () => {
    const text = formatJournal(journal());
    for (let length = 0; length < text.length; length += 1)
      expect(parseJournal(text.slice(0, length), KEY)).toBeNull();
  });

  test.each([
    ["another version", { format: 2 }],
    ["a negative range", { ranges: [[-1, 5]] }],
    ["a fractional range", { ranges: [[0, 0.5]] }],
    ["no ranges", { ranges: undefined }],
    ["a size that is no number", { sizeBytes: "9" }],
  ])("%s is not believed, however well it is sealed", (_, change) => {
    const forged = { ...journal(), ...change } as unknown as Journal;
    expect(parseJournal(formatJournal(forged), KEY)).toBeNull();
  });
});

describe("fingerprints", () => {
  test("are kept for pieces that are wholly durable", () => {
    expect(journal().pieces).toEqual(["aa", "bb", null]);
  });

  test("of the short last piece too, once the size is known", () => {
    const sizeBytes = PIECE_BYTES + 9;
    const durable = [{ startBytes: 0, endBytes: sizeBytes }];
    expect(journal({ sizeBytes, durable, pieces: ["aa", "bb"] }).pieces).toEqual(["aa", "bb"]);
    expect(journal({ sizeBytes: null, durable, pieces: ["aa", "bb"] }).pieces).toEqual(["aa", null]);
  });
});

describe("believing", () => {
  const judge = (change: Partial<FileFacts> = {}, of: Journal = journal(), hasDigest = true) =>
    believeJournal(of, { facts: { ...facts, ...change }, sizeBytes: 3 * PIECE_BYTES, hasDigest });

  test("an untouched file: its ranges, its hash state", () => {
    expect(judge()).toEqual({
      written: [{ startBytes: 0, endBytes: 2 * PIECE_BYTES + 5 }],
      checkpoint: { hashedBytes: PIECE_BYTES, state: Buffer.from(state) },
      expected: ["aa", "bb", null],
    });
  });

  test.each([
    ["written to", { modifiedNs: "1700000000000000002" }],
    ["copied", { inode: "43" }],
    ["longer", { sizeBytes: 3 * PIECE_BYTES + 1 }],
  ])("a file that was %s: its ranges, to be read again", (_, change) => {
    const believed = judge(change);
    expect(believed?.written).toEqual([{ startBytes: 0, endBytes: 2 * PIECE_BYTES + 5 }]);
    expect(believed?.checkpoint).toBeNull();
    expect(believed?.expected).toEqual(["aa", "bb", null]);
  });

  test("a touched file without a digest: only pieces that have a fingerprint", () => {
    const touched = { modifiedNs: "1700000000000000002" };
    const first = { startBytes: 0, endBytes: PIECE_BYTES };
    const third = { startBytes: 2 * PIECE_BYTES, endBytes: 3 * PIECE_BYTES };
    const whole = { startBytes: 0, endBytes: 3 * PIECE_BYTES };
    expect(judge(touched, journal(), false)?.written).toEqual([{ ...first, endBytes: 2 * PIECE_BYTES }]);
    const gap = journal({ durable: [whole], pieces: ["aa", null, "cc"] });
    expect(judge(touched, gap, false)?.written).toEqual([first, third]);
    const blank = journal({ durable: [whole], pieces: ["aa", "", "cc"] });
    expect(judge(touched, blank, false)?.written).toEqual([first, third]);
    const unknown = journal({ durable: [whole], pieces: [] });
    expect(judge(touched, unknown, false)?.written).toEqual([]);
    expect(judge({}, unknown, false)?.written).toEqual([whole]);
  });

  test("after another boot: the same", () => {
    const old = { ...journal(), seen: { ...journal().seen, bootId: "yesterday" } };
    expect(judge({}, old)?.checkpoint).toBeNull();
  });

  test("a file that was cut: no byte beyond its end", () => {
    const ranges: Journal["ranges"] = [
      [0, 100],
      [200, 300],
      [400, 500],
    ];
    expect(judge({ sizeBytes: 250 }, { ...journal(), ranges })?.written).toEqual([
      { startBytes: 0, endBytes: 100 },
      { startBytes: 200, endBytes: 250 },
    ]);
  });

  test.each([
    ["between pieces", PIECE_BYTES + 1],
    ["beyond what is durable", 3 * PIECE_BYTES],
  ])("not a hash state that stands %s", (_, hashedBytes) => {
    const of = journal({ checkpoint: { hashedBytes, state } });
    expect(judge({}, of)?.checkpoint).toBeNull();
  });

  test("ranges in disorder are put in order", () => {
    const ranges: Journal["ranges"] = [
      [50, 60],
      [0, 10],
      [10, 20],
      [7, 3],
    ];
    expect(judge({}, { ...journal(), ranges })?.written).toEqual([
      { startBytes: 0, endBytes: 20 },
      { startBytes: 50, endBytes: 60 },
    ]);
  });

  test("nothing of a journal for another size", () => {
    expect(believeJournal(journal(), { facts, sizeBytes: 5, hasDigest: true })).toBeNull();
    expect(
      believeJournal(journal({ sizeBytes: null }), { facts, sizeBytes: 5, hasDigest: true }),
    ).not.toBeNull();
    expect(believeJournal(journal(), { facts, sizeBytes: null, hasDigest: true })).not.toBeNull();
  });
});

describe("on disk", () => {
  test("what stands in a journal's place without being one is no journal", async () => {
    await using room = await storeRoom();
    const { files, layout } = room.store;
    const path = journalPath(layout, KEY);
    expect(await readJournal(room.store, KEY)).toBeNull();
    await files.makeFolder(layout.partialsFolder);
    for (const text of ["", "{}", "garbage\u0000", "null"]) {
      await writeFile(path, text);
      expect(await readJournal(room.store, KEY)).toBeNull();
    }
    // As large as no journal can be.
    const file = await files.open(path, "update");
    await file.truncate(65 * 1024 * 1024);
    await file.close();
    expect(await readJournal(room.store, KEY)).toBeNull();
    await files.remove(path);
    await files.makeFolder(path);
    expect(await readJournal(room.store, KEY)).toBeNull();
  });
});
