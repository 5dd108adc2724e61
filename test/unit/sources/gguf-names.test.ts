import { describe, expect, test } from "bun:test";
import { isSafeWeights, runsCode } from "../../../src/sources/file-kinds.ts";
import {
  chooseProjector,
  hasToken,
  parseShard,
  quantOf,
  shardPaths,
} from "../../../src/sources/gguf-names.ts";

test.each([
  ["llama-3.2-3b-instruct-q4_k_m.gguf", "Q4_K_M"],
  ["mistral-7b.Q5_0.gguf", "Q5_0"],
  ["model_Q8_0.gguf", "Q8_0"],
  ["Qwen3-4B-UD-Q2_K_XL.gguf", "UD-Q2_K_XL"],
  ["x-IQ3_XXS.gguf", "IQ3_XXS"],
  ["x-IQ4_NL.gguf", "IQ4_NL"],
  ["x-Q4_0_4_4.gguf", "Q4_0_4_4"],
  ["x-Q6_K.gguf", "Q6_K"],
  ["x-TQ1_0.gguf", "TQ1_0"],
  ["gpt-oss-20b-mxfp4.gguf", "MXFP4"],
  ["x-BF16.gguf", "BF16"],
  ["x-Q4_K_M-00001-of-00003.gguf", "Q4_K_M"],
  ["Q4_K_M/model-00001-of-00003.gguf", "Q4_K_M"],
  ["BF16/x-Q4_K_M.gguf", "Q4_K_M"],
  ["Qwen2-7B.gguf", null],
  ["model.gguf", null],
])("the quantisation of %s is %p", (path, quant) => {
  expect(quantOf(path)).toBe(quant);
});

test.each([
  ["a/x-Q4_K_M.gguf", "q4_k_m", true],
  ["a/x-Q4_K_M.gguf", "Q4", true],
  ["a/x-Q4_K_M.gguf", "Q4_K_", false],
  ["a/x-IQ4_K.gguf", "Q4_K", false],
  ["instruct/x.gguf", "instruct", true],
  ["x.gguf", "gguf", false],
])("%s has %s: %p", (path, word, expected) => {
  expect(hasToken(path, word)).toBe(expected);
});

test("shards know their set", () => {
  const shard = parseShard("a/x-00002-of-00003.gguf");
  expect(shard).toEqual({ stem: "a/x", index: 2, count: 3 });
  expect(shardPaths(shard!)).toEqual([
    "a/x-00001-of-00003.gguf",
    "a/x-00002-of-00003.gguf",
    "a/x-00003-of-00003.gguf",
  ]);
  expect(parseShard("x-1-of-3.gguf")).toBeNull();
});

describe("the projector", () => {
  test.each([
    [["x.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"], "mmproj-F16.gguf"],
    [["mmproj-F32.gguf", "mmproj-BF16.gguf"], "mmproj-BF16.gguf"],
    [["mmproj-F32.gguf", "mmproj-Q8_0.gguf"], "mmproj-F32.gguf"],
    [["mmproj-F16.gguf", "a/mmproj-F32.gguf"], "a/mmproj-F32.gguf"],
    [["b/mmproj-F16.gguf"], "b/mmproj-F16.gguf"],
    [["x.gguf", "mmproj.safetensors"], null],
  ])("of %p is %p", (paths, expected) => {
    expect(chooseProjector(paths, "a/x-Q4_K_M.gguf")).toBe(expected);
  });
});

test.each([
  "a.pkl",
  "a.PICKLE",
  "x/a.pt",
  "a.pth",
  "pytorch_model.bin",
  "a.ckpt",
  "a.h5",
  "a.npy",
  "a.joblib",
  "modeling.py",
])("%s runs code", (path) => {
  expect(runsCode(path)).toBe(true);
  expect(isSafeWeights(path)).toBe(false);
});

test.each(["ggml-base.bin", "x/ggml-small.en.bin", "model.safetensors", "x.gguf", "x.onnx"])(
  "%s is only weights",
  (path) => {
    expect(runsCode(path)).toBe(false);
    expect(isSafeWeights(path)).toBe(true);
  },
);

test.each(["config.json", "README.md", "tokenizer.model", "xggml-a.txt"])("%s is neither", (path) => {
  expect(runsCode(path)).toBe(false);
  expect(isSafeWeights(path)).toBe(false);
});
