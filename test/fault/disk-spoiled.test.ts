// An unfinished download whose data or journal was spoiled while nobody looked: bits flipped anywhere, files swapped,
// cut, made longer, journals that prove themselves and lie. Never a wrong final, and the run completes.

import { describe, expect, test } from "bun:test";
import { copyFile, cp, open, readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HasherChoice } from "../../src/domain/settings.ts";
import { type Journal, formatJournal, parseJournal } from "../../src/store/journal.ts";
import { checkInvariants } from "../support/invariants.ts";
import { type Prng, prng } from "../support/prng.ts";
import { LARGE, type Rig, cdnBytes, openRig } from "../support/rig.ts";
import { openRoomPartial, planFile } from "../support/store-room.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const PIECE_BYTES = 8 * MIB;
const KEPT_BYTES = 13 * MIB;

/** What an interrupted run left. */
interface Leftover {
  readonly data: string;
  readonly journal: string;
}

async function leftoverOf(rig: Rig): Promise<Leftover> {
  const folder = join(rig.models, ".luci/v1/partials");
  const names = await readdir(folder);
  const find = (end: string): string => join(folder, names.find((name) => name.endsWith(end)) ?? "none");
  return { data: find(".part"), journal: find(".json") };
}

/** Writes what a run that got 13 MiB left, the first piece's fingerprint with it, and keeps a copy of it. */
async function interrupted(rig: Rig, hasher: HasherChoice = "auto"): Promise<string> {
  const { store } = rig.context({ settings: { hasher } });
  const digest = { algorithm: "sha256", hex: rig.content.sha256 } as const;
  const { partial } = await openRoomPartial(store, planFile({ sizeBytes: LARGE, digest, authority: "hub" }));
  await partial.write(0, [rig.content.read(0, PIECE_BYTES)]);
  // How far the hash was when a server went away, only the machine's speed would say.
  await until("the first piece has its fingerprint", () => typeof partial.pieces[0] === "string");
  // Had the clock made a checkpoint of all of it before, none would be left to tell of the fingerprint.
  await partial.write(PIECE_BYTES, [rig.content.read(PIECE_BYTES, KEPT_BYTES)]);
  await partial.release();
  const template = join(rig.home, "template");
  await cp(rig.models, template, { recursive: true, preserveTimestamps: true });
  return template;
}

/** Spoils a fresh copy and installs. Answers what the run fetched. */
async function tryOne(
  rig: Rig,
  { template, hasher = "auto" }: { template: string; hasher?: HasherChoice },
  spoil: (left: Leftover) => Promise<void>,
): Promise<number> {
  await rm(rig.models, { recursive: true, force: true });
  await cp(template, rig.models, { recursive: true, preserveTimestamps: true });
  await spoil(await leftoverOf(rig));
  rig.hub.reset();
  // One connection: several help each other at the end, and what they then bring twice was not lost.
  const run = await rig.install({ settings: { connections: 1, hasher } });
  expect(run.error).toBeNull();
  expect(await rig.finalSha256()).toBe(rig.content.sha256);
  expect((await checkInvariants(rig.models, rig.hub)).finals).toEqual(["m-Q4_0.gguf"]);
  return cdnBytes(rig.hub);
}

/** Flips a bit somewhere, and keeps the time of the last change if it is to be well hidden. */
async function flipBit(path: string, random: Prng): Promise<number> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const atBytes = random.integer(0, size);
    const byte = new Uint8Array(1);
    await file.read(byte, 0, 1, atBytes);
    await file.write(Uint8Array.of((byte[0] ?? 0) ^ (1 << random.integer(0, 8))), 0, 1, atBytes);
    return atBytes;
  } finally {
    await file.close();
  }
}

describe("bits that flip", () => {
  test("in the data: found, and at most its piece comes again where it had a fingerprint", async () => {
    await using rig = await openRig(LARGE);
    const template = await interrupted(rig);
    const random = prng(20_261_201);
    for (let turn = 0; turn < 9; turn += 1) {
      let atBytes = 0;
      const fetched = await tryOne(rig, { template }, async ({ data }) => {
        atBytes = await flipBit(data, random);
      });
      const wasWhole = atBytes < PIECE_BYTES;
      // The piece at the end has none yet: there only the digest of the whole can tell, and all of it comes again.
      const mostBytes = LARGE - KEPT_BYTES + (wasWhole ? PIECE_BYTES : LARGE);
      const label = `seed ${random.seed}, turn ${turn}, bit at ${atBytes}`;
      expect(fetched, label).toBeLessThanOrEqual(mostBytes);
    }
  });

  test("in the journal: it is no journal any more", async () => {
    await using rig = await openRig(LARGE);
    const template = await interrupted(rig);
    const random = prng(20_261_202);
    for (let turn = 0; turn < 9; turn += 1) {
      const fetched = await tryOne(
        rig,
        { template },
        async ({ journal }) => void (await flipBit(journal, random)),
      );
      expect([random.seed, turn, fetched]).toEqual([random.seed, turn, LARGE]);
    }
  });

  test("in both, several at once", async () => {
    await using rig = await openRig(LARGE);
    const template = await interrupted(rig);
    const random = prng(20_261_203);
    for (let turn = 0; turn < 5; turn += 1) {
      await tryOne(rig, { template }, async ({ data, journal }) => {
        for (let flips = random.integer(1, 20); flips > 0; flips -= 1) await flipBit(data, random);
        if (random.next() < 0.3) await flipBit(journal, random);
      });
    }
  });
});

