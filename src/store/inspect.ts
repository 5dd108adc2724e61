// Looks at a finished file's content before it gets its name: what it is, and whether its own header is true.
// Content decides, not the extension.

import { LuciError } from "../domain/errors.ts";
import type { OpenFile } from "../platform/files.ts";
import { checkGguf } from "./inspect-gguf.ts";
import { checkSafetensors } from "./inspect-safetensors.ts";

const HEAD_BYTES = 4096;
const TAIL_BYTES = 64 * 1024;
const PICKLE_PROTOCOLS = [2, 3, 4, 5];

/** All that looking at a file takes. */
type Readable = Pick<OpenFile, "read">;

export interface InspectOptions {
  /** The file's name, for messages and for what its extension claims. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly allowUnsafe: boolean;
}

/**
 * Checks a file's content against its claim to be a model.
 * @throws E_UNSAFE_FILE for programs and pickles, E_MALFORMED for headers that lie or are cut
 */
export async function inspectFile(file: Readable, options: InspectOptions): Promise<void> {
  const head = new Uint8Array(Math.min(HEAD_BYTES, options.sizeBytes));
  await file.read(head, 0);
  const danger = options.allowUnsafe ? null : await findDanger(file, head, options.sizeBytes);
  if (danger)
    throw new LuciError(
      "E_UNSAFE_FILE",
      `${options.name}: its content is ${danger}, which can run code when loaded`,
    );
  if (/\.gguf$/i.test(options.name)) await checkGguf(file, options);
  if (/\.safetensors$/i.test(options.name)) await checkSafetensors(file, options);
}

async function findDanger(file: Readable, head: Uint8Array, sizeBytes: number): Promise<string | null> {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const magic = head.length >= 4 ? view.getUint32(0) : 0;
  if (magic === 0x7f454c46) return "an ELF program";
  if ([0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe, 0xcafebabe].includes(magic)) return "a Mach-O program";
  if (isWindowsProgram(head, view)) return "a Windows program";
  if (head[0] === 0x80 && PICKLE_PROTOCOLS.includes(head[1] ?? 0)) return "a Python pickle";
  if (magic === 0x504b0304 && (await listsPickle(file, sizeBytes))) return "an archive with a Python pickle";
  return null;
}

function isWindowsProgram(head: Uint8Array, view: DataView): boolean {
  if (head[0] !== 0x4d || head[1] !== 0x5a || head.length < 64) return false;
  const offset = view.getUint32(0x3c, true);
  return offset + 4 <= head.length && view.getUint32(offset) === 0x50450000;
}

/** A zip keeps its list of names at its end (APPNOTE.TXT 4.3.12). */
async function listsPickle(file: Readable, sizeBytes: number): Promise<boolean> {
  const tail = new Uint8Array(Math.min(TAIL_BYTES, sizeBytes));
  await file.read(tail, sizeBytes - tail.length);
  return Buffer.from(tail.buffer).includes(".pkl");
}
