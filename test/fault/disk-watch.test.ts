// A disk that others fill while luci works: transfers pause, go on when there is room, and end in order when
// there is none. Nothing is lost, and nothing pauses where the preflight said yes and nobody else wrote.

import { describe, expect, test } from "bun:test";
import type { LuciEventBody } from "../../src/domain/events.ts";
import { LuciError } from "../../src/domain/errors.ts";
import type { Files } from "../../src/platform/files.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { type DiskHand, faultyFiles } from "../support/faulty-files.ts";
import { checkInvariants } from "../support/invariants.ts";
import { LARGE, type Rig, type RigRun, cdnBytes, eventsOf, modelContent, openRig } from "../support/rig.ts";
import { hold } from "../support/stage.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const WAITS = { diskWaitMs: 60_000, connections: 2 } as const;

const isData = (path: string): boolean => path.endsWith(".part");
const full = (path: string): LuciError => new LuciError("E_NO_SPACE", `${path}: the disk is full`);
const pausesOf = (run: Pick<RigRun, "events">): string[] =>
  run.events.flatMap(({ type }) => (type === "run.paused" || type === "run.resumed" ? [type] : []));

/** A disk of 50 MiB whose room is a number that a test sets. */
function roomyFiles(room: { freeBytes: number }, hand: DiskHand = () => undefined): Files {
  const files = faultyFiles(nodeFiles(), hand);
  return { ...files, freeBytes: async () => room.freeBytes, diskBytes: async () => 50 * MIB };
}

const RATE = { rateBytesPerSec: 4 * MIB } as const;

/** A rig whose model takes its time. */
function slowRig(): Promise<Rig> {
  return openRig(LARGE, RATE);
}

/** Uses up the room once something is there to be kept; from then on nothing gets done before the watch has looked. */
function useUp(rig: Rig, room: { freeBytes: number }): DiskHand {
  let writtenBytes = 0;
  return ({ name, path, sizeBytes }) => {
    if (name !== "write" || !isData(path) || writtenBytes > MIB) return;
    writtenBytes += sizeBytes;
    if (writtenBytes <= MIB) return;
    room.freeBytes = 100 * KIB;
    hold(rig.hub);
  };
}

/** Resolves at the first event of a type; the run goes on. */
function firstEvent(type: LuciEventBody["type"]) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { seen: promise, onEvent: (event: LuciEventBody) => event.type === type && resolve() };
}

