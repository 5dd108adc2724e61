import { describe, expect, test } from "bun:test";
import {
  journalPath,
  layoutOf,
  lockPath,
  manifestFileName,
  parsePartialName,
  partialFileName,
  partialKey,
} from "../../../src/store/layout.ts";
import { planFile } from "../../support/store-room.ts";

const HEX = "0f".repeat(32);

test("everything of luci's own lies below .luci/v1", () => {
  const layout = layoutOf("/m");
  expect(layout).toEqual({
    modelsFolder: "/m",
    privateFolder: "/m/.luci/v1",
    manifestsFolder: "/m/.luci/v1/manifests",
    partialsFolder: "/m/.luci/v1/partials",
    locksFolder: "/m/.luci/v1/locks",
  });
  expect(journalPath(layout, "k")).toBe("/m/.luci/v1/partials/k.json");
  expect(lockPath(layout, "k")).toBe("/m/.luci/v1/locks/k.lock");
});

describe("a partial's key", () => {
  test("is the SHA-256 where one is published, so that a mirror continues it", () => {
    const digest = { algorithm: "sha256", hex: HEX } as const;
    expect(partialKey(planFile({ digest }))).toBe(`sha256-${HEX}`);
    const mirror = planFile({ digest, origin: { kind: "url", url: "https://mirror.example/x" } });
    expect(partialKey(mirror)).toBe(`sha256-${HEX}`);
  });

  test("else tells sources apart", () => {
    const keys = ["https://a.example/x", "https://a.example/y"].map((url) =>
      partialKey(planFile({ origin: { kind: "url", url } })),
    );
    expect(keys[0]).toMatch(/^source-[0-9a-f]{32}$/);
    expect(keys[0]).not.toBe(keys[1]);
  });
});

describe("a partial's file name", () => {
  test.each([
    { key: `sha256-${HEX}`, tag: null },
    { key: `sha256-${HEX}`, tag: "4711.0123456789ab" },
    { key: "source-00ff", tag: "1.ab" },
  ])("of %p is read back", (name) => {
    expect(parsePartialName(partialFileName(name))).toEqual(name);
  });

  test.each([
    `sha256-${HEX}.json`,
    `sha256-${HEX}.part.tmp`,
    `sha256-${HEX}..part`,
    `sha256-${HEX}.4711.part`,
    `sha256-${HEX}.4711.zz.part`,
    `md5-${HEX}.part`,
    `sha256-${HEX.toUpperCase()}.part`,
    "notes.part",
    "",
  ])("%p is none", (name) => {
    expect(parsePartialName(name)).toBeNull();
  });
});

describe("a manifest's file name", () => {
  test.each(["llama3.2", "qwen3-4b", "a", "0x_y"])("is the plain name %p", (name) => {
    expect(manifestFileName(name)).toBe(`${name}.json`);
  });

  test.each([
    "org/repo",
    "org/repo:Q4_K_M",
    "Org",
    "../../etc/passwd",
    ".hidden",
    "-x",
    "ünïcode",
    "x".repeat(101),
    "",
    "a\u0000b",
  ])("of %p stays one safe segment", (name) => {
    const fileName = manifestFileName(name);
    expect(fileName).toMatch(/^[A-Za-z0-9._-]{0,100}~[0-9a-f]{8}\.json$/);
  });

  test("tells names apart that look alike when made plain", () => {
    const names = ["org/repo", "org:repo", "org--repo", "ORG/repo"].map(manifestFileName);
    expect(new Set(names).size).toBe(4);
  });
});
