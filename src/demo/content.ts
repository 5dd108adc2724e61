// What a file of the embedded hub holds: bytes in memory or bytes computed by offset, with their digest.
// Nothing here reads or writes a disk.

import { createHash } from "node:crypto";
import type { Range } from "../domain/range.ts";
import { randomBytes } from "./random-bytes.ts";

const HASH_STEP_BYTES = 1024 * 1024;

/** Bytes that can be read at any offset. `read` answers exactly `endBytes - startBytes` bytes. */
export interface Content {
  readonly sizeBytes: number;
  readonly sha256: string;
  read(startBytes: number, endBytes: number): Uint8Array;
}

/** Content held in memory; text is taken as UTF-8. */
export function bytesContent(source: Uint8Array | string): Content {
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  return lazyDigest(bytes.length, (startBytes, endBytes) => bytes.subarray(startBytes, endBytes));
}

/** `sizeBytes` pseudo-random bytes of a seed; nothing is kept in memory. A digest known already is believed. */
export function randomContent(options: { seed: number; sizeBytes: number; sha256?: string }): Content {
  const { seed, sizeBytes, sha256 } = options;
  const read: Content["read"] = (startBytes, endBytes) => randomBytes(seed, { startBytes, endBytes });
  return sha256 === undefined ? lazyDigest(sizeBytes, read) : { sizeBytes, sha256, read };
}

/** A head in memory followed by another content. */
export function headedContent(head: Uint8Array, tail: Content): Content {
  const headBytes = head.length;
  return lazyDigest(headBytes + tail.sizeBytes, (startBytes, endBytes) => {
    if (startBytes >= headBytes) return tail.read(startBytes - headBytes, endBytes - headBytes);
    if (endBytes <= headBytes) return head.subarray(startBytes, endBytes);
    const joined = new Uint8Array(endBytes - startBytes);
    joined.set(head.subarray(startBytes));
    joined.set(tail.read(0, endBytes - headBytes), headBytes - startBytes);
    return joined;
  });
}

/** The pieces of a range, none larger than `stepBytes`, read one at a time. */
export function* readPieces(
  content: Content,
  options: { range: Range; stepBytes: number },
): Generator<Uint8Array> {
  const { range, stepBytes } = options;
  for (let atBytes = range.startBytes; atBytes < range.endBytes; atBytes += stepBytes) {
    yield content.read(atBytes, Math.min(range.endBytes, atBytes + stepBytes));
  }
}

/** The digest of a whole content, in hex. */
export function digestOf(content: Omit<Content, "sha256">, algorithm: "sha256" | "git-sha1"): string {
  const hash = createHash(algorithm === "sha256" ? "sha256" : "sha1");
  if (algorithm === "git-sha1") hash.update(`blob ${content.sizeBytes}\0`);
  for (let atBytes = 0; atBytes < content.sizeBytes; atBytes += HASH_STEP_BYTES) {
    hash.update(content.read(atBytes, Math.min(content.sizeBytes, atBytes + HASH_STEP_BYTES)));
  }
  return hash.digest("hex");
}

/** Content whose digest is computed when it is first asked for: most tests never ask for the big ones'. */
function lazyDigest(sizeBytes: number, read: Content["read"]): Content {
  let sha256: string | null = null;
  return {
    sizeBytes,
    read,
    get sha256() {
      sha256 ??= digestOf({ sizeBytes, read }, "sha256");
      return sha256;
    },
  };
}
