// Walks the header of a GGUF file and keeps nothing of it but where its tensors end, so that neither the header of
// the largest model nor one that was made to fill the memory costs more than a window of it
// (github.com/ggml-org/ggml, docs/gguf.md). Knows nothing of what the values mean.

import type { Readable } from "../platform/files.ts";

/** The largest known models have 1.5 million values in lists and some thousand tensors. */
const MOST_STEPS = 10_000_000;
const MOST_TENSORS = 10_000_000n;
const MOST_PAIRS = 100_000n;
const MOST_DIMENSIONS = 8;
const DEEPEST_LIST = 4;
const LARGEST_ALIGNMENT = 2 ** 30;
const DEFAULT_ALIGNMENT = 32;
const ALIGNMENT_KEY = "general.alignment";
const MAGIC = 0x47475546;
const LONGEST_NAME = 128;
const MOST_INNER_LISTS = 10_000;

const WINDOW_BYTES = 256 * 1024;
/** More than any single step reads: a text of the longest name, or a tensor of the most dimensions. */
const LOW_BYTES = 512;
const UINT32 = 4;
const STRING = 8;
const LIST = 9;
/** Type number → bytes of a value. */
const SCALAR_BYTES = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [UINT32, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);

/** A tensor as its header entry tells of it. */
export interface TensorEntry {
  /** Number of weights. */
  readonly weights: bigint;
  /** ggml's number of their format. */
  readonly type: number;
  /** From the start of the data. */
  readonly offsetBytes: bigint;
}

export interface GgufHeader {
  /** Where the data begins. */
  readonly dataBytes: bigint;
  /** The name and end of the tensor that ends last, counted from the start of the data; null when there is none. */
  readonly last: { readonly name: string; readonly endBytes: bigint } | null;
}

/** What is wrong with a header, as the end of a sentence. */
export class GgufFault extends Error {}

/**
 * Reads a header from its first byte to its last.
 * @param options.endOf where a tensor ends, counted from the start of the data
 * @throws GgufFault when it is no GGUF header, is cut, or lies about its counts and lengths
 */
export async function readGgufHeader(
  file: Readable,
  { sizeBytes, endOf }: { sizeBytes: number; endOf: (tensor: TensorEntry) => bigint },
): Promise<GgufHeader> {
  const walk = new Walk(file, sizeBytes);
  await walk.load();
  if (walk.uint32() !== MAGIC) throw new GgufFault("it does not begin with GGUF");
  walk.version();
  const tensors = walk.count(MOST_TENSORS, "tensors");
  const pairs = walk.count(MOST_PAIRS, "metadata values");
  let alignment = DEFAULT_ALIGNMENT;
  for (let pair = 0; pair < pairs; pair += 1) {
    if (walk.isLow) await walk.load();
    const key = walk.text(ALIGNMENT_KEY.length);
    if (walk.isLow) await walk.load();
    const type = walk.uint32();
    if (key === ALIGNMENT_KEY && type === UINT32) alignment = walk.uint32();
    else if (!walk.skipPlain(type)) await walk.skipList(type, 0);
  }
  const isPower = alignment > 0 && alignment <= LARGEST_ALIGNMENT && Number.isInteger(Math.log2(alignment));
  if (!isPower) throw new GgufFault(`it wants its data aligned to ${alignment} bytes`);
  const last = await findLast(walk, { tensors, endOf });
  return { dataBytes: BigInt(Math.ceil(walk.atBytes / alignment) * alignment), last };
}

async function findLast(
  walk: Walk,
  { tensors, endOf }: { tensors: number; endOf: (tensor: TensorEntry) => bigint },
): Promise<GgufHeader["last"]> {
  let last: GgufHeader["last"] = null;
  for (let index = 0; index < tensors; index += 1) {
    if (walk.isLow) await walk.load();
    const name = walk.text(LONGEST_NAME) ?? "with a long name";
    if (walk.isLow) await walk.load();
    const endBytes = endOf(walk.tensor(name));
    if (last === null || endBytes > last.endBytes) last = { name, endBytes };
  }
  return last;
}

