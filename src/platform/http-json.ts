// Reads a JSON answer without trusting its length, its nesting or its end.

import { LuciError } from "../domain/errors.ts";
import type { Watchdog } from "./http-watchdog.ts";

/** A text of brackets costs far more memory parsed than written: bounded before it is parsed. */
const MOST_CONTAINERS = 500_000;
const DEEPEST_NESTING = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENERS = [0x5b, 0x7b];
const CLOSERS = [0x5d, 0x7d];

export interface ReadJsonOptions {
  readonly watchdog: Watchdog;
  readonly maxBytes: number;
  /** Shown in errors. */
  readonly host: string;
}

/**
 * Reads a body to its end and parses it.
 * @throws LuciError E_MALFORMED when it is too long, too nested or not JSON; what the watchdog throws
 */
export async function readJson(
  body: ReadableStream<Uint8Array> | null,
  options: ReadJsonOptions,
): Promise<unknown> {
  const bytes = await readBytes(body, options);
  checkShape(bytes, options.host);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new LuciError("E_MALFORMED", `${options.host} answered with something that is not JSON`, { cause });
  }
}

async function readBytes(
  body: ReadableStream<Uint8Array> | null,
  options: ReadJsonOptions,
): Promise<Uint8Array> {
  const { watchdog, maxBytes, host } = options;
  const reader = body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let totalBytes = 0;
  try {
    while (true) {
      const { done, value } = await watchdog.wait(reader.read());
      if (done) return Buffer.concat(chunks, totalBytes);
      watchdog.moved(value.length);
      totalBytes += value.length;
      if (totalBytes > maxBytes) {
        throw new LuciError(
          "E_MALFORMED",
          `${host} answered with more than ${maxBytes} bytes where a short list was expected`,
        );
      }
      chunks.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Counts what opens outside of strings. Whether the brackets match is the parser's business. */
function checkShape(bytes: Uint8Array, host: string): void {
  let isString = false;
  let depth = 0;
  let containers = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    if (isString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) {
      isString = true;
    } else if (OPENERS.includes(byte)) {
      depth += 1;
      containers += 1;
      if (depth > DEEPEST_NESTING || containers > MOST_CONTAINERS) {
        throw new LuciError("E_MALFORMED", `${host} answered with JSON nested or scattered beyond reason`);
      }
    } else if (CLOSERS.includes(byte)) {
      depth -= 1;
    }
  }
}