describe.concurrent("others use up the disk", () => {
  test("transfers pause, and go on by themselves when there is room", async () => {
    await using rig = await slowRig();
    const room = { freeBytes: 40 * MIB };
    let servedWhilePaused = 0;
    let pausedBytes = 0;
    /** Until what was on its way is over; then for a while longer. */
    const lookAtPause = async (): Promise<void> => {
      for (let before = -1; before !== cdnBytes(rig.hub); await Bun.sleep(500)) before = cdnBytes(rig.hub);
      pausedBytes = cdnBytes(rig.hub);
      await Bun.sleep(500);
      servedWhilePaused = cdnBytes(rig.hub) - pausedBytes;
      room.freeBytes = 40 * MIB;
    };
    const onEvent = (event: LuciEventBody): void => {
      if (event.type !== "run.paused") return;
      rig.hub.behave(RATE);
      void lookAtPause();
    };
    const run = await rig.install({ files: roomyFiles(room, useUp(rig, room)), settings: WAITS, onEvent });
    expect(run.error).toBeNull();
    expect(pausesOf(run)).toEqual(["run.paused", "run.resumed"]);
    expect(eventsOf(run, "notice").map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Paused: .*only 102 kB free.*goes on by itself.*ends after 1m/),
      "There is room on the disk again: going on",
    ]);
    expect(pausedBytes).toBeGreaterThan(0);
    expect(servedWhilePaused).toBe(0);
    expect(run.result?.fetchedBytes).toBeLessThan(LARGE + 4 * MIB);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });

  test("and give nothing back: the run ends in order, and the next one continues", async () => {
    await using rig = await slowRig();
    const room = { freeBytes: 40 * MIB };
    const run = await rig.install({
      files: roomyFiles(room, useUp(rig, room)),
      settings: { ...WAITS, diskWaitMs: 1_500 },
    });
    expect(run.error).toMatchObject({ code: "E_NO_SPACE", exit: 8 });
    expect(run.error?.message).toMatch(
      /only 102 kB free, and no room came within 1\.5s; what arrived is kept/,
    );
    expect(pausesOf(run)).toEqual(["run.paused"]);
    await checkInvariants(rig.models, rig.hub);
    rig.hub.reset();
    rig.hub.behave(RATE);
    const again = await rig.install({ settings: { connections: 1 } });
    const keptBytes = eventsOf(again, "file.started")[0]!.resumedBytes;
    expect(keptBytes).toBeGreaterThan(0);
    expect(cdnBytes(rig.hub)).toBe(LARGE - keptBytes);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });

  test("with no patience the run ends at once", async () => {
    await using rig = await slowRig();
    const room = { freeBytes: 40 * MIB };
    const settings = { diskWaitMs: 0 };
    const run = await rig.install({ files: roomyFiles(room, useUp(rig, room)), settings });
    expect(run.error).toMatchObject({ code: "E_NO_SPACE", exit: 8 });
    expect(pausesOf(run)).toEqual([]);
  });

  test("every model of a batch that has no room says so", async () => {
    await using rig = await slowRig();
    const other = { path: "other-Q4_0.gguf", content: await modelContent(LARGE + 1) };
    rig.hub.publish({ name: "org/other", files: [other] });
    const room = { freeBytes: 50 * MIB };
    const refs = ["hf:org/m:Q4_0", "hf:org/other:Q4_0"];
    const settings = { diskWaitMs: 1_000, jobs: 1 };
    const run = await rig.install({ files: roomyFiles(room, useUp(rig, room)), settings, refs });
    expect(run.result?.failed.map(({ error }) => error.code)).toEqual(["E_NO_SPACE", "E_NO_SPACE"]);
  });

  test.each(["resume", "delete"] as const)(
    "Ctrl-C during the pause is answered, policy %s",
    async (policy) => {
      await using rig = await slowRig();
      const stop = new AbortController();
      const { seen, onEvent } = firstEvent("run.paused");
      let writtenBytes = 0;
      const files = faultyFiles(nodeFiles(), ({ name, path, sizeBytes }) => {
        if (name !== "write" || !isData(path)) return;
        if (writtenBytes > 4 * MIB) throw full(path);
        writtenBytes += sizeBytes;
      });
      const running = rig.install({
        files,
        settings: { ...WAITS, diskWaitMs: 3_600_000, partials: policy },
        signal: stop.signal,
        onEvent,
      });
      await seen;
      stop.abort(new LuciError("E_INTERRUPTED", "interrupted", { exit: 130 }));
      // Unheard, it would wait for room for an hour.
      const run = await running;
      expect(run.error).toMatchObject({ code: "E_INTERRUPTED", exit: 130 });
      const [told] = eventsOf(run, "interrupted");
      const report = await checkInvariants(rig.models, rig.hub);
      if (policy === "resume") expect(told?.keptBytes).toBeGreaterThan(3 * MIB);
      else expect([told?.keptBytes, told?.deleted, report.journals]).toEqual([0, ["m-Q4_0.gguf"], 0]);
    },
  );
});

