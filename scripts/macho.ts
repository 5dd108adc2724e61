// Checks the page hashes of a Mach-O code signature, on any machine and without Apple's tools.
// macOS kills a program at the first page whose hash is wrong, long after a build looked fine.
// Layout: <mach-o/loader.h> (little-endian) and <kern/cs_blobs.h> (big-endian).

import { createHash } from "node:crypto";

const MACHO_64_MAGIC = 0xfeedfacf;
const HEADER_BYTES = 32;
const LC_CODE_SIGNATURE = 0x1d;
const SUPER_BLOB_MAGIC = 0xfade0cc0;
const CODE_DIRECTORY_MAGIC = 0xfade0c02;
const VERSION_WITH_LIMIT_64 = 0x20300;
const DIGESTS: Readonly<Record<number, string>> = { 1: "sha1", 2: "sha256" };

export interface SignatureCheck {
  /** True when every byte before the signature is covered by a page hash and every hash is right. */
  readonly valid: boolean;
  readonly pages: number;
  readonly wrongPages: number;
  /** Bytes between the end of the signed part and the signature. */
  readonly unsignedBytes: number;
}

/**
 * Recomputes every page hash of a thin 64-bit Mach-O file.
 * Throws when the file is not one or carries no signature that can be checked.
 */
export function checkSignature(file: Uint8Array): SignatureCheck {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0, true) !== MACHO_64_MAGIC) throw new Error("not a 64-bit Mach-O file");
  const signatureOffset = findSignature(view);
  const directory = findCodeDirectory(view, signatureOffset);
  const pageBytes = 2 ** view.getUint8(directory + 39);
  const algorithm = DIGESTS[view.getUint8(directory + 37)];
  if (algorithm === undefined) throw new Error("the code directory uses an unknown digest");
  const limit = readLimit(view, directory);
  const pages = view.getUint32(directory + 28);
  const hashBytes = view.getUint8(directory + 36);
  const hashes = directory + view.getUint32(directory + 16);
  let wrongPages = 0;
  for (let page = 0; page < pages; page += 1) {
    const content = file.subarray(page * pageBytes, Math.min((page + 1) * pageBytes, limit));
    const expected = file.subarray(hashes + page * hashBytes, hashes + (page + 1) * hashBytes);
    const actual = createHash(algorithm).update(content).digest().subarray(0, hashBytes);
    if (!actual.equals(expected)) wrongPages += 1;
  }
  const unsignedBytes = signatureOffset - Math.min(limit, pages * pageBytes);
  return { valid: wrongPages === 0 && unsignedBytes === 0, pages, wrongPages, unsignedBytes };
}

function findSignature(view: DataView): number {
  const commands = view.getUint32(16, true);
  let offset = HEADER_BYTES;
  for (let index = 0; index < commands; index += 1) {
    if (view.getUint32(offset, true) === LC_CODE_SIGNATURE) return view.getUint32(offset + 8, true);
    offset += view.getUint32(offset + 4, true);
  }
  throw new Error("no code signature");
}

function findCodeDirectory(view: DataView, signatureOffset: number): number {
  if (view.getUint32(signatureOffset) !== SUPER_BLOB_MAGIC) throw new Error("no signature blob");
  const blobs = view.getUint32(signatureOffset + 8);
  for (let index = 0; index < blobs; index += 1) {
    const blob = signatureOffset + view.getUint32(signatureOffset + 12 + index * 8 + 4);
    if (view.getUint32(blob) === CODE_DIRECTORY_MAGIC) return blob;
  }
  throw new Error("no code directory");
}

function readLimit(view: DataView, directory: number): number {
  const limit32 = view.getUint32(directory + 32);
  const limit64 =
    view.getUint32(directory + 8) >= VERSION_WITH_LIMIT_64 ? Number(view.getBigUint64(directory + 56)) : 0;
  return limit64 === 0 ? limit32 : limit64;
}
