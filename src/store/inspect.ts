// Looks at a finished file's content before it gets its name: what it is, and whether its own header is true.
// Content decides, not the extension.

import { LuciError } from "../domain/errors.ts";
import type { Files, Readable } from "../platform/files.ts";
import { findProgram } from "./inspect-code.ts";
import { checkGguf } from "./inspect-gguf.ts";
import { checkSafetensors } from "./inspect-safetensors.ts";

/** whisper.cpp's format: its names end as pickles' do, its contents say what they are. */
const GGML_NAME = /^ggml-[^/]*\.bin$/i;
const GGML_MAGIC = [0x6c, 0x6d, 0x67, 0x67];

export interface InspectOptions {
  /** The file's name, for messages and for what its extension claims. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly allowUnsafe: boolean;
}

/** The same of a file by its path. @throws what `inspectFile` throws; as the disk says */
export async function inspectPath(files: Files, path: string, options: InspectOptions): Promise<void> {
  const file = await files.open(path, "read");
  try {
    await inspectFile(file, options);
  } finally {
    await file.close();
  }
}

/**
 * Checks a file's content against its claim to be a model.
 * @throws E_UNSAFE_FILE for programs and pickles, E_MALFORMED for headers that lie or are cut
 */
export async function inspectFile(file: Readable, options: InspectOptions): Promise<void> {
  const danger = options.allowUnsafe ? null : await findDanger(file, options);
  if (danger)
    throw new LuciError(
      "E_UNSAFE_FILE",
      `${options.name}: its content is ${danger}, which can run code when loaded`,
    );
  if (/\.gguf$/i.test(options.name)) await checkGguf(file, options);
  if (/\.safetensors$/i.test(options.name)) await checkSafetensors(file, options);
}

async function findDanger(file: Readable, { name, sizeBytes }: InspectOptions): Promise<string | null> {
  const program = await findProgram(file, sizeBytes);
  if (program !== null || !GGML_NAME.test(name.slice(name.lastIndexOf("/") + 1))) return program;
  const magic = new Uint8Array(GGML_MAGIC.length);
  await file.read(magic, 0);
  return GGML_MAGIC.every((byte, index) => byte === magic[index]) ? null : "not whisper.cpp's ggml format";
}
