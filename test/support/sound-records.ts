// The little files that luci keeps, sound, for tests to spoil: the record of an installed model, the journal of a partial.

import type { FileFacts } from "../../src/platform/files.ts";
import type { Journal } from "../../src/store/journal.ts";
import type { Manifest } from "../../src/store/manifest.ts";
import { manifestFile } from "./store-room.ts";

/** The record of a model called `one`. */
export function soundRecord(change: Partial<Manifest> = {}): Manifest {
  return {
    format: 1,
    name: "one",
    ref: "one",
    source: "url",
    revision: null,
    folder: null,
    installedAt: "2026-01-01T00:00:00.000Z",
    files: [manifestFile()],
    ...change,
  };
}

/** The journal of a partial of 1,000 bytes. */
export function soundJournal(key: string): Journal {
  return {
    format: 1,
    key,
    label: "one · m.gguf",
    sizeBytes: 1_000,
    etag: '"x"',
    ranges: [
      [0, 10],
      [20, 30],
    ],
    pieces: ["00", null],
    hash: { hashedBytes: 0, state: "AAAA" },
    seen: { bootId: "x", inode: "1", sizeBytes: 1_000, modifiedNs: "1" },
  };
}

/** What the disk says of its data: half of it is there. */
export const JOURNAL_FACTS: FileFacts = {
  kind: "file",
  sizeBytes: 500,
  allocatedBytes: 512,
  modifiedNs: "1",
  modifiedMs: 0,
  inode: "1",
  links: 1,
};

/** Anything under its own checksum, as a journal is written. */
export function sealJournal(body: string): string {
  const check = new Bun.CryptoHasher("sha256").update(body).digest("hex");
  return `{"check":"${check}","journal":${body}}\n`;
}
