// A hub with one tiny model in every kind of repository, for tests that ask rather than install.

import { createHash } from "node:crypto";
import type { Content } from "../../src/demo/content.ts";
import { makeGguf, makeSafetensors } from "../../src/demo/gguf-writer.ts";
import { startHub } from "../../src/demo/hub.ts";
import type { Hub } from "../../src/demo/hub.ts";

export const MIB = 1024 * 1024;
export const TOKEN = "hf_testtoken";
export const BEARER = { Authorization: `Bearer ${TOKEN}` };
export const README = "# A model\n";
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
/** An odd size, so that no range ends on a boundary by luck. */
export const WEIGHTS_BYTES = 2 * MIB + 13;
export const SAFETENSORS_BYTES = 4096;

/** The hub and the content of its `tiny-Q4_K_M.gguf`. */
export async function startTinyHub(): Promise<{ hub: Hub; weights: Content }> {
  const weights = await makeGguf({ name: "tiny", sizeBytes: WEIGHTS_BYTES, seed: 7 });
  const safetensors = makeSafetensors({ name: "safe", sizeBytes: SAFETENSORS_BYTES, seed: 3 });
  const files = [
    { path: "README.md", content: README },
    { path: "tiny-Q4_K_M.gguf", content: weights },
    { path: "tokenizer/vocab.json", content: '{"a":0}' },
    { path: "tokenizer/deep/merges.txt", content: "a b\n" },
  ];
  const hub = await startHub({
    token: TOKEN,
    repos: [
      { name: "org/tiny", commit: COMMIT, files },
      { name: "gpt2", files },
      { name: "org/gated", files, access: "gated" },
      { name: "org/denied", files, access: "denied" },
      { name: "org/private", files, access: "private" },
      { name: "old/tiny", files: [], movedTo: "org/tiny" },
      { name: "org/safe", files: [{ path: "model.safetensors", content: safetensors }] },
    ],
  });
  return { hub, weights };
}

/** Git's id of a blob. */
export function gitSha1(text: string): string {
  return createHash("sha1")
    .update(`blob ${Buffer.byteLength(text)}\0${text}`)
    .digest("hex");
}

/** What a promise failed with. @throws Error when it did not fail */
export async function failureOf(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  const outcome = await promise.then(
    () => "succeeded" as const,
    (error: unknown) => error,
  );
  if (outcome === "succeeded") throw new Error("expected a failure");
  return outcome instanceof Error ? outcome : new Error(String(outcome));
}
