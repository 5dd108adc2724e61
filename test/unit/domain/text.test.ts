import { describe, expect, test } from "bun:test";
import { escapeText, jsonLine } from "../../../src/domain/text.ts";

describe("escapeText", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["a colour sequence", "\u001B[31mred\u001B[0m", "\\u{1b}[31mred\\u{1b}[0m"],
    ["a window title", "\u001B]0;owned\u0007", "\\u{1b}]0;owned\\u{7}"],
    ["an 8-bit control sequence", "\u009B2J", "\\u{9b}2J"],
    ["carriage return and backspace", "safe\rfake\b\b", "safe\\u{d}fake\\u{8}\\u{8}"],
    ["line feed, tab, NUL and DEL", "a\nb\tc\0d\u007F", "a\\u{a}b\\u{9}c\\u{0}d\\u{7f}"],
    [
      "bidi overrides and isolates",
      "model\u202Efugg.\u2066x\u2069",
      "model\\u{202e}fugg.\\u{2066}x\\u{2069}",
    ],
    ["bidi marks", "\u200E\u200F\u061C", "\\u{200e}\\u{200f}\\u{61c}"],
    [
      "zero-width characters",
      "mis\u200Btral\u200D\u2060\uFEFF\u00AD",
      "mis\\u{200b}tral\\u{200d}\\u{2060}\\u{feff}\\u{ad}",
    ],
    ["tag characters", "a\u{E0041}", "a\\u{e0041}"],
    ["lone surrogates", "a\uD800b\uDFFF", "a\\u{d800}b\\u{dfff}"],
    ["line and paragraph separators", "a\u2028b\u2029", "a\\u{2028}b\\u{2029}"],
    ["blank fillers", "a\u3164b\u115F", "a\\u{3164}b\\u{115f}"],
  ];
  for (const [what, text, printable] of cases) {
    test(`shows ${what}`, () => expect(escapeText(text)).toBe(printable));
  }

  for (const text of [
    "mistral-7b-instruct-v0.2.Q4_K_M.gguf",
    "C:\\models\\größe — 30 %",
    "日本語モデル",
    "العربية ٣ \u0600",
    "नमस्ते",
    "😀👍🏽❤️",
    "\u{20BB7}",
    "e\u0301",
  ]) {
    test(`keeps ${text}`, () => expect(escapeText(text)).toBe(text));
  }

  test("keeps line feeds of multi-line text, and only them", () => {
    expect(escapeText("a\nb\r\nc\u001B", { multiline: true })).toBe("a\nb\\u{d}\nc\\u{1b}");
  });

  test("twice is once", () => {
    const once = escapeText("\u001B[2J\u202E");
    expect(escapeText(once)).toBe(once);
  });
});

describe("jsonLine", () => {
  test("is one line of well-formed JSON that no terminal obeys", () => {
    const line = jsonLine({ name: "a\nb\u2028c\u009B2J\u202E\u{E0041}\uD800" });
    expect(line).toBe('{"name":"a\\nb\\u2028c\\u009b2J\\u202e\\udb40\\udc41\uFFFD"}');
    expect(JSON.parse(line)).toEqual({ name: "a\nb\u2028c\u009B2J\u202E\u{E0041}\uFFFD" });
  });

  test("survives strict UTF-8", () => {
    const bytes = new TextEncoder().encode(jsonLine(["\uDC00x", "日本"]));
    expect(new TextDecoder("utf-8", { fatal: true }).decode(bytes)).toBe('["\uFFFDx","日本"]');
  });
});
