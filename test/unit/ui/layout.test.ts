import { describe, expect, test } from "bun:test";
import { alignRows, fitMiddle, padLeft, padRight, widthOf, wrapLine } from "../../../src/ui/layout.ts";
import { createPaint } from "../../../src/ui/style.ts";

describe("fitMiddle", () => {
  test("keeps both ends of what is too long", () => {
    expect(fitMiddle("mistral-7b-instruct-v0.2.Q4_K_M", 16)).toBe("mistral-….Q4_K_M");
    expect(fitMiddle("short", 5)).toBe("short");
    expect([3, 2, 1, 0].map((width) => fitMiddle("abcdef", width))).toEqual(["a…f", "a…", "…", ""]);
  });

  test("counts cells, not characters, and cuts no character in two", () => {
    for (let width = 1; width < 20; width += 1) {
      const cut = fitMiddle("日本語のモデルe\u0301👍🏽終わり", width);
      expect(widthOf(cut)).toBeLessThanOrEqual(width);
      expect(cut.isWellFormed()).toBe(true);
    }
    expect(fitMiddle("日本語モデル", 7)).toBe("日…デル");
  });
});

describe("wrapLine", () => {
  test("breaks at spaces and indents what follows", () => {
    expect(wrapLine("the quick brown fox jumps", 12)).toEqual(["the quick", "  brown fox", "  jumps"]);
    expect(wrapLine("   the quick brown", 12)).toEqual(["   the quick", "     brown"]);
    expect(wrapLine("fits", 4)).toEqual(["fits"]);
  });

  test("never breaks a word, nor a number from its unit, nor a symbol from its word", () => {
    expect(wrapLine("done, 2.02 GB in 4s", 11)).toEqual(["done,", "  2.02 GB", "  in 4s"]);
    expect(wrapLine("at 455 MB/s now", 7)).toEqual(["at", "  455 MB/s", "  now"]);
    expect(wrapLine("✓ a-very-long-file-name.gguf: done", 12)).toEqual([
      "✓ a-very-long-file-name.gguf:",
      "  done",
    ]);
  });

  test("colour takes no room", () => {
    const { red } = createPaint(true);
    expect(wrapLine(`${red("error:")} it failed`, 16)).toEqual([`${red("error:")} it failed`]);
  });
});

describe("alignRows", () => {
  test("puts columns under each other, numbers at the right, nothing at the end", () => {
    expect(
      alignRows(
        [
          ["a", "1 kB", "x"],
          ["日本", "12.3 MB"],
        ],
        { right: [1], indent: " " },
      ),
    ).toEqual([" a        1 kB  x", " 日本  12.3 MB"]);
    expect(alignRows([])).toEqual([]);
  });

  test("pads by cells", () =>
    expect([padLeft("日", 4), padRight("日", 4), padLeft("long", 2)]).toEqual(["  日", "日  ", "long"]));
});
