// The header of a GGUF file, read by the hub's own parser, and whether its tensors lie inside the file.

import type { GGUFParseOutput } from "@huggingface/gguf";
import { LuciError } from "../domain/errors.ts";
import type { OpenFile } from "../platform/files.ts";

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
export async function checkGguf(
  file: Pick<OpenFile, "read">,
  options: { name: string; sizeBytes: number },
): Promise<void> {
  const fail = (reason: string): never => {
    throw new LuciError("E_MALFORMED", `${options.name}: not a sound GGUF file: ${reason}`);
  };
  const header = await readHeader(file, options.sizeBytes).catch((error: unknown) => {
    if (error instanceof LuciError) throw error;
    return fail(error instanceof Error ? error.message.slice(0, 200) : "its header cannot be read");
  });
  const dataStart = header.tensorDataOffset;
  if (dataStart > BigInt(options.sizeBytes)) fail("its header is longer than the file");
  for (const tensor of header.tensorInfos) {
    const [weights, blockBytes] = BLOCKS[tensor.dtype] ?? [256, 1];
    const count = tensor.shape.reduce((product, dimension) => product * dimension, 1n);
    const endBytes = dataStart + tensor.offset + (count * BigInt(blockBytes)) / BigInt(weights);
    if (endBytes > BigInt(options.sizeBytes))
      fail(`tensor ${tensor.name.slice(0, 80)} ends outside the file`);
  }
}

/** The parser asks for ranges of an address; they are answered from the file. */
async function readHeader(file: Pick<OpenFile, "read">, sizeBytes: number): Promise<GGUFParseOutput> {
  const { gguf } = await import("@huggingface/gguf");
  type Answer = NonNullable<NonNullable<Parameters<typeof gguf>[1]>["fetch"]>;
  const answer = async (
    _address: unknown,
    init?: { headers?: Record<string, string> },
  ): Promise<Response> => {
    const match = /^bytes=(\d+)-(\d+)$/.exec(init?.headers?.["Range"] ?? "");
    const startBytes = Number(match?.[1] ?? 0);
    if (startBytes >= sizeBytes) throw new Error("its header runs past the end of the file");
    const buffer = new Uint8Array(Math.min(Number(match?.[2] ?? 0) + 1, sizeBytes) - startBytes);
    await file.read(buffer, startBytes);
    const lastByte = startBytes + buffer.length - 1;
    return new Response(buffer, {
      headers: { "content-range": `bytes ${startBytes}-${lastByte}/${sizeBytes}` },
    });
  };
  return gguf("https://file.invalid/model.gguf", {
    fetch: answer as unknown as Answer,
    computeParametersCount: true,
  });
}
