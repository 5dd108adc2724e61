// An open file of the real disk: positions, short reads and short writes, errors in words.

import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { diskError } from "./disk-error.ts";
import type { FileFacts, OpenFile } from "./files.ts";

/** Runs an act on a path; what the disk throws leaves as a LuciError. */
export function guard<T>(path: string, act: () => Promise<T>): Promise<T> {
  return act().catch((error: unknown) => {
    throw diskError(error, path);
  });
}

/** Facts from a stat. */
export function factsOf(stats: BigIntStats): FileFacts;
export function factsOf(stats: BigIntStats | null): FileFacts | null;
export function factsOf(stats: BigIntStats | null): FileFacts | null {
  if (!stats) return null;
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "folder"
      : stats.isSymbolicLink()
        ? "link"
        : "other";
  return {
    kind,
    sizeBytes: Number(stats.size),
    allocatedBytes: Number(stats.blocks) * 512,
    modifiedNs: String(stats.mtimeNs),
    modifiedMs: Number(stats.mtimeMs),
    inode: String(stats.ino),
    links: Number(stats.nlink),
  };
}

/** A handle as rooms use it. */
export function wrapHandle(path: string, handle: FileHandle): OpenFile {
  return {
    path,
    read: (buffer, offsetBytes) => guard(path, () => readFully(handle, buffer, offsetBytes)),
    write: (offsetBytes, chunks) => guard(path, () => writeFully(handle, offsetBytes, chunks)),
    truncate: (sizeBytes) => guard(path, () => handle.truncate(sizeBytes)),
    datasync: () => guard(path, () => handle.datasync()),
    sync: () => guard(path, () => handle.sync()),
    facts: () => guard(path, async () => factsOf(await handle.stat({ bigint: true }))),
    close: () => guard(path, () => handle.close()),
  };
}

async function readFully(handle: FileHandle, buffer: Uint8Array, offsetBytes: number): Promise<number> {
  let filledBytes = 0;
  while (filledBytes < buffer.length) {
    const { bytesRead } = await handle.read(
      buffer,
      filledBytes,
      buffer.length - filledBytes,
      offsetBytes + filledBytes,
    );
    if (bytesRead === 0) break;
    filledBytes += bytesRead;
  }
  return filledBytes;
}

/** Writes everything, however short the single writes are. */
export async function writeFully(
  handle: FileHandle,
  offsetBytes: number,
  chunks: readonly Uint8Array[],
): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.length > 0);
  let positionBytes = offsetBytes;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, positionBytes);
    if (bytesWritten === 0) throw Object.assign(new Error("the disk took no bytes"), { code: "EIO" });
    positionBytes += bytesWritten;
    rest = dropBytes(rest, bytesWritten);
  }
}

function dropBytes(chunks: readonly Uint8Array[], countBytes: number): Uint8Array[] {
  let leftBytes = countBytes;
  return chunks.flatMap((chunk) => {
    const dropped = Math.min(leftBytes, chunk.length);
    leftBytes -= dropped;
    return dropped === chunk.length ? [] : [chunk.subarray(dropped)];
  });
}
