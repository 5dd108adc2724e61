// The header of a safetensors file: 8 bytes of length, JSON, then the data it points into
// (github.com/huggingface/safetensors, "Format").

import { LuciError } from "../domain/errors.ts";
import { parseJson } from "../domain/json-shape.ts";
import type { Readable } from "../platform/files.ts";

const LENGTH_BYTES = 8;
/** Headers of the largest known models are a few MB. */
const MAX_HEADER_BYTES = 32 * 1024 * 1024;

/** @throws E_MALFORMED when the header is cut, is no JSON or points outside the file */
export async function checkSafetensors(
  file: Readable,
  options: { name: string; sizeBytes: number },
): Promise<void> {
  const fail = (reason: string): never => {
    throw new LuciError("E_MALFORMED", `${options.name}: not a sound safetensors file: ${reason}`);
  };
  const prefix = new Uint8Array(LENGTH_BYTES);
  if ((await file.read(prefix, 0)) < LENGTH_BYTES) fail("it is too short for a header");
  const headerBytes = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES) fail("its header claims an absurd length");
  if (LENGTH_BYTES + headerBytes > options.sizeBytes) fail("its header is longer than the file");
  const text = new Uint8Array(headerBytes);
  await file.read(text, LENGTH_BYTES);
  const dataBytes = options.sizeBytes - LENGTH_BYTES - headerBytes;
  const endBytes = lastByte(parse(new TextDecoder().decode(text)), fail);
  if (endBytes !== dataBytes) fail(`its tensors end at byte ${endBytes} of ${dataBytes}`);
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}

function lastByte(header: unknown, fail: (reason: string) => never): number {
  if (typeof header !== "object" || header === null || Array.isArray(header))
    return fail("its header is no JSON object");
  const spans: [start: number, end: number][] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const offsets: unknown = (entry as { data_offsets?: unknown } | null)?.data_offsets;
    if (
      !Array.isArray(offsets) ||
      offsets.length !== 2 ||
      !offsets.every((offset) => Number.isSafeInteger(offset))
    )
      fail("a tensor has no offsets");
    const [start, end] = offsets as [number, number];
    if (start < 0 || end < start) fail("a tensor's offsets run backwards");
    spans.push([start, end]);
  }
  // The format wants every byte of the data to belong to one tensor: neither holes nor bytes with two owners.
  let endBytes = 0;
  for (const [start, end] of spans.toSorted(([one], [other]) => one - other)) {
    if (start !== endBytes)
      fail(start < endBytes ? "two tensors overlap" : "there is a hole between its tensors");
    endBytes = end;
  }
  return endBytes;
}
