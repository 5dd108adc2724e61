// The disk misbehaves: full, broken, flipped. What luci calls installed is right; what it keeps is true.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { open, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { verify } from "../../src/app/verify.ts";
import { LuciError } from "../../src/domain/errors.ts";
import type { Files } from "../../src/platform/files.ts";
import { PIECE_BYTES } from "../../src/platform/hash.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { parseJournal } from "../../src/store/journal.ts";
import { type DiskHand, faultyFiles } from "../support/faulty-files.ts";
import { checkInvariants, inspect } from "../support/invariants.ts";
import { prng } from "../support/prng.ts";
import { LARGE, type Rig, SMALL, cdnBytes, eventsOf, modelContent, onCdn, openRig } from "../support/rig.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const TINY = 200 * KIB + 13;
const ERRORS = {
  E_IO: () => new LuciError("E_IO", "the disk reported an input/output error"),
  E_NO_SPACE: () => new LuciError("E_NO_SPACE", "the disk is full"),
} as const;

const diskWith = (hand: DiskHand): Files => faultyFiles(nodeFiles(), hand);
const isData = (path: string): boolean => path.endsWith(".part");

async function removeJournals(modelsFolder: string): Promise<void> {
  const folder = join(modelsFolder, ".luci/v1/partials");
  for (const name of await readdir(folder)) if (name.endsWith(".json")) await rm(join(folder, name));
}
/** What the journal of the one partial claims; 0 without one. */
async function claimedBytesOf(rig: Rig): Promise<number> {
  const name = (await partialsOf(rig)).find((one) => one.endsWith(".json"));
  if (name === undefined) return 0;
  const text = await readFile(join(rig.models, ".luci/v1/partials", name), "utf8");
  const { ranges = [] } = parseJournal(text, name.slice(0, -".json".length)) ?? {};
  return ranges.reduce((sum, [startBytes, endBytes]) => sum + endBytes - startBytes, 0);
}
const partialsOf = (rig: Rig): Promise<string[]> =>
  readdir(join(rig.models, ".luci/v1/partials")).catch(() => []);

describe.concurrent("a disk with too little room", () => {
  test("is seen before the first byte: nothing is asked for, nothing is written", async () => {
    await using rig = await openRig(LARGE);
    const files = { ...nodeFiles(), freeBytes: async () => 8 * MIB };
    const run = await rig.install({ files });
    expect(run.result).toBeNull();
    expect(run.error).toMatchObject({ code: "E_NO_SPACE", exit: 8 });
    // Both amounts, in words.
    expect(run.error?.message).toMatch(/23\.1 MB needed.*8\.39 MB free/);
    expect(existsSync(rig.models)).toBe(false);
    expect(cdnBytes(rig.hub)).toBe(0);
  });

  test("is measured with a tenth to spare, and against what is missing only", async () => {
    await using rig = await openRig(SMALL);
    const roomFor = (freeBytes: number) => ({ ...nodeFiles(), freeBytes: async () => freeBytes });
    const least = Math.ceil(SMALL * 1.1);
    expect((await rig.install({ files: roomFor(least - 1) })).error?.code).toBe("E_NO_SPACE");
    expect((await rig.install({ files: roomFor(least) })).error).toBeNull();
    // Installed: no room is needed for nothing.
    expect((await rig.install({ files: roomFor(0) })).result?.installed[0]?.already).toBe(true);
  });

  test("that fills up on the way: what came is kept, and the next run goes on", async () => {
    await using rig = await openRig(LARGE);
    let writtenBytes = 0;
    const files = diskWith(({ name, path, sizeBytes }) => {
      if (name !== "write" || !isData(path)) return;
      if (writtenBytes + sizeBytes > 9 * MIB) throw ERRORS.E_NO_SPACE();
      writtenBytes += sizeBytes;
    });
    const run = await rig.install({ files, settings: { connections: 2 } });
    expect(run.error).toMatchObject({ code: "E_NO_SPACE", exit: 8 });
    await checkInvariants(rig.models, rig.hub);
    expect(await rig.finalSha256()).toBeNull();
    rig.hub.reset();
    const again = await rig.install({ settings: { connections: 1 } });
    expect(again.error).toBeNull();
    const kept = eventsOf(again, "file.started")[0]!.resumedBytes;
    expect(kept).toBe(writtenBytes);
    expect(cdnBytes(rig.hub)).toBe(LARGE - kept);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });

  test("even for the journal: the data gives up its end for it", async () => {
    await using rig = await openRig(LARGE);
    let full = false;
    let writtenBytes = 0;
    let claimedBytes = 0;
    const files = diskWith(async ({ name, path, sizeBytes }) => {
      // How much one write holds is up to how bytes arrive, and whether there was a checkpoint up to the clock.
      if (name === "write" && isData(path) && writtenBytes > 2 * MIB) {
        full = true;
        claimedBytes = await claimedBytesOf(rig);
      }
      if (name === "truncate") full = false;
      if (full && ["write", "replaceText"].includes(name)) throw ERRORS.E_NO_SPACE();
      writtenBytes += sizeBytes;
    });
    const run = await rig.install({ files, settings: { connections: 1 } });
    expect(run.error?.code).toBe("E_NO_SPACE");
    rig.hub.reset();
    const again = await rig.install({ settings: { connections: 1 } });
    expect(again.error).toBeNull();
    const kept = eventsOf(again, "file.started")[0]!.resumedBytes;
    expect(kept).toBe(Math.max(writtenBytes - MIB, claimedBytes));
    expect(cdnBytes(rig.hub)).toBe(LARGE - kept);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });
});

