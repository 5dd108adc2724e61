// The models of the demo: small files with the shape of real ones, and the little catalog that names them.

import { bytesContent } from "./content.ts";
import type { Content } from "./content.ts";
import { makeGguf, makeSafetensors } from "./gguf-writer.ts";
import type { HubFile, HubRepo } from "./hub-repo.ts";

const MIB = 1024 * 1024;

/** A model of the demo's catalog: one file. */
export interface DemoModel {
  readonly name: string;
  readonly repo: string;
  readonly path: string;
  readonly content: Content;
}

/** Everything the demo's hub serves. */
export interface DemoModels {
  /** Installed whole. */
  readonly small: DemoModel;
  /** Several pieces long: interrupted, continued, damaged and mended. */
  readonly large: DemoModel;
  /** Never finished, so that there is something to clean up. */
  readonly abandoned: DemoModel;
  /** A repository with sub-folders. */
  readonly tree: { readonly repo: string; readonly files: readonly HubFile[] };
}

/** Makes the models; the same every time. */
export async function makeDemoModels(): Promise<DemoModels> {
  const model = async (name: string, shape: { sizeBytes: number; seed: number }): Promise<DemoModel> => ({
    name,
    repo: `luci-demo/${name}-GGUF`,
    path: `${name}-Q8_0.gguf`,
    content: await makeGguf({ name, ...shape }),
  });
  return {
    small: await model("demo-small", { sizeBytes: 3 * MIB, seed: 11 }),
    large: await model("demo-large", { sizeBytes: 40 * MIB + 4_321, seed: 12 }),
    abandoned: await model("demo-abandoned", { sizeBytes: 24 * MIB, seed: 13 }),
    tree: { repo: "luci-demo/demo-tree", files: treeFiles() },
  };
}

/** The repositories that hold them. */
export function demoRepos(models: DemoModels): HubRepo[] {
  const single = [models.small, models.large, models.abandoned].map(({ repo, path, content }) => ({
    name: repo,
    files: [
      { path, content },
      { path: "README.md", content: `# ${repo}\n` },
    ],
  }));
  return [...single, { name: models.tree.repo, files: models.tree.files }];
}

/** A catalog file that names the single-file models, pinned to a commit and a digest each. */
export function demoCatalog(models: DemoModels, commitOf: (repo: string) => string): string {
  const entry = ({ name, repo, path, content }: DemoModel) => ({
    name,
    aliases: [],
    family: "demo",
    tier: 0,
    params: "0.04B",
    quant: "Q8_0",
    license: "mit",
    gated: false,
    kind: "text",
    description: "A model of luci's demo, full of noise.",
    source: {
      hub: "huggingface",
      repo,
      revision: commitOf(repo),
      files: [{ path, size: content.sizeBytes, sha256: content.sha256 }],
    },
  });
  const named = [models.small, models.large, models.abandoned].map(entry);
  return JSON.stringify({ version: 1, groups: { core: [] }, models: named }, null, 1);
}

function treeFiles(): HubFile[] {
  const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const index = {
    metadata: { total_size: 2 * MIB },
    weight_map: { "model.embed_tokens.weight": shards[0], "lm_head.weight": shards[1] },
  };
  return [
    { path: "config.json", content: bytesContent('{"model_type":"llama","hidden_size":64}\n') },
    { path: "tokenizer/tokenizer.json", content: bytesContent('{"version":"1.0","model":{"type":"BPE"}}\n') },
    { path: "tokenizer/extra/merges.txt", content: bytesContent("a b\n") },
    { path: "weights/model.safetensors.index.json", content: bytesContent(JSON.stringify(index)) },
    ...shards.map((name, at) => ({
      path: `weights/${name}`,
      content: makeSafetensors({ name, sizeBytes: MIB, seed: 21 + at }),
    })),
  ];
}