/** A place in a header. Every step but `load` and `skipList` takes at most `LOW_BYTES`, which lie in the window. */
class Walk {
  readonly #file: Readable;
  readonly #sizeBytes: number;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #windowBytes = 0;
  #filledBytes = 0;
  /** The magic is read as it stands; the version tells how the rest is to be read. */
  #littleEndian = false;
  /** Sizes are 32 bits wide in version 1. */
  #wide = true;
  #steps = 0;
  #innerLists = 0;
  atBytes = 0;

  constructor(file: Readable, sizeBytes: number) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
    this.#buffer = new Uint8Array(Math.min(WINDOW_BYTES, sizeBytes));
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** Whether the window has to move before the next step. */
  get isLow(): boolean {
    const leftBytes = this.#windowBytes + this.#filledBytes - this.atBytes;
    return leftBytes < LOW_BYTES && leftBytes < this.#sizeBytes - this.atBytes;
  }

  /** Moves the window to where the walk is. */
  async load(): Promise<void> {
    this.#windowBytes = this.atBytes;
    this.#filledBytes = await this.#file.read(this.#buffer, this.atBytes);
  }

  version(): void {
    const startBytes = this.atBytes;
    // Versions are small: read the wrong way round they are not.
    this.#littleEndian = this.uint32() > 0xffff;
    this.atBytes = startBytes;
    const version = this.uint32();
    if (![1, 2, 3].includes(version)) throw new GgufFault("its version is unknown");
    this.#wide = version > 1;
  }

  count(most: bigint, what: string): number {
    const count = this.#size();
    if (count > most) throw new GgufFault(`it claims ${count} ${what}`);
    return Number(count);
  }

  /** Steps over a value that is no list; answers false when it is one. */
  skipPlain(type: number): boolean {
    const valueBytes = SCALAR_BYTES.get(type);
    if (valueBytes !== undefined) this.#skip(valueBytes);
    else if (type === STRING) this.text(0);
    return valueBytes !== undefined || type === STRING;
  }

  /** Steps over a list and the lists in it. */
  async skipList(type: number, depth: number): Promise<void> {
    if (type !== LIST) throw new GgufFault(`it holds a value of the unknown type ${type}`);
    this.#innerLists += depth > 0 ? 1 : 0;
    if (depth >= DEEPEST_LIST || this.#innerLists > MOST_INNER_LISTS)
      throw new GgufFault("it holds lists in lists beyond reason");
    if (this.isLow) await this.load();
    const itemType = this.uint32();
    const count = this.#size();
    const itemBytes = SCALAR_BYTES.get(itemType);
    if (itemBytes !== undefined) {
      this.#skip(count * BigInt(itemBytes));
      return;
    }
    for (let item = 0n; item < count; item += 1n) {
      if (this.isLow) await this.load();
      if (!this.skipPlain(itemType)) await this.skipList(itemType, depth + 1);
    }
  }

  /** Steps over a text; answers it when it is no longer than asked for. */
  text(mostBytes: number): string | null {
    this.#steps += 1;
    if (this.#steps > MOST_STEPS) throw new GgufFault("its header goes on beyond reason");
    const sizeBytes = this.#size();
    const at = this.#skip(sizeBytes);
    return sizeBytes > mostBytes ? null : Buffer.from(this.#view.buffer, at, Number(sizeBytes)).toString();
  }

  tensor(name: string): TensorEntry {
    const dimensions = this.uint32();
    if (dimensions > MOST_DIMENSIONS) throw new GgufFault(`tensor ${name} has ${dimensions} dimensions`);
    let weights = 1n;
    for (let dimension = 0; dimension < dimensions; dimension += 1) weights *= this.#size();
    return { weights, type: this.uint32(), offsetBytes: this.#uint64() };
  }

  uint32(): number {
    return this.#view.getUint32(this.#skip(4), this.#littleEndian);
  }

  #uint64(): bigint {
    return this.#view.getBigUint64(this.#skip(8), this.#littleEndian);
  }

  #size(): bigint {
    return this.#wide ? this.#uint64() : BigInt(this.uint32());
  }

  /** Steps over so many bytes and answers where in the window they begin. */
  #skip(bytes: bigint | number): number {
    const at = this.atBytes - this.#windowBytes;
    if (BigInt(bytes) > BigInt(this.#sizeBytes - this.atBytes))
      throw new GgufFault("its header is longer than the file");
    this.atBytes += Number(bytes);
    return at;
  }
}
