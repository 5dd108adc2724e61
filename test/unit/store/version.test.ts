import { describe, expect, test } from "bun:test";
import type { Validator } from "../../../src/domain/plan.ts";
import { type KnownVersion, compareVersion } from "../../../src/store/version.ts";
import { planFile } from "../../support/store-room.ts";

const SHA = "ab".repeat(32);
const OTHER = "cd".repeat(32);
const nothing: Validator = { etag: null, sizeBytes: null, sha256: null };
const fresh: KnownVersion = { hasBytes: false, sizeBytes: null, etag: null, asked: false };
/** Bytes of an earlier run. */
const resumed: KnownVersion = { hasBytes: true, sizeBytes: 1_000, etag: '"v1"', asked: false };
/** Bytes of this run. */
const running: KnownVersion = { ...resumed, asked: true };

const digested = planFile({ digest: { algorithm: "sha256", hex: SHA }, authority: "hub" });
const plain = planFile();
const unsized = planFile({ sizeBytes: null });

describe("a file with a published digest", () => {
  test.each([
    ["nothing is said", nothing],
    ["the digest is repeated", { ...nothing, sha256: SHA }],
    ["a copy has an ETag of its own", { ...nothing, etag: '"cdn"' }],
    ["the size is right", { ...nothing, sizeBytes: 1_000 }],
  ])("is continued when %s", (_, offered) => {
    for (const known of [fresh, resumed, running])
      expect(compareVersion(digested, known, offered)).toBe("same");
  });

  test("is refused when the source announces another digest", () => {
    expect(() => compareVersion(digested, fresh, { ...nothing, sha256: OTHER })).toThrow(
      expect.objectContaining({ code: "E_CHANGED", retryable: false }),
    );
  });
});

test.each([999, 1_001, 0])("a server that offers %d bytes for 1000 is refused", (sizeBytes) => {
  for (const file of [digested, plain]) {
    expect(() => compareVersion(file, running, { ...nothing, sizeBytes })).toThrow(
      expect.objectContaining({ code: "E_SIZE" }),
    );
  }
});

describe("a file that nobody published a digest of", () => {
  test.each([
    ["no bytes yet", fresh, { ...nothing, etag: '"any"' }, "same"],
    ["an earlier run, the same ETag", resumed, { ...nothing, etag: '"v1"' }, "same"],
    ["an earlier run, another ETag", resumed, { ...nothing, etag: '"v2"' }, "other"],
    ["an earlier run, no ETag now", resumed, nothing, "unprovable"],
    ["an earlier run without an ETag", { ...resumed, etag: null }, nothing, "unprovable"],
    [
      "another connection answered first with another ETag",
      { ...fresh, asked: true, etag: '"v2"' },
      { ...nothing, etag: '"v1"' },
      "other",
    ],
    ["this run, the same ETag", running, { ...nothing, etag: '"v1"' }, "same"],
    ["this run, another ETag", running, { ...nothing, etag: '"v2"' }, "other"],
    ["this run, the ETag is gone", running, nothing, "unprovable"],
    ["this run, never an ETag", { ...running, etag: null }, nothing, "same"],
  ] as const)("%s", (_, known, offered, verdict) => {
    expect(compareVersion(plain, known, offered)).toBe(verdict);
    expect(compareVersion(unsized, known, offered)).toBe(verdict);
  });

  test("another size in this run is another version", () => {
    const offered = { ...nothing, etag: '"v1"', sizeBytes: 1_001 };
    expect(compareVersion(unsized, running, offered)).toBe("other");
    // What a journal says of the size is not held against the server: its ETag decides.
    expect(compareVersion(unsized, resumed, offered)).toBe("same");
  });
});