describe.concurrent("the disk refuses bytes", () => {
  const acts = ["write", "sync", "replaceText", "makeFolder", "open", "renameToFree"] as const;
  test.each(acts)("in %s: the run waits and continues, and loses next to nothing", async (act) => {
    await using rig = await openRig(LARGE);
    let refused = 0;
    let refusedBytes = 0;
    let writtenBytes = 0;
    const files = faultyFiles(nodeFiles(), ({ name, path, sizeBytes }) => {
      // How many writes there are is up to how bytes arrive.
      const isTooEarly = act === "write" && writtenBytes <= 3 * MIB;
      if (name !== act || isTooEarly || refused >= 2) return void (writtenBytes += sizeBytes);
      refused += 1;
      refusedBytes += sizeBytes;
      throw full(path);
    });
    const run = await rig.install({ files, settings: WAITS });
    expect(run.error).toBeNull();
    expect(refused).toBeGreaterThan(0);
    // Two connections may meet the same full disk: that is one pause.
    const pauses = ["run.paused", "run.resumed", "run.paused", "run.resumed"];
    expect([pauses.slice(0, 2), pauses.slice(0, 2 * refused)]).toContainEqual(pausesOf(run));
    // One word for the whole trouble.
    expect(eventsOf(run, "notice")).toHaveLength(2);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
    await checkInvariants(rig.models, rig.hub);
    if (act !== "sync") expect(run.result?.fetchedBytes).toBeLessThan(LARGE + refusedBytes + 8 * MIB);
  });

  test("to a run that began from nothing by --no-resume: it does not begin again", async () => {
    await using rig = await openRig(LARGE);
    let writtenBytes = 0;
    let keptBytes = 0;
    const files = faultyFiles(nodeFiles(), ({ name, path, sizeBytes }) => {
      if (name !== "write") return;
      if (keptBytes === 0 && writtenBytes > 3 * MIB) {
        keptBytes = writtenBytes;
        throw full(path);
      }
      writtenBytes += sizeBytes;
    });
    const run = await rig.install({ files, settings: { ...WAITS, connections: 1 }, resume: false });
    expect([run.error, keptBytes > 0]).toEqual([null, true]);
    expect(eventsOf(run, "file.started")[1]?.resumedBytes).toBe(keptBytes);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });

  test("and go on refusing: the run ends with what the disk said", async () => {
    await using rig = await openRig(LARGE);
    let writtenBytes = 0;
    const files = faultyFiles(nodeFiles(), ({ name, path, sizeBytes }) => {
      if (name !== "write" || !isData(path)) return;
      if (writtenBytes + sizeBytes > 9 * MIB) throw full(path);
      writtenBytes += sizeBytes;
    });
    const run = await rig.install({ files, settings: { ...WAITS, diskWaitMs: 2_500 } });
    expect(run.error).toMatchObject({ code: "E_NO_SPACE", exit: 8 });
    expect(run.error?.message).toMatch(
      /\/models: \S+ does not fit, the disk is full, and no room came within 2\.5s/,
    );
    rig.hub.reset();
    const again = await rig.install();
    expect(again.error).toBeNull();
    expect(writtenBytes).toBeGreaterThan(0);
    expect(eventsOf(again, "file.started")[0]!.resumedBytes).toBe(writtenBytes);
    expect(await rig.finalSha256()).toBe(rig.content.sha256);
  });
});

describe.concurrent("nobody else writes", () => {
  test("a disk that just fits is never waited for", async () => {
    await using rig = await openRig(LARGE, { rateBytesPerSec: 8 * MIB });
    const startBytes = Math.ceil(LARGE * 1.1);
    let writtenBytes = 0;
    const real = faultyFiles(nodeFiles(), ({ sizeBytes }) => void (writtenBytes += sizeBytes));
    const freeBytes = async (): Promise<number> => startBytes - writtenBytes;
    // Two per cent of this disk are more than what is left in the end.
    const files = { ...real, freeBytes, diskBytes: async () => 400 * MIB };
    const run = await rig.install({ files, settings: WAITS });
    expect([run.error, pausesOf(run)]).toEqual([null, []]);
    expect(writtenBytes).toBeGreaterThanOrEqual(LARGE);
  });
});
