import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import { checkNoCollisions, checkRemotePath } from "../../../src/domain/safe-path.ts";

function refusal(run: () => unknown): LuciError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(LuciError);
    return error as LuciError;
  }
  throw new Error("nothing was refused");
}

describe("checkRemotePath", () => {
  test.each([
    "x.gguf",
    "a/b/c.safetensors",
    "Qwen2.5-7B (1).gguf",
    "モデル.gguf",
    "caf\u00e9.txt",
    ".gitattributes",
    "a/.luci/x",
    "console.txt",
    "com10.txt",
    "x..gguf",
    "é".repeat(127),
  ])("lets %s through", (path) => {
    expect(checkRemotePath(path)).toBe(path);
  });

  test.each([
    ["empty", ""],
    ["absolute", "/etc/passwd"],
    ["parent", "../x"],
    ["parent within", "a/../../b"],
    ["parent at the end", "a/.."],
    ["dot", "./x"],
    ["empty part", "a//b"],
    ["trailing slash", "a/"],
    ["backslash", "..\\x"],
    ["drive", "C:x"],
    ["stream", "x.gguf:evil"],
    ["share", "\\\\srv\\s"],
    ["NUL byte", "a\u0000b"],
    ["newline", "a\nb"],
    ["escape", "a\u001b[2Jb"],
    ["C1", "a\u009bb"],
    ["DEL", "a\u007fb"],
    ["bidi", "a\u202egguf.exe"],
    ["isolate", "a\u2066b"],
    ["zero width", "a\u200bb"],
    ["byte order mark", "\ufeffa"],
    ["soft hyphen", "a\u00adb"],
    ["line separator", "a\u2028b"],
    ["lone surrogate", "a\ud800b"],
    ["decomposed", "cafe\u0301.txt"],
    ["star", "a*"],
    ["question mark", "a?"],
    ["quote", 'a"b'],
    ["pipe", "a|b"],
    ["angle", "a<b"],
    ["device", "CON"],
    ["device with ending", "sub/nul.gguf"],
    ["device with space", "aux .txt"],
    ["serial", "com1"],
    ["superscript serial", "COM¹.txt"],
    ["printer", "LPT9"],
    ["console input", "conin$"],
    ["dot at the end", "x./y"],
    ["space at the end", "x "],
    ["long part", "é".repeat(128)],
    ["long path", Array.from({ length: 40 }, () => "a".repeat(30)).join("/")],
    ["our own folder", ".luci/v1/manifests/x.json"],
    ["our own folder in capitals", ".LUCI"],
    ["our own folder's short name", "LUCI~1/x"],
  ])("refuses %s", (_, path) => {
    expect(refusal(() => checkRemotePath(path)).code).toBe("E_UNSAFE_PATH");
  });

  test("says which rule a name breaks", () => {
    expect(refusal(() => checkRemotePath("../x")).message).toContain("it leaves its folder");
    expect(refusal(() => checkRemotePath("/x")).message).toContain("it is absolute");
  });

  test("shows the name without its controls", () => {
    const { message } = refusal(() => checkRemotePath(`a\u001b]0;x${"b".repeat(500)}`));
    expect(message).not.toContain("\u001b");
    expect(message.length).toBeLessThan(250);
  });
});

test.each([
  ["CON.gguf", "Not every disk can hold that name"],
  ["a:b.gguf", "Not every disk can hold that name"],
  ["../a.gguf", "names a file outside its folder"],
  ["/a.gguf", "names a file outside its folder"],
])("the advice on %s fits what is wrong with it", (path, advice) => {
  expect(refusal(() => checkRemotePath(path)).hint).toContain(advice);
});

describe("checkNoCollisions", () => {
  test.each([
    ["nothing", []],
    ["different names", ["a", "b", "a.b", "ab/c", "ab/d"]],
    ["folders in two cases", ["A/x", "a/y"]],
    ["prefix of a name", ["a/b", "a/bc", "ab"]],
  ])("lets %s through", (_, paths) => {
    expect(() => checkNoCollisions(paths)).not.toThrow();
  });

  test.each([
    ["the same", "a", "a"],
    ["case", "Model.gguf", "model.GGUF"],
    ["case of a folder", "A/x", "a/x"],
    ["composition", "caf\u00e9", "cafe\u0301"],
    ["sharp s", "stra\u00dfe", "STRASSE"],
    ["long s", "\u017fa", "sa"],
    ["file and folder", "a/b", "a/b/c"],
    ["file and folder in two cases", "A/b/c/d", "a/B"],
  ])("refuses %s and names both", (_, one, other) => {
    for (const paths of [
      [one, "between", other],
      [other, one],
    ]) {
      const error = refusal(() => checkNoCollisions(paths));
      expect(error.code).toBe("E_UNSAFE_PATH");
      expect(error.message).toContain(JSON.stringify(one));
      expect(error.message).toContain(JSON.stringify(other));
    }
  });
});
