// A disk that fails when it is told to: the real one, with a hand on every operation.

import type { Files, OpenFile } from "../../src/platform/files.ts";

/** One operation that is about to happen. */
export interface DiskAct {
  /** `open`, `write`, `datasync`, `replaceText`, … */
  readonly name: string;
  readonly path: string;
  /** How many acts of this name came before, on any path. */
  readonly before: number;
  /** What a write is about to write; 0 for everything else. */
  readonly sizeBytes: number;
}

/** Throws to make an operation fail, waits to make it slow, or lets it pass. */
export type DiskHand = (act: DiskAct) => void | Promise<void>;

/** The same disk, with `hand` before every operation. */
export function faultyFiles(real: Files, hand: DiskHand): Files {
  const counts = new Map<string, number>();
  const meet = async (name: string, path: string, sizeBytes = 0): Promise<void> => {
    const before = counts.get(name) ?? 0;
    counts.set(name, before + 1);
    await hand({ name, path, before, sizeBytes });
  };
  const onFile = (file: OpenFile): OpenFile => ({
    path: file.path,
    read: (buffer, offsetBytes) => meet("read", file.path).then(() => file.read(buffer, offsetBytes)),
    write: async (offsetBytes, chunks) => {
      await meet(
        "write",
        file.path,
        chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      );
      await file.write(offsetBytes, chunks);
    },
    truncate: (sizeBytes) => meet("truncate", file.path).then(() => file.truncate(sizeBytes)),
    datasync: () => meet("datasync", file.path).then(() => file.datasync()),
    sync: () => meet("sync", file.path).then(() => file.sync()),
    facts: () => meet("facts", file.path).then(() => file.facts()),
    close: () => file.close(),
  });
  return {
    open: async (path, mode) => {
      await meet("open", path);
      return onFile(await real.open(path, mode));
    },
    readText: (path, options) => meet("readText", path).then(() => real.readText(path, options)),
    replaceText: (path, text) => meet("replaceText", path).then(() => real.replaceText(path, text)),
    facts: (path) => meet("facts", path).then(() => real.facts(path)),
    list: (folder) => meet("list", folder).then(() => real.list(folder)),
    makeFolder: (path) => meet("makeFolder", path).then(() => real.makeFolder(path)),
    rename: (from, to) => meet("rename", to).then(() => real.rename(from, to)),
    renameToFree: (from, to) => meet("renameToFree", to).then(() => real.renameToFree(from, to)),
    remove: (path) => meet("remove", path).then(() => real.remove(path)),
    removeEmptyFolder: (path) => meet("removeEmptyFolder", path).then(() => real.removeEmptyFolder(path)),
    removeTree: (path) => meet("removeTree", path).then(() => real.removeTree(path)),
    syncFolder: (path) => meet("syncFolder", path).then(() => real.syncFolder(path)),
    clone: (from, to) => meet("clone", to).then(() => real.clone(from, to)),
    freeBytes: (path) => meet("freeBytes", path).then(() => real.freeBytes(path)),
  };
}
