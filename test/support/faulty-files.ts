// A disk that fails when it is told to: the real one, with a hand on every operation.

import { diskError } from "../../src/platform/disk-error.ts";
import type { Files, OpenFile } from "../../src/platform/files.ts";

/** One operation that is about to happen. */
export interface DiskAct {
  /** `open` (to write), `openToRead`, `write`, `datasync`, `replaceText`, … */
  readonly name: string;
  readonly path: string;
  /** How many acts of this name came before, on any path. */
  readonly before: number;
  /** How many acts of any name came before. */
  readonly beforeAll: number;
  /** What a write is about to write; 0 for everything else. */
  readonly sizeBytes: number;
}

/** What a hand may do beyond throwing: let half of a write happen, or all of an act, before it fails with EIO. */
export type DiskTrick = "torn" | "late";

/** Throws to make an operation fail, waits to make it slow, plays a trick, or lets it pass. */
export type DiskHand = (act: DiskAct) => void | DiskTrick | Promise<void>;

/** What the disk says with an errno, in luci's words. */
export function diskRefusal(errno: string, path: string): unknown {
  return diskError(Object.assign(new Error(errno), { code: errno }), path);
}

/** The same disk, with `hand` before every operation. */
export function faultyFiles(real: Files, hand: DiskHand): Files {
  const meet = createMeeting(hand);
  const onFile = (file: OpenFile): OpenFile => ({
    path: file.path,
    read: (buffer, offsetBytes) => meet("read", file.path, () => file.read(buffer, offsetBytes)),
    write: (offsetBytes, chunks) => {
      const whole = Buffer.concat(chunks);
      return meet(
        "write",
        file.path,
        (sizeBytes) =>
          sizeBytes === whole.length
            ? file.write(offsetBytes, chunks)
            : file.write(offsetBytes, [whole.subarray(0, sizeBytes)]),
        whole.length,
      );
    },
    truncate: (sizeBytes) => meet("truncate", file.path, () => file.truncate(sizeBytes)),
    datasync: () => meet("datasync", file.path, () => file.datasync()),
    sync: () => meet("sync", file.path, () => file.sync()),
    facts: () => meet("facts", file.path, () => file.facts()),
    close: () => file.close(),
  });
  const openIn = async (path: string, mode: Parameters<Files["open"]>[1]): Promise<OpenFile> => {
    const name = mode === "read" ? "openToRead" : "open";
    let opened: OpenFile | null = null;
    try {
      return onFile(await meet(name, path, async () => (opened = await real.open(path, mode))));
    } catch (error) {
      // Opened all the same, for nobody.
      await (opened as OpenFile | null)?.close();
      throw error;
    }
  };
  return {
    open: openIn,
    readText: (path, options) => meet("readText", path, () => real.readText(path, options)),
    replaceText: (path, text) => meet("replaceText", path, () => real.replaceText(path, text)),
    facts: (path) => meet("facts", path, () => real.facts(path)),
    list: (folder) => meet("list", folder, () => real.list(folder)),
    makeFolder: (path) => meet("makeFolder", path, () => real.makeFolder(path)),
    rename: (from, to) => meet("rename", to, () => real.rename(from, to)),
    renameToFree: (from, to) => meet("renameToFree", to, () => real.renameToFree(from, to)),
    remove: (path) => meet("remove", path, () => real.remove(path)),
    removeEmptyFolder: (path) => meet("removeEmptyFolder", path, () => real.removeEmptyFolder(path)),
    removeTree: (path) => meet("removeTree", path, () => real.removeTree(path)),
    syncFolder: (path) => meet("syncFolder", path, () => real.syncFolder(path)),
    clone: (from, to) => meet("clone", to, () => real.clone(from, to)),
    freeBytes: (path) => meet("freeBytes", path, () => real.freeBytes(path)),
    diskBytes: (path) => meet("diskBytes", path, () => real.diskBytes(path)),
  };
}

type Meet = <T>(
  name: string,
  path: string,
  act: (sizeBytes: number) => Promise<T>,
  sizeBytes?: number,
) => Promise<T>;

function createMeeting(hand: DiskHand): Meet {
  const counts = new Map<string, number>();
  let beforeAll = 0;
  return async (name, path, act, sizeBytes = 0) => {
    const before = counts.get(name) ?? 0;
    counts.set(name, before + 1);
    const trick = await hand({ name, path, before, beforeAll: (beforeAll += 1) - 1, sizeBytes });
    if (!trick) return act(sizeBytes);
    if (trick === "late") await act(sizeBytes);
    else if (sizeBytes > 1) await act(sizeBytes >> 1);
    throw diskRefusal("EIO", path);
  };
}

/** One way for a disk to fail: an errno, a trick, or the end of the process in this moment. */
export type DiskFault = "ENOSPC" | "EDQUOT" | "EIO" | "EROFS" | DiskTrick | "crash";

/** A hand that fails the nth act of all (from 0), and tells which one that was. */
export interface FailingHand {
  readonly hand: DiskHand;
  /** The act that was hit; null before. */
  hit(): DiskAct | null;
}

/**
 * Fails one act. EROFS is for good for everything that writes: a disk does not become writable again. After
 * `crash` nothing happens any more, as if the process had been killed.
 */
export function failAct(nth: number, fault: DiskFault): FailingHand {
  let hit: DiskAct | null = null;
  const hand: DiskHand = (act) => {
    const isIt = act.beforeAll === nth;
    if (isIt) hit = act;
    const stays = hit !== null && (fault === "crash" || (fault === "EROFS" && WRITES.has(act.name)));
    if (!isIt && !stays) return undefined;
    if (fault === "torn" || fault === "late") return fault;
    throw diskRefusal(fault === "crash" ? "EIO" : fault, act.path);
  };
  return { hand, hit: () => hit };
}

const WRITES = new Set(
  "open write truncate datasync sync replaceText makeFolder rename renameToFree remove removeEmptyFolder removeTree clone".split(
    " ",
  ),
);
