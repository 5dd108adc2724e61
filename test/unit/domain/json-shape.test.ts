import { describe, expect, test } from "bun:test";
import { parseJson } from "../../../src/domain/json-shape.ts";

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const listOf = (count: number, item: string) => `[${Array.from({ length: count }, () => item).join(",")}]`;

describe("JSON of strangers", () => {
  test.each([
    ["a value", "7"],
    ["a record of 100,000 files", listOf(100_000, '{"path":"a","pieces":[],"origin":{"kind":"url"}}')],
    ["100 lists in each other", nested(100)],
    ["a million numbers", listOf(1_000_000, "0")],
    [
      "200,000 names and lists after them",
      `{${Array.from({ length: 200_000 }, (_, index) => `"${index}":[0,0]`).join(",")}}`,
    ],
    ["brackets in a text", JSON.stringify(`\\"${"[".repeat(1_000_000)}`)],
  ])("may be %s", (_, text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test.each([
    ["nothing", ""],
    ["half of it", '{"a":'],
    ["101 lists in each other", nested(101)],
    ["a million lists side by side", listOf(1_000_000, "[]")],
    [
      "an object of a million names",
      `{${Array.from({ length: 1_000_000 }, (_, index) => `"${index}":0`).join(",")}}`,
    ],
    ["five million numbers", listOf(5_000_000, "0")],
  ])("may not be %s", (_, text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