describe.concurrent("a disk that breaks", () => {
  test("in a write: the piece is not counted, and the next run fetches it", async () => {
    await using rig = await openRig(LARGE);
    let writtenBytes = 0;
    const files = diskWith(({ name, path, sizeBytes }) => {
      if (name !== "write" || !isData(path)) return;
      if (writtenBytes > 2 * MIB) throw ERRORS.E_IO();
      writtenBytes += sizeBytes;
    });
    const run = await rig.install({ files, settings: { connections: 1 } });
    expect(run.error).toMatchObject({ code: "E_IO", exit: 8 });
    await checkInvariants(rig.models, rig.hub);
    rig.hub.reset();
    const again = await rig.install({ settings: { connections: 1 } });
    expect(again.error).toBeNull();
    expect(cdnBytes(rig.hub)).toBe(LARGE - writtenBytes);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });

  test("in the sync before the seal: no final name is given", async () => {
    await using rig = await openRig(SMALL);
    const files = diskWith(({ name, path }) => {
      if (name === "sync" && isData(path)) throw ERRORS.E_IO();
    });
    const run = await rig.install({ files });
    expect(run.error).toMatchObject({ code: "E_IO", exit: 8 });
    expect(await rig.finalSha256()).toBeNull();
    await checkInvariants(rig.models, rig.hub);
  });

  test("in one sync: what it was to make durable is fetched once more, and synced again", async () => {
    await using rig = await openRig(SMALL);
    let syncs = 0;
    const files = diskWith(({ name, path }) => {
      if (name !== "sync" || !isData(path)) return;
      syncs += 1;
      if (syncs === 1) throw ERRORS.E_IO();
    });
    const run = await rig.install({ files, settings: { connections: 1 } });
    expect([run.error, syncs, cdnBytes(rig.hub)]).toEqual([null, 2, 2 * SMALL]);
    expect(run.result?.fetchedBytes).toBe(2 * SMALL);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });

  test.each([1, 2])(
    "in %p syncs of a checkpoint: only what came since the one before is in doubt",
    async (times) => {
      const sizeBytes = 72 * MIB + 13;
      await using rig = await openRig(sizeBytes);
      const claimed: number[] = [];
      const files = diskWith(async ({ name }) => {
        if (name !== "datasync" || claimed.length >= times) return;
        // When there is a checkpoint, the clock has a say in: how far it got is asked, not assumed.
        const claimedBytes = await claimedBytesOf(rig);
        if (claimedBytes === 0) return;
        claimed.push(claimedBytes);
        throw ERRORS.E_IO();
      });
      const run = await rig.install({ files, settings: { connections: 1 } });
      expect(claimed).toHaveLength(times);
      await checkInvariants(rig.models, rig.hub);
      if (times === 1) expect(run.error).toBeNull();
      else expect(run.error).toMatchObject({ code: "E_IO", exit: 8 });
      const again = times === 1 ? run : await rig.install({ settings: { connections: 1 } });
      expect(again.error).toBeNull();
      const resumed = eventsOf(again, "file.started").at(-1)!.resumedBytes;
      expect(resumed).toBe(claimed.at(-1)!);
      // Nothing that a checkpoint had made sure of comes again.
      expect(cdnBytes(rig.hub)).toBeLessThanOrEqual(sizeBytes + times * (sizeBytes - claimed[0]!));
      expect(await rig.finalSha256()).toBe(rig.content.sha256);
    },
  );

  test("at the last step: the next run gives the name without fetching anything", async () => {
    await using rig = await openRig(SMALL);
    const files = diskWith(({ name }) => {
      if (name === "renameToFree") throw ERRORS.E_IO();
    });
    expect((await rig.install({ files })).error?.code).toBe("E_IO");
    rig.hub.reset();
    const run = await rig.install();
    expect(run.error).toBeNull();
    expect(cdnBytes(rig.hub)).toBe(0);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });

  test("under one model leaves the other ones alone", async () => {
    await using rig = await openRig(TINY);
    const other = { path: "other-Q4_0.gguf", content: await modelContent(TINY + 1) };
    rig.hub.publish({ name: "org/other", files: [other] });
    const files = diskWith(({ name, path }) => {
      if (name === "renameToFree" && path.endsWith("/m-Q4_0.gguf")) throw ERRORS.E_IO();
    });
    const run = await rig.install({ files, refs: ["hf:org/m:Q4_0", "hf:org/other:Q4_0"] });
    expect(run.result?.failed.map(({ model }) => model)).toEqual(["org/m:Q4_0"]);
    expect(run.result?.installed.map(({ model }) => model)).toEqual(["org/other:Q4_0"]);
    expect((await checkInvariants(rig.models, rig.hub)).finals).toEqual(["other-Q4_0.gguf"]);
  });
});

