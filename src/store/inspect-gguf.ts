// Whether a GGUF file's header is true: whether its tensors lie inside the file.

import { LuciError } from "../domain/errors.ts";
import type { Readable } from "../platform/files.ts";
import { GgufFault, type TensorEntry, readGgufHeader } from "./gguf-header.ts";

/** ggml type number → [weights per block, bytes per block] (ggml-common.h and ggml.c of llama.cpp). */
const BLOCKS: Readonly<Record<number, readonly [number, number]>> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
};

/** @throws E_MALFORMED when the header is cut or lies: absurd counts, tensors outside the file */
export async function checkGguf(file: Readable, options: { name: string; sizeBytes: number }): Promise<void> {
  const { name, sizeBytes } = options;
  const fail = (reason: string): never => {
    throw new LuciError("E_MALFORMED", `${name}: not a sound GGUF file: ${reason}`);
  };
  const header = await readGgufHeader(file, { sizeBytes, endOf }).catch((error: unknown) => {
    if (error instanceof GgufFault) return fail(error.message);
    throw error;
  });
  const { dataBytes, last } = header;
  if (dataBytes > BigInt(sizeBytes) && last !== null) fail("its header is longer than the file");
  if (last !== null && dataBytes + last.endBytes > BigInt(sizeBytes))
    fail(`tensor ${last.name.slice(0, 80)} ends outside the file`);
}

/** Where a tensor ends; of an unknown format only that it cannot take less than this. */
function endOf({ type, weights, offsetBytes }: TensorEntry): bigint {
  const [blockWeights, blockBytes] = BLOCKS[type] ?? [256, 1];
  return offsetBytes + (weights * BigInt(blockBytes)) / BigInt(blockWeights);
}
