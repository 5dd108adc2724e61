import { describe, expect, test } from "bun:test";
import type { LuciError } from "../../../src/domain/errors.ts";
import { selectFiles } from "../../../src/sources/huggingface-select.ts";

function choose(select: string | null, paths: readonly string[], allowUnsafe = false) {
  const digest = { algorithm: "git-sha1", hex: "ab".repeat(20) } as const;
  const files = paths.map((path) => ({ path, sizeBytes: 1_000_000_000, digest }));
  const { files: chosen, notices } = selectFiles(files, { repo: "org/repo", select, allowUnsafe });
  return { paths: chosen.map((file) => file.path), notices };
}

function refusal(run: () => unknown): LuciError {
  try {
    run();
  } catch (error) {
    return error as LuciError;
  }
  throw new Error("nothing was refused");
}

const SHARDS = ["x-Q8_0-00001-of-00003.gguf", "x-Q8_0-00002-of-00003.gguf", "x-Q8_0-00003-of-00003.gguf"];
const PROJECTORS = ["mmproj-BF16.gguf", "mmproj-F16.gguf"];

describe("a selection", () => {
  test.each<[string, string[], string[]]>([
    ["Q4_K_M", ["x-Q4_K_M.gguf", "x-Q4_K_S.gguf"], ["x-Q4_K_M.gguf"]],
    ["q4_k_m", ["x.Q4_K_M.gguf"], ["x.Q4_K_M.gguf"]],
    ["Q4_K", ["x-Q4_K.gguf", "x-Q4_K_M.gguf"], ["x-Q4_K.gguf"]],
    ["Q4_0", ["x-Q4_0.gguf", "x-Q4_0_4_4.gguf"], ["x-Q4_0.gguf"]],
    ["Q2_K_L", ["x-UD-Q2_K_L.gguf", "x-Q2_K_L.gguf"], ["x-Q2_K_L.gguf"]],
    ["Q2_K_XL", ["x-UD-Q2_K_XL.gguf"], ["x-UD-Q2_K_XL.gguf"]],
    ["F16", ["x-F16.gguf", "x-BF16.gguf"], ["x-F16.gguf"]],
    ["Q8_0", [SHARDS[2]!, SHARDS[0]!, SHARDS[1]!, "x-Q4_0.gguf"], SHARDS],
    ["Q8_0", ["Q8_0/m-00001-of-00001.gguf", "Q4_0/m-00001-of-00001.gguf"], ["Q8_0/m-00001-of-00001.gguf"]],
    ["Q4_0", ["x-Q4_0.gguf", ...PROJECTORS], ["x-Q4_0.gguf", "mmproj-F16.gguf"]],
    ["F16", ["x-F16.gguf", ...PROJECTORS], ["x-F16.gguf", "mmproj-F16.gguf"]],
    ["x-Q4_0.gguf", ["x-Q4_0.gguf", ...PROJECTORS], ["x-Q4_0.gguf"]],
    ["mmproj-F16.gguf", ["x-Q4_0.gguf", ...PROJECTORS], ["mmproj-F16.gguf"]],
    [SHARDS[1]!, SHARDS, SHARDS],
    ["a/CONFIG.json", ["a/config.json"], ["a/config.json"]],
    ["A.gguf", ["a.gguf", "A.gguf"], ["A.gguf"]],
    ["ggml-base.bin", ["ggml-base.bin"], ["ggml-base.bin"]],
  ])("%s of %p", (select, paths, expected) => {
    expect(choose(select, paths).paths).toEqual(expected);
  });

  test("that is not there names what is", () => {
    const error = refusal(() => choose("Q3_K_M", ["x-Q8_0.gguf", "x-Q4_0.gguf", "README.md"]));
    expect(error.code).toBe("E_NOT_FOUND");
    expect(error.hint).toContain("Q4_0, Q8_0");
    expect(refusal(() => choose("Q3_K_M", ["model.safetensors"])).hint).toContain("no GGUF files");
    expect(refusal(() => choose("F16", ["x-Q4_0.gguf", "mmproj-F16.gguf"])).code).toBe("E_NOT_FOUND");
  });

  test("that fits several models names them", () => {
    const error = refusal(() => choose("Q4_0", ["a-Q4_0.gguf", "b-Q4_0.gguf"]));
    expect(error.code).toBe("E_NOT_FOUND");
    expect(error.message).toContain("a-Q4_0.gguf, b-Q4_0.gguf");
    expect(refusal(() => choose("Q4", ["x-Q4_K_M.gguf", "x-Q4_0.gguf"])).message).toContain("fits 2");
    expect(refusal(() => choose("a.Gguf", ["a.gguf", "A.gguf"])).message).toContain("a.gguf, A.gguf");
  });

  test("of an incomplete set names what lacks", () => {
    for (const select of ["Q8_0", SHARDS[0]!]) {
      const error = refusal(() => choose(select, [SHARDS[0]!, SHARDS[2]!]));
      expect(error.code).toBe("E_NOT_FOUND");
      expect(error.message).toContain(SHARDS[1]!);
      expect(error.message).not.toContain(SHARDS[2]!);
    }
    expect(refusal(() => choose("Q8_0", ["x-Q8_0-00001-of-00000.gguf"])).code).toBe("E_NOT_FOUND");
  });

  test("of a file that runs code needs leave", () => {
    expect(refusal(() => choose("a.pt", ["a.pt", "x.gguf"])).code).toBe("E_UNSAFE_FILE");
    expect(choose("a.pt", ["a.pt"], true).paths).toEqual(["a.pt"]);
  });
});

describe("a whole repository", () => {
  test("leaves git's files out", () => {
    expect(choose(null, [".gitattributes", "a/.gitignore", "x.gguf", "README.md"]).paths).toEqual([
      "x.gguf",
      "README.md",
    ]);
  });

  test("takes safetensors and leaves what runs code, saying so", () => {
    const { paths, notices } = choose(null, [
      "config.json",
      "model.safetensors",
      "pytorch_model.bin",
      "modeling.py",
      "flax.msgpack",
      "rust.ot",
    ]);
    expect(paths).toEqual(["config.json", "model.safetensors"]);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain("pytorch_model.bin, modeling.py");
  });

  test("keeps another framework's weights when there are no others", () => {
    expect(choose(null, ["config.json", "flax_model.msgpack"]).paths).toEqual([
      "config.json",
      "flax_model.msgpack",
    ]);
  });

  test("with weights that only run code is refused, unless allowed", () => {
    const files = ["config.json", "pytorch_model.bin"];
    expect(refusal(() => choose(null, files))).toMatchObject({ code: "E_UNSAFE_FILE" });
    expect(choose(null, files, true).paths).toEqual(files);
  });

  test("without weights is not a model", () => {
    expect(refusal(() => choose(null, ["README.md"])).code).toBe("E_NOT_FOUND");
    expect(refusal(() => choose(null, [".gitattributes"])).code).toBe("E_NOT_FOUND");
  });

  test("of several quantisations says how many, how much and how to take one", () => {
    const { notices } = choose(null, ["x-Q4_0.gguf", ...SHARDS, "mmproj-F16.gguf"]);
    expect(notices).toEqual([
      "org/repo holds 2 quantisations, 4 GB in all; for one: luci install hf:org/repo:Q4_0 (Q4_0, Q8_0)",
    ]);
    expect(choose(null, ["x-Q4_0.gguf"]).notices).toEqual([]);
  });
});