describe("a data file", () => {
  const spoils: [string, (left: Leftover, random: Prng) => Promise<void>][] = [
    ["of the same size with other bytes", async ({ data }) => swap(data, (await stat(data)).size)],
    ["that is longer", ({ data }) => truncate(data, LARGE + 5 * MIB)],
    ["that is shorter", ({ data }) => truncate(data, 9 * MIB + 1)],
    ["that is empty", ({ data }) => truncate(data, 0)],
    ["that is gone", ({ data }) => rm(data)],
    ["that is a copy", ({ data }) => copyFile(data, `${data}.x`).then(() => cp(`${data}.x`, data))],
  ];
  test.each(spoils)("%s", async (_, spoil) => {
    await using rig = await openRig(LARGE);
    const template = await interrupted(rig);
    await tryOne(rig, { template }, (left) => spoil(left, prng(1)));
  });
});

async function swap(path: string, sizeBytes: number): Promise<void> {
  await rm(path);
  const bytes = new Uint8Array(sizeBytes);
  for (let offset = 0; offset < sizeBytes; offset += 65_536)
    crypto.getRandomValues(bytes.subarray(offset, offset + 65_536));
  await writeFile(path, bytes);
}

describe("a journal that proves itself and lies", () => {
  const other = "0".repeat(64);
  const lies: [string, (journal: Journal) => Journal][] = [
    ["claims all of the file", (journal) => ({ ...journal, ranges: [[0, LARGE]] })],
    ["claims more than the file has", (journal) => ({ ...journal, ranges: [[0, LARGE * 3]] })],
    [
      "claims what is a hole",
      (journal) => ({
        ...journal,
        ranges: [
          [0, KEPT_BYTES],
          [15 * MIB, LARGE],
        ],
      }),
    ],
    [
      "claims ranges that overlap and go backwards",
      (journal) => ({
        ...journal,
        ranges: [
          [9 * MIB, KEPT_BYTES],
          [0, 10 * MIB],
          [5, 2],
        ],
      }),
    ],
    ["is of a file of another size", (journal) => ({ ...journal, sizeBytes: LARGE - 1 })],
    ["is another file's", (journal) => ({ ...journal, key: `sha256-${other}` })],
    [
      "has fingerprints of nothing",
      (journal) => ({ ...journal, pieces: journal.pieces.map(() => "0123456789abcdef") }),
    ],
    ["has no fingerprints", (journal) => ({ ...journal, pieces: [] })],
    [
      "has a hash of other bytes",
      (journal) => ({ ...journal, hash: journal.hash && { ...journal.hash, hashedBytes: 0 } }),
    ],
    [
      "has a hash that is none",
      (journal) => ({ ...journal, hash: { hashedBytes: PIECE_BYTES, state: "AAAA" } }),
    ],
    [
      "has seen another disk",
      (journal) => ({ ...journal, seen: { ...journal.seen, inode: "1", bootId: other } }),
    ],
  ];
  test.each(lies)("%s", async (_, lie) => {
    await using rig = await openRig(LARGE);
    // Of the engines only this one has a state that a journal could lie about.
    const hasher = "wasm";
    const template = await interrupted(rig, hasher);
    const fetched = await tryOne(rig, { template, hasher }, async ({ data, journal: path }) => {
      const key = `sha256-${rig.content.sha256}`;
      const journal = parseJournal(await readFile(path, "utf8"), key);
      if (!journal?.hash || journal.pieces.length === 0)
        throw new Error("the journal has nothing to lie about");
      const { ino, size, mtimeNs } = await stat(data, { bigint: true });
      // It looks as if nobody had touched the data since: the lie is all there is to find.
      const seen = {
        ...journal.seen,
        inode: String(ino),
        sizeBytes: Number(size),
        modifiedNs: String(mtimeNs),
      };
      await writeFile(path, formatJournal(lie({ ...journal, seen })));
    });
    expect(fetched).toBeLessThanOrEqual(2 * LARGE);
  });
});