describe("whatever act of the disk fails", () => {
  /** What the run that meets the fault finds: nothing; a cut file, and a server that cuts again or does not; data without a journal. */
  type Scene = "nothing" | "cut again" | "cut" | "unclaimed";
  const ACTS: Record<Scene, string> = {
    nothing: "open write sync facts list replaceText makeFolder renameToFree syncFolder",
    "cut again": "open write facts readText rename datasync replaceText list",
    cut: "remove renameToFree sync",
    unclaimed: "truncate",
  };

  interface Fault {
    readonly act: string;
    /** How many acts of that name go well before. */
    readonly at: number;
    /** Every act after it fails too, whatever its name. */
    readonly forEver: boolean;
    readonly scene: Scene;
  }

  /** Installs with a disk that fails, then with a sound one. Answers whether the fault was met. */
  async function tryFault(fault: Fault): Promise<boolean> {
    await using rig = await openRig(TINY);
    const settings = { connections: 1, retries: 0 };
    // Each run gets 50 KiB more than the one before, and then nothing.
    let limitBytes = 50 * KIB;
    const intercept = onCdn(({ range }) => {
      const startBytes = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1]);
      const endBytes = startBytes + 50 * KIB;
      const headers = { "Content-Range": `bytes ${startBytes}-${endBytes - 1}/${TINY}` };
      if (startBytes >= limitBytes) return new Response(null, { status: 503 });
      return new Response(Uint8Array.from(rig.content.read(startBytes, endBytes)), { status: 206, headers });
    });
    if (fault.scene !== "nothing") {
      rig.hub.behave({ intercept });
      expect((await rig.install({ settings })).error?.code).toBe("E_SERVER");
    }
    if (fault.scene === "cut again") limitBytes += 50 * KIB;
    else rig.hub.behave({ intercept: null });
    if (fault.scene === "unclaimed") await removeJournals(rig.models);
    let met = false;
    const files = diskWith(({ name, before }) => {
      const meets = name === fault.act && before === fault.at;
      met ||= meets;
      if (meets || (met && fault.forEver)) throw ERRORS[fault.forEver ? "E_NO_SPACE" : "E_IO"]();
    });
    const run = await rig.install({ files, settings });
    const { models, finals, breaches } = await inspect(rig.models, rig.hub);
    const label = JSON.stringify(fault);
    expect(breaches, label).toEqual([]);
    const codes = ["E_IO", "E_NO_SPACE", ...(fault.scene === "cut again" ? ["E_SERVER"] : [])];
    if (run.error) expect(codes, `${label}: ${run.error.message}`).toContain(run.error.code);
    else expect([finals, models], label).toEqual([["m-Q4_0.gguf"], ["org/m:Q4_0"]]);
    rig.hub.behave({ intercept: null });
    const again = await rig.install();
    expect(again.error, label).toBeNull();
    expect(await rig.finalSha256(), label).toBe(rig.content.sha256);
    return met;
  }

  const rows = (Object.keys(ACTS) as Scene[]).flatMap((scene) =>
    ACTS[scene].split(" ").map((act) => [act, scene] as const),
  );
  test.each(rows)("%s (before: %s): no wrong file, and the next run makes it good", async (act, scene) => {
    const random = prng(act.length);
    for (const forEver of [false, true]) {
      let at = 0;
      // Many acts of one name are alike: after the first few every third one or so.
      while (await tryFault({ act, at, forEver, scene })) at += at < 6 ? 1 : random.integer(2, 5);
      expect(at, "the act was never met").toBeGreaterThan(0);
    }
  });
});

