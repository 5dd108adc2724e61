// The check of a macOS signature, on the smallest file that carries one.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { checkSignature } from "../../../scripts/macho.ts";

const PAGE_BYTES = 4096;
const CONTENT_BYTES = 3 * PAGE_BYTES + 100;
const PAGES = 4;
const DIRECTORY_BYTES = 88;
const SHA256_BYTES = 32;

/** A Mach-O file of four pages, signed up to `limitBytes`. */
function signedFile(limitBytes = CONTENT_BYTES): Uint8Array {
  const directory = CONTENT_BYTES + 20;
  const file = new Uint8Array(directory + DIRECTORY_BYTES + PAGES * SHA256_BYTES);
  const view = new DataView(file.buffer);
  file.fill(7, 48, CONTENT_BYTES);
  view.setUint32(0, 0xfeedfacf, true);
  view.setUint32(16, 1, true);
  view.setUint32(32, 0x1d, true);
  view.setUint32(36, 16, true);
  view.setUint32(40, CONTENT_BYTES, true);
  view.setUint32(44, file.length - CONTENT_BYTES, true);
  view.setUint32(CONTENT_BYTES, 0xfade0cc0);
  view.setUint32(CONTENT_BYTES + 8, 1);
  view.setUint32(CONTENT_BYTES + 16, 20);
  view.setUint32(directory, 0xfade0c02);
  view.setUint32(directory + 8, 0x20400);
  view.setUint32(directory + 16, DIRECTORY_BYTES);
  const pages = Math.ceil(limitBytes / PAGE_BYTES);
  view.setUint32(directory + 28, pages);
  view.setUint32(directory + 32, limitBytes);
  file.set([SHA256_BYTES, 2, 0, 12], directory + 36);
  for (let page = 0; page < pages; page += 1) {
    const content = file.subarray(page * PAGE_BYTES, Math.min((page + 1) * PAGE_BYTES, limitBytes));
    file.set(
      createHash("sha256").update(content).digest(),
      directory + DIRECTORY_BYTES + page * SHA256_BYTES,
    );
  }
  return file;
}

describe("checkSignature", () => {
  test("accepts a file whose every page is signed", () => {
    expect(checkSignature(signedFile())).toEqual({ valid: true, pages: 4, wrongPages: 0, unsignedBytes: 0 });
  });

  test("counts the pages that are not what was signed", () => {
    const file = signedFile();
    file[PAGE_BYTES + 5] = 8;
    file[CONTENT_BYTES - 1] = 8;
    expect(checkSignature(file)).toMatchObject({ valid: false, wrongPages: 2 });
  });

  test("refuses a gap between the signed part and the signature", () => {
    expect(checkSignature(signedFile(2 * PAGE_BYTES))).toMatchObject({
      valid: false,
      wrongPages: 0,
      unsignedBytes: PAGE_BYTES + 100,
    });
  });

  test("refuses what carries no signature", () => {
    expect(() => checkSignature(new Uint8Array(100))).toThrow("not a 64-bit Mach-O file");
    const unsigned = signedFile();
    new DataView(unsigned.buffer).setUint32(32, 0x19, true);
    expect(() => checkSignature(unsigned)).toThrow("no code signature");
  });
});
