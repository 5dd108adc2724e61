// Hash jobs without a worker, for small files that were written just now: to read them back and hash them takes
// less than to tell a worker of them. Native engine only.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { FileFacts, OpenFile } from "./files.ts";
import {
  type HashJob,
  type HashJobOptions,
  type HashListener,
  type HashPool,
  hashFailure,
} from "./hash-pool.ts";
import { checkEngine, createNativeSha256, fingerprint } from "./hash.ts";
import { factsOf } from "./open-file.ts";

/** A whole file as it was read back: what was hashed is what is looked at. */
export type ReadBack = Pick<OpenFile, "read" | "facts">;

/** The same, in memory until it is dropped. */
export interface HeldFile extends ReadBack {
  drop(): void;
}

/** Jobs that read the whole file, of one piece at most, at once when it is whole. Nothing to close. */
export function createInlineHashes(onRead: (held: HeldFile) => void): HashPool {
  return {
    open: (options, listener) => {
      // As every worker does; it takes microseconds.
      checkEngine(createNativeSha256(), "native");
      return openJob(options, { listener, onRead });
    },
    close: () => undefined,
  };
}

interface Ears {
  readonly listener: HashListener;
  readonly onRead: (held: HeldFile) => void;
}

function openJob(options: HashJobOptions, { listener, onRead }: Ears): HashJob {
  let expected = options.expected[0] ?? null;
  let isFinished = false;
  return {
    advance: (frontierBytes, sizeBytes) => {
      if (isFinished || sizeBytes === null || frontierBytes < sizeBytes) return;
      try {
        const { bytes, facts } = readWhole(options.path, sizeBytes);
        const mark = fingerprint(bytes);
        if (expected !== null && expected !== mark && sizeBytes > 0) return listener.onBad(0);
        isFinished = true;
        onRead(hold(bytes, facts));
        if (sizeBytes > 0) listener.onPiece(0, { fingerprint: mark, hashedBytes: sizeBytes, state: null });
        listener.onDigest(digestsOf(bytes, options.gitBlob));
      } catch (error) {
        const { code = null, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
        listener.onFailed(hashFailure({ code, message: message ?? String(error) }, options.path));
      }
    },
    goNative: () => {
      isFinished = false;
    },
    forget: () => {
      expected = null;
    },
    close: () => {
      isFinished = true;
    },
  };
}

function readWhole(path: string, sizeBytes: number): { bytes: Uint8Array<ArrayBuffer>; facts: FileFacts } {
  const bytes = new Uint8Array(sizeBytes);
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    for (let filledBytes = 0; filledBytes < sizeBytes;) {
      const count = readSync(fd, bytes, filledBytes, sizeBytes - filledBytes, filledBytes);
      if (count === 0)
        throw Object.assign(new Error("the file is shorter than it should be"), { code: "ESHORT" });
      filledBytes += count;
    }
    return { bytes, facts: factsOf(fstatSync(fd, { bigint: true })) };
  } finally {
    closeSync(fd);
  }
}

function hold(bytes: Uint8Array<ArrayBuffer>, facts: FileFacts): HeldFile {
  return {
    read: (buffer, offsetBytes) => {
      const part = bytes.subarray(offsetBytes, offsetBytes + buffer.length);
      buffer.set(part);
      return Promise.resolve(part.length);
    },
    facts: () => Promise.resolve(facts),
    // The collector would let a thousand files pass before it looks.
    drop: () => void bytes.buffer.transfer(0),
  };
}

function digestsOf(bytes: Uint8Array, gitBlob: boolean): { sha256: string; gitSha1: string | null } {
  const sha256 = createNativeSha256();
  sha256.update(bytes);
  // git hashes "blob <size>\0" before the content (git-hash-object).
  const git = gitBlob ? new Bun.CryptoHasher("sha1").update(`blob ${bytes.length}\0`).update(bytes) : null;
  return { sha256: sha256.digestHex(), gitSha1: git?.digest("hex") ?? null };
}