describe.concurrent("a bit that flips in an installed file", () => {
  async function flip(rig: Rig, atBytes: number): Promise<void> {
    const file = await open(rig.finalPath, "r+");
    try {
      const byte = new Uint8Array(1);
      await file.read(byte, 0, 1, atBytes);
      await file.write(Uint8Array.of(byte[0]! ^ 0x40), 0, 1, atBytes);
    } finally {
      await file.close();
    }
  }

  test("is found, placed, and mended with one piece", async () => {
    await using rig = await openRig(LARGE);
    expect((await rig.install()).error).toBeNull();
    const random = prng(70);
    const atBytes = random.integer(0, LARGE);
    await flip(rig, atBytes);
    const before = await readFile(rig.finalPath);
    const audit = await verify(rig.context(), { names: [], quick: false, repair: false });
    const startBytes = Math.floor(atBytes / PIECE_BYTES) * PIECE_BYTES;
    const piece = { startBytes, endBytes: Math.min(LARGE, startBytes + PIECE_BYTES) };
    expect(audit.findings, `seed ${random.seed}`).toEqual([
      expect.objectContaining({ kind: "digest", file: "m-Q4_0.gguf", badPieces: [piece], pieces: 3 }),
    ]);
    // An audit changes nothing.
    expect((await readFile(rig.finalPath)).equals(before)).toBe(true);
    expect(await partialsOf(rig)).toEqual([]);
    rig.hub.reset();
    // One connection: several help each other at the end, and then bytes come twice.
    const alone = rig.context({ settings: { connections: 1 } });
    const mended = await verify(alone, { names: [], quick: false, repair: true });
    expect(mended.failed).toEqual([]);
    expect(mended.repaired[0]?.files[0]?.how).toBe("repaired");
    expect(cdnBytes(rig.hub)).toBe(piece.endBytes - piece.startBytes);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
    expect((await checkInvariants(rig.models, rig.hub)).journals).toBe(0);
  });

  test("and a disk too full for the copy to mend: half a copy takes no room away", async () => {
    await using rig = await openRig(LARGE);
    expect((await rig.install()).error).toBeNull();
    await flip(rig, 9 * MIB);
    const files = diskWith(({ name, before }) => (name === "clone" && before === 0 ? "late" : undefined));
    const broken = await verify(rig.context({ files }), { names: [], quick: false, repair: true });
    expect([broken.failed[0]?.error.code, await partialsOf(rig)]).toEqual(["E_IO", []]);
    const mended = await verify(rig.context(), { names: [], quick: false, repair: true });
    expect([mended.failed, await rig.finalSha256()]).toEqual([[], rig.content.sha256]);
  });

  test("while it is repaired from a broken source stays: the old file is not made worse", async () => {
    await using rig = await openRig(LARGE);
    expect((await rig.install()).error).toBeNull();
    await flip(rig, 9 * MIB);
    const before = await readFile(rig.finalPath);
    const corrupt = (piece: Uint8Array): Uint8Array =>
      Uint8Array.from(piece, (byte, at) => (at === 3 ? byte ^ 1 : byte));
    rig.hub.behave({ intercept: onCdn(() => ({ corrupt })) });
    const mended = await verify(rig.context(), { names: [], quick: false, repair: true });
    expect(mended.failed[0]?.error.code).toBe("E_DIGEST");
    expect((await readFile(rig.finalPath)).equals(before)).toBe(true);
  });

  test("is mended by installing again too, without fetching the rest", async () => {
    await using rig = await openRig(LARGE);
    expect((await rig.install()).error).toBeNull();
    await flip(rig, LARGE - 1);
    rig.hub.reset();
    expect((await rig.install({ settings: { connections: 1 } })).error).toBeNull();
    expect(cdnBytes(rig.hub)).toBe(LARGE - 2 * PIECE_BYTES);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });
});

describe.concurrent("a journal", () => {
  const rows: [string, (text: string) => string][] = [
    ["that is empty", () => ""],
    ["that is torn", (text) => text.slice(0, 200)],
    ["that is garbage", () => "\u0000".repeat(500)],
    ["of an older format", (text) => text.replace('"format":1', '"format":0')],
    ["of another file", (text) => text.replaceAll(/sha256-[0-9a-f]{64}/g, `sha256-${"0".repeat(64)}`)],
    ["that claims too much", (text) => text.replace(/"ranges":.*?\]\]/, `"ranges":[[0,${LARGE}]]`)],
  ];
  test.each(rows)("%s is passed over: the file is right in the end", async (_, spoil) => {
    await using rig = await openRig(LARGE);
    rig.hub.behave({
      intercept: onCdn((_request, count) => (count > 0 ? { cutAfterBytes: MIB } : undefined)),
    });
    expect((await rig.install({ settings: { retries: 0, connections: 1 } })).error?.code).toBe("E_NETWORK");
    rig.hub.behave({ intercept: null });
    const name = (await partialsOf(rig)).find((one) => one.endsWith(".json")) ?? "";
    const path = join(rig.models, ".luci/v1/partials", name);
    await writeFile(path, spoil(await readFile(path, "utf8")));
    const run = await rig.install();
    expect(run.error).toBeNull();
    expect(eventsOf(run, "file.started")[0]?.resumedBytes).toBe(0);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
    expect((await checkInvariants(rig.models, rig.hub)).journals).toBe(0);
  });
});
