// What a transfer works with, in memory: a partial, and options that hold nothing back.

import type { Partial } from "../../src/domain/partial.ts";
import type { Located } from "../../src/domain/plan.ts";
import { type Range, addRange, missingRanges, totalSize } from "../../src/domain/range.ts";
import type { Answer } from "../../src/platform/http-answer.ts";
import type { Http } from "../../src/platform/http.ts";
import { Allowance } from "../../src/transfer/allowance.ts";
import { Gate } from "../../src/transfer/gate.ts";
import { createLimiter } from "../../src/transfer/limiter.ts";
import { type ConnectionPool, createConnectionPool } from "../../src/transfer/pool.ts";
import type { TransferOptions } from "../../src/transfer/transfer-options.ts";

/** Nobody asks so often who waits for an answer now and then. */
const MOST_LOOKS = 1_000;

/** Where the file is. */
export const LOCATED: Located = { url: "https://example.com/x", headers: {} };

export interface MemoryPartialOptions {
  /** Null until the end says it. */
  readonly sizeBytes: number | null;
  /** What is there already. */
  readonly has?: Range[];
  readonly onWrite?: () => void;
}

/** A partial in memory. Somebody who asks again and again without a pause would hang: he is stopped. */
export function memoryPartial({
  sizeBytes: known,
  has = [],
  onWrite = () => undefined,
}: MemoryPartialOptions): Partial {
  let sizeBytes = known;
  let written = has;
  let looks = 0;
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    get doneBytes() {
      return totalSize(written);
    },
    hashedBytes: 0,
    etag: null,
    missing: () => {
      looks += 1;
      if (looks > MOST_LOOKS) throw new Error("it asks for ever");
      return missingRanges(written, sizeBytes ?? 0);
    },
    write: async (startBytes, chunks) => {
      const endBytes = startBytes + chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      written = addRange(written, { startBytes, endBytes });
      onWrite();
    },
    pin: () => "same",
    restart: async () => {
      written = [];
    },
    end: (endBytes) => {
      sizeBytes = endBytes;
    },
    checkpoint: async () => undefined,
    settle: async () => undefined,
  };
}

export interface RangeAnswerOptions {
  readonly range: Range;
  readonly totalBytes: number;
  /** As many bytes as the range has, unless given. */
  readonly body?: Answer["body"];
}

/** What a proper server answers to a range. */
export function rangeAnswer(url: string, { range, totalBytes, body }: RangeAnswerOptions): Answer {
  const headers = new Headers();
  const sizeBytes = range.endBytes - range.startBytes;
  return {
    status: 206,
    headers,
    url,
    hops: [{ url, status: 206, headers }],
    proxy: null,
    contentRange: { ...range, totalBytes },
    contentLengthBytes: sizeBytes,
    body:
      body ??
      async function* () {
        yield new Uint8Array(sizeBytes);
      },
    discard: async () => undefined,
  };
}

/** So many connections, always. */
export function fixedPool(fixed: number): ConnectionPool {
  return createConnectionPool({ fixed, now: () => 0, every: () => () => undefined });
}

/** One connection without limits and without retries. */
export function transferOptions(
  http: Http,
  change: globalThis.Partial<TransferOptions> = {},
): TransferOptions {
  return {
    http,
    limiter: createLimiter(null),
    pool: fixedPool(1),
    gate: new Gate(),
    retries: 0,
    allowance: new Allowance(() => 1024 ** 3),
    signal: new AbortController().signal,
    locate: async () => LOCATED,
    validatorOf: () => ({ etag: null, sizeBytes: null, sha256: null }),
    onRetry: () => undefined,
    onBytes: () => undefined,
    onConnections: () => undefined,
    ...change,
  };
}
