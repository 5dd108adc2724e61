// Which known word a mistyped one is taken for.

import { expect, test } from "bun:test";
import { nearest } from "../../../src/cli/nearest.ts";

const WORDS = ["install", "verify", "version", "cleanup", "list", "path", "dry-run", "core", "all"];

test.each([
  ["instal", "install"],
  ["INSTALL", "install"],
  ["isntall", "install"],
  ["ver", "verify"],
  ["versoin", "version"],
  ["clean-up", "cleanup"],
  ["lst", "list"],
  ["dry-rn", "dry-run"],
  ["cor", "core"],
  ["al", "all"],
  ["llama3.2", null],
  ["xyz", null],
  ["", null],
] as const)("%s is taken for %p", (typed, want) => {
  expect(nearest(typed, WORDS)).toBe(want);
});

test("nothing is near where nothing is known", () => {
  expect(nearest("install", [])).toBeNull();
});
