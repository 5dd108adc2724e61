// The one door to the disk, as rooms see it. They receive a `Files` and never touch node:fs themselves, so
// that a failing disk can stand in for it. Every error leaves as a LuciError with the path and the reason.

/** What the disk says of one name. Times are exact (nanoseconds as text). */
export interface FileFacts {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly sizeBytes: number;
  /** Bytes really allocated: less than the size for sparse files. */
  readonly allocatedBytes: number;
  readonly modifiedNs: string;
  readonly modifiedMs: number;
  readonly inode: string;
  readonly links: number;
}

/** A kind of thing in words: `a link`. */
export function describeKind(kind: FileFacts["kind"]): string {
  return kind === "other" ? "a pipe or device" : `a ${kind}`;
}

/** All that looking at a file takes. */
export type Readable = Pick<OpenFile, "read">;

/** An open file, read and written at positions. */
export interface OpenFile {
  readonly path: string;
  /** Fills the buffer from an offset as far as the file goes; returns the bytes read. */
  read(buffer: Uint8Array, offsetBytes: number): Promise<number>;
  /** Writes every byte of the chunks, one after the other, from an offset; loops on short writes. */
  write(offsetBytes: number, chunks: readonly Uint8Array[]): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  /** fdatasync. A failure means the data may be gone: never repeat it as if it had worked. */
  datasync(): Promise<void>;
  sync(): Promise<void>;
  facts(): Promise<FileFacts>;
  close(): Promise<void>;
}

export interface Files {
  /** `read`: must exist. `update`: must exist, for reading and writing. `create`: must not exist. Never follows a final link. */
  open(path: string, mode: "read" | "update" | "create"): Promise<OpenFile>;
  /** The file's text, or null if there is none. @throws E_IO above `maxBytes` */
  readText(path: string, options: { maxBytes: number }): Promise<string | null>;
  /** Replaces a file atomically: temporary name, fsync, rename, fsync of the folder. */
  replaceText(path: string, text: string): Promise<void>;
  /** Facts of the name itself (links are not followed), or null if there is none. */
  facts(path: string): Promise<FileFacts | null>;
  /** Names in a folder, sorted; empty if there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Makes a folder with its parents and makes their names durable. */
  makeFolder(path: string): Promise<void>;
  /** Moves a name; answers false if there is nothing of that name. Replaces the target. */
  rename(from: string, to: string): Promise<boolean>;
  /** Moves a name to one that must not be taken; answers false if it is taken. */
  renameToFree(from: string, to: string): Promise<boolean>;
  /** Removes a file; answers false if there is none. */
  remove(path: string): Promise<boolean>;
  /** Removes a folder if it is empty; answers whether it did. */
  removeEmptyFolder(path: string): Promise<boolean>;
  /** Removes a folder with all that is in it. For temporary folders only. */
  removeTree(path: string): Promise<void>;
  /** Makes the names in a folder durable, where the platform can. */
  syncFolder(path: string): Promise<void>;
  /** Copies a file, sharing its blocks where the file system can (reflink). The target must not exist. */
  clone(from: string, to: string): Promise<void>;
  /** Free bytes for this user on the file system of the nearest existing folder. */
  freeBytes(path: string): Promise<number>;
  /** Size of that file system, in bytes. */
  diskBytes(path: string): Promise<number>;
}
