// Reads a JSON answer without trusting its length, its nesting or its end.

import { LuciError } from "../domain/errors.ts";
import { isReasonableJson } from "../domain/json-shape.ts";
import type { Watchdog } from "./http-watchdog.ts";

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
  if (!isReasonableJson(bytes))
    throw new LuciError(
      "E_MALFORMED",
      `${options.host} answered with JSON nested or scattered beyond reason`,
    );
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
