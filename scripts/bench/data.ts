// The files that are downloaded: sets of seeded bytes, made once under the data folder and kept with their digests.

import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { freeBytes } from "./machine.ts";
import { randomBytes } from "./random.ts";

export interface DataFile {
  /** Within the set, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Files of one kind. Its name is its folder on the servers and its repository on the hub. */
export interface DataSet {
  readonly name: string;
  readonly files: readonly DataFile[];
  readonly totalBytes: number;
}

interface Wanted {
  readonly name: string;
  readonly paths: readonly string[];
  readonly sizeBytes: number;
}

export const MIB = 1024 * 1024;
const READ_BYTES = MIB;
/** A safetensors file's length and padded JSON. */
const HEADER_BYTES = 256;
const SPARE_BYTES = 1024 * MIB;

/** One file of so many MiB. */
export function oneFile(sizeMib: number): Wanted {
  return { name: `one-${sizeMib}m`, paths: [`one-${sizeMib}m.dat`], sizeBytes: sizeMib * MIB };
}

/** The shards of one model, so many MiB each. */
export function severalFiles(count: number, sizeMib: number): Wanted {
  const number = (value: number) => String(value).padStart(5, "0");
  const paths = Array.from(
    { length: count },
    (_, index) => `model-${number(index + 1)}-of-${number(count)}.safetensors`,
  );
  return { name: `batch-${count}x${sizeMib}m`, paths, sizeBytes: sizeMib * MIB };
}

/** A model of very many files of 64 KiB, a hundred in a folder. */
export function smallFiles(count: number): Wanted {
  // Without any weights it would be no model.
  const paths = Array.from({ length: count }, (_, index) => {
    if (index === 0) return "model.safetensors";
    const folder = String(Math.floor(index / 100)).padStart(2, "0");
    return `shard-${folder}/file-${String(index).padStart(5, "0")}.dat`;
  });
  return { name: `small-${count}`, paths, sizeBytes: 64 * 1024 };
}

/**
 * The set, from the disk if an earlier run made it, else made now.
 * @throws Error when there is no room for it
 */
export async function makeSet(folder: string, wanted: Wanted): Promise<DataSet> {
  const index = join(folder, "index", `${wanted.name}.json`);
  const known = await readIndex(index, wanted);
  if (known !== null && (await isWhole(join(folder, "files", wanted.name), known)))
    return asSet(wanted, known);
  const place = join(folder, "files", wanted.name);
  await mkdir(place, { recursive: true });
  const neededBytes = wanted.paths.length * wanted.sizeBytes;
  if ((await freeBytes(place)) < neededBytes + SPARE_BYTES)
    throw new Error(`no room for ${(neededBytes / MIB).toFixed(0)} MiB of data in ${folder}`);
  const files: DataFile[] = [];
  for (const path of wanted.paths)
    files.push(await makeFile(place, { set: wanted.name, path, sizeBytes: wanted.sizeBytes }));
  await mkdir(dirname(index), { recursive: true });
  await writeFile(`${index}.new`, JSON.stringify(files));
  await rename(`${index}.new`, index);
  return asSet(wanted, files);
}

/** The SHA-256 of a file and its size; null when there is none. */
export async function digestFile(path: string): Promise<{ sizeBytes: number; sha256: string } | null> {
  const handle = await open(path).catch(() => null);
  if (handle === null) return null;
  try {
    const hash = new Bun.CryptoHasher("sha256");
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let sizeBytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, sizeBytes);
      if (bytesRead === 0) return { sizeBytes, sha256: hash.digest("hex") };
      hash.update(buffer.subarray(0, bytesRead));
      sizeBytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

function asSet({ name }: Wanted, files: readonly DataFile[]): DataSet {
  return { name, files, totalBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) };
}

async function readIndex(path: string, wanted: Wanted): Promise<readonly DataFile[] | null> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return null;
  const files = JSON.parse(text) as readonly DataFile[];
  return files.map((file) => file.path).join() === wanted.paths.join() ? files : null;
}

async function isWhole(place: string, files: readonly DataFile[]): Promise<boolean> {
  for (const file of files) {
    const facts = await stat(join(place, file.path)).catch(() => null);
    if (facts?.size !== file.sizeBytes) return false;
  }
  return true;
}

async function makeFile(
  place: string,
  { set, path, sizeBytes }: { set: string; path: string; sizeBytes: number },
): Promise<DataFile> {
  const target = join(place, path);
  await mkdir(dirname(target), { recursive: true });
  await rm(target, { force: true });
  const hash = createHash("sha256");
  const handle = await open(target, "wx");
  try {
    for (const bytes of fileBytes(`${set}/${path}`, sizeBytes)) {
      hash.update(bytes);
      await handle.writeFile(bytes);
    }
  } finally {
    await handle.close();
  }
  return { path, sizeBytes, sha256: hash.digest("hex") };
}

/** Random bytes; a file that says that it is safetensors begins with a sound header. */
function* fileBytes(name: string, sizeBytes: number): Generator<Buffer> {
  if (!name.endsWith(".safetensors")) {
    yield* randomBytes(name, sizeBytes);
    return;
  }
  const dataBytes = sizeBytes - HEADER_BYTES;
  const tensor = { dtype: "U8", shape: [dataBytes], data_offsets: [0, dataBytes] };
  const header = Buffer.alloc(HEADER_BYTES, " ");
  header.writeBigUInt64LE(BigInt(HEADER_BYTES - 8));
  header.write(JSON.stringify({ bench: tensor }), 8);
  yield header;
  yield* randomBytes(name, dataBytes);
}
