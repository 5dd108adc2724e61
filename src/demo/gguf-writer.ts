// Makes small models that are really valid: GGUF v3 and safetensors files with pseudo-random weights.
// Weights are 8-bit integers, so that any byte is a valid number.

import { buildGgufHeader, GGMLQuantizationType, GGUFValueType } from "@huggingface/gguf";
import type { GGUFTypedMetadata } from "@huggingface/gguf";
import { headedContent, randomContent } from "./content.ts";
import type { Content } from "./content.ts";

const GGUF_VERSION = 3;
const ALIGNMENT_BYTES = 32;
const EMBEDDING_LENGTH = 64;
const TENSOR_NAMES = [
  "token_embd.weight",
  "blk.0.attn_q.weight",
  "blk.0.attn_k.weight",
  "blk.0.attn_v.weight",
  "blk.0.ffn_up.weight",
  "blk.0.ffn_down.weight",
  "output.weight",
];

interface Tensor {
  readonly name: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface ModelShape {
  /** What `general.name` says, or the metadata of a safetensors file. */
  readonly name: string;
  /** The exact size of the file. */
  readonly sizeBytes: number;
  /** Seed of the weights. */
  readonly seed: number;
}

/**
 * A GGUF v3 model of exactly `sizeBytes` bytes: header, llama metadata, seven int8 tensors that fill the rest.
 * @throws RangeError when there is no room for the header (about 1 KiB)
 */
export async function makeGguf(shape: ModelShape): Promise<Content> {
  // Every number in a header has a fixed width, so its length does not depend on the tensor sizes.
  const headBytes = (await ggufHeader(shape, layTensors(TENSOR_NAMES.length * EMBEDDING_LENGTH))).length;
  const dataBytes = shape.sizeBytes - headBytes;
  const tensors = layTensors(dataBytes);
  const head = await ggufHeader(shape, tensors);
  return headedContent(head, randomContent({ seed: shape.seed, sizeBytes: dataBytes }));
}

/**
 * A safetensors file of exactly `sizeBytes` bytes with two int8 tensors.
 * @throws RangeError when there is no room for the header (about 256 bytes)
 */
export function makeSafetensors(shape: ModelShape): Content {
  const longest = safetensorsHeader(shape, shape.sizeBytes).length;
  const dataBytes = shape.sizeBytes - longest;
  if (dataBytes < 2) throw new RangeError(`${shape.sizeBytes} bytes hold no safetensors header`);
  const head = safetensorsHeader(shape, dataBytes, longest);
  return headedContent(head, randomContent({ seed: shape.seed, sizeBytes: dataBytes }));
}

/** Cuts the data part into tensors at aligned offsets; the last one takes what is left. */
function layTensors(dataBytes: number): Tensor[] {
  const evenBytes = Math.floor(dataBytes / TENSOR_NAMES.length / EMBEDDING_LENGTH) * EMBEDDING_LENGTH;
  if (evenBytes <= 0) throw new RangeError("the model is too small to hold a GGUF header and its tensors");
  return TENSOR_NAMES.map((name, index) => {
    const offsetBytes = index * evenBytes;
    const isLast = index === TENSOR_NAMES.length - 1;
    return { name, offsetBytes, sizeBytes: isLast ? dataBytes - offsetBytes : evenBytes };
  });
}

async function ggufHeader(shape: ModelShape, tensors: readonly Tensor[]): Promise<Uint8Array> {
  const infos = joinBytes(tensors.map(tensorInfo));
  const header = await buildGgufHeader(new Blob([infos]), ggufMetadata(shape, tensors.length), {
    littleEndian: true,
    tensorInfoByteRange: [0, infos.length],
    alignment: ALIGNMENT_BYTES,
  });
  return new Uint8Array(await header.arrayBuffer());
}

function ggufMetadata(shape: ModelShape, tensorCount: number): GGUFTypedMetadata {
  const number = (value: number) => ({ value, type: GGUFValueType.UINT32 }) as const;
  const text = (value: string) => ({ value, type: GGUFValueType.STRING }) as const;
  const entries = {
    version: { value: GGUF_VERSION, type: GGUFValueType.UINT32 },
    tensor_count: { value: BigInt(tensorCount), type: GGUFValueType.UINT64 },
    kv_count: { value: 0n, type: GGUFValueType.UINT64 },
    "general.architecture": text("llama"),
    "general.name": text(shape.name),
    "general.alignment": number(ALIGNMENT_BYTES),
    "llama.context_length": number(512),
    "llama.embedding_length": number(EMBEDDING_LENGTH),
    "llama.block_count": number(1),
    "llama.attention.head_count": number(4),
    "tokenizer.ggml.model": text("gpt2"),
    "tokenizer.ggml.tokens": {
      value: ["<s>", "</s>", "a", "b"],
      type: GGUFValueType.ARRAY,
      subType: GGUFValueType.STRING,
    },
  };
  return entries as unknown as GGUFTypedMetadata;
}

/** One tensor info record: name, dimensions, type, offset from the start of the data part. */
function tensorInfo(tensor: Tensor): Uint8Array {
  const name = new TextEncoder().encode(tensor.name);
  const record = new Uint8Array(8 + name.length + 4 + 8 + 4 + 8);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(name.length), true);
  record.set(name, 8);
  const afterName = 8 + name.length;
  view.setUint32(afterName, 1, true);
  view.setBigUint64(afterName + 4, BigInt(tensor.sizeBytes), true);
  view.setUint32(afterName + 12, GGMLQuantizationType.I8, true);
  view.setBigUint64(afterName + 16, BigInt(tensor.offsetBytes), true);
  return record;
}

/** 8 bytes of length, then JSON padded with spaces to `paddedBytes`, or to a multiple of 8. */
function safetensorsHeader(shape: ModelShape, dataBytes: number, paddedBytes?: number): Uint8Array {
  const half = Math.floor(dataBytes / 2);
  const tensor = (startBytes: number, endBytes: number) => ({
    dtype: "I8",
    shape: [endBytes - startBytes],
    data_offsets: [startBytes, endBytes],
  });
  const json = JSON.stringify({
    __metadata__: { format: "pt", name: shape.name },
    "model.embed_tokens.weight": tensor(0, half),
    "lm_head.weight": tensor(half, dataBytes),
  });
  const jsonBytes = new TextEncoder().encode(json);
  const header = new Uint8Array(paddedBytes ?? Math.ceil((8 + jsonBytes.length) / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(jsonBytes, 8);
  return header;
}

function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let atBytes = 0;
  for (const part of parts) {
    joined.set(part, atBytes);
    atBytes += part.length;
  }
  return joined;
}
