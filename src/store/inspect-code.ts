// Recognises programs and pickles by their first bytes, and pickles in archives by the archive's own list.
// What a file is called is not asked.

import type { Readable } from "../platform/files.ts";

const HEAD_BYTES = 4096;
/** An archive of 100,000 files has so long a list of their names. */
const LONGEST_LIST_BYTES = 8 * 1024 * 1024;
const MACH_O = [0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe, 0xcafebabe];
const ZIP = [0x504b0304, 0x504b0506, 0x504b0708];
const HDF5 = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");
const NUMPY = Buffer.from("\x93NUMPY", "latin1");
const NEWEST_PICKLE = 5;
/** A pickle without a protocol number: opening marks, then `c` with a module's and a function's name. */
const OLD_PICKLE = /^[(\])}\]]*(?:[dl]p?\d*\n)*(?:[\s\S]{0,200}\n)?c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n/;
const PICKLE_NAMES = [".pkl", ".pickle", ".PKL"];

/** What kind of program or pickle a file is, in words with an article; null when it is none. */
export async function findProgram(file: Readable, sizeBytes: number): Promise<string | null> {
  const buffer = Buffer.alloc(Math.min(HEAD_BYTES, sizeBytes));
  const head = buffer.subarray(0, await file.read(buffer, 0));
  const magic = head.length >= 4 ? head.readUInt32BE(0) : 0;
  if (magic === 0x7f454c46) return "an ELF program";
  if (MACH_O.includes(magic)) return "a Mach-O program";
  if (isWindowsProgram(head)) return "a Windows program";
  if (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= NEWEST_PICKLE) return "a Python pickle";
  if (await isOldPickle(file, head, sizeBytes)) return "a Python pickle";
  if (head.subarray(0, HDF5.length).equals(HDF5)) return "an HDF5 file, whose layers may be code,";
  if (isPickledArray(head)) return "a NumPy array with a Python pickle";
  if (ZIP.includes(magic) && (await listsPickle(file, head, sizeBytes)))
    return "an archive with a Python pickle";
  return null;
}

function isWindowsProgram(head: Buffer): boolean {
  if (head[0] !== 0x4d || head[1] !== 0x5a || head.length < 64) return false;
  const offset = head.readUInt32LE(0x3c);
  return offset + 4 <= head.length && head.readUInt32BE(offset) === 0x50450000;
}

/** Protocols 0 and 1 have no magic: they are text that begins with opcodes and ends in a full stop. */
async function isOldPickle(file: Readable, head: Buffer, sizeBytes: number): Promise<boolean> {
  const text = head.toString("latin1");
  if (!/^[c(\])}]/.test(text) || !OLD_PICKLE.test(text)) return false;
  const last = new Uint8Array(1);
  return (await file.read(last, sizeBytes - 1)) === 1 && last[0] === 0x2e;
}

/** `O` in an array's type means objects, and objects are pickled. */
function isPickledArray(head: Buffer): boolean {
  return (
    head.subarray(0, NUMPY.length).equals(NUMPY) && /'descr'\s*:[^\n]*'[|<>=]?O/.test(head.toString("latin1"))
  );
}

/** An archive's list of names is its end (APPNOTE.TXT 4.3.6), and its first file's name stands at its beginning. */
async function listsPickle(file: Readable, head: Buffer, sizeBytes: number): Promise<boolean> {
  const tail = Buffer.alloc(Math.min(LONGEST_LIST_BYTES, sizeBytes));
  await file.read(tail, sizeBytes - tail.length);
  return PICKLE_NAMES.some((name) => head.includes(name) || tail.includes(name));
}
