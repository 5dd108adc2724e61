// Repositories for end-to-end tests: one of every kind a person may name.

import { makeGguf, makeSafetensors } from "../../src/demo/gguf-writer.ts";
import type { HubFile, HubRepo } from "../../src/demo/hub-repo.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A GGUF file of a repository. Sizes are odd, so that nothing ends on a boundary by luck. */
export async function ggufFile(path: string, sizeBytes: number, seed: number): Promise<HubFile> {
  return { path, content: await makeGguf({ name: path, sizeBytes: sizeBytes + 13, seed }) };
}

/** `org/quants`: three quantisations and a licence. */
export async function quantsRepo(): Promise<HubRepo> {
  const files = await Promise.all([
    ggufFile("quants-Q4_K_M.gguf", MIB, 11),
    ggufFile("quants-Q8_0.gguf", 2 * MIB, 12),
    ggufFile("quants-IQ2_XS.gguf", 300 * KIB, 13),
  ]);
  return { name: "org/quants", files: [...files, { path: "LICENSE", content: "Do what you like.\n" }] };
}

/** `org/sharded`: a quantisation in three shards in a sub-folder, its projector, and another quantisation. */
export async function shardedRepo(): Promise<HubRepo> {
  const files = await Promise.all([
    ...[1, 2, 3].map((part) => ggufFile(`Q4_K_M/big-Q4_K_M-0000${part}-of-00003.gguf`, 500 * KIB, 20 + part)),
    ggufFile("big-Q8_0.gguf", 400 * KIB, 24),
    ggufFile("mmproj-big-f16.gguf", 200 * KIB, 25),
  ]);
  return { name: "org/sharded", files };
}

/** `org/whole`: weights, configs and tokenizer in sub-folders, and pickles that repeat the weights. */
export function wholeRepo(): HubRepo {
  const shard = (part: number) => {
    const path = `model-0000${part}-of-00002.safetensors`;
    return { path, content: makeSafetensors({ name: path, sizeBytes: 700 * KIB + part, seed: 30 + part }) };
  };
  return {
    name: "org/whole",
    files: [
      { path: ".gitattributes", content: "*.safetensors filter=lfs\n" },
      { path: "README.md", content: "# Whole\n" },
      { path: "config.json", content: '{"model_type":"llama"}\n' },
      { path: "tokenizer/vocab.json", content: '{"a":0,"b":1}\n' },
      { path: "tokenizer/deep/er/merges.txt", content: "a b\nb c\n" },
      { path: "tokenizer/empty.txt", content: "" },
      shard(1),
      shard(2),
      { path: "pytorch_model.bin", content: new Uint8Array([0x80, 2, 0x2e]) },
    ],
  };
}
