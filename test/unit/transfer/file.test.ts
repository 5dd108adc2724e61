import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import type { Partial } from "../../../src/domain/partial.ts";
import { type Range, addRange, missingRanges, totalSize } from "../../../src/domain/range.ts";
import type { Answer } from "../../../src/platform/http-answer.ts";
import type { Http } from "../../../src/platform/http.ts";
import type { TransferOptions } from "../../../src/transfer/file.ts";
import { transferFile } from "../../../src/transfer/transfer.ts";
import { createLimiter } from "../../../src/transfer/limiter.ts";
import { createConnectionPool } from "../../../src/transfer/pool.ts";

const SIZE = 10;
const stop = new LuciError("E_INTERRUPTED", "stop");

/** A partial in memory. Somebody who asks again and again without a pause would hang: he is stopped. */
function fakePartial(onWrite: () => void = () => undefined) {
  let written: Range[] = [];
  let asked = 0;
  const partial: Partial = {
    sizeBytes: SIZE,
    get doneBytes() {
      return totalSize(written);
    },
    hashedBytes: 0,
    missing: () => {
      asked += 1;
      if (asked > 1_000) throw new Error("it asks for ever");
      return missingRanges(written, SIZE);
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
    end: () => undefined,
    settle: async () => undefined,
  };
  return partial;
}

/** A server that gives at most four bytes at a time. */
function fakeHttp() {
  const opened: Range[] = [];
  const open: Http["open"] = async (url, { range }) => {
    const startBytes = range?.startBytes ?? 0;
    const endBytes = Math.min(startBytes + 4, range?.endBytes ?? SIZE);
    opened.push({ startBytes, endBytes });
    const headers = new Headers();
    const answer: Answer = {
      status: 206,
      headers,
      url,
      hops: [{ url, status: 206, headers }],
      contentRange: { startBytes, endBytes, totalBytes: SIZE },
      contentLengthBytes: endBytes - startBytes,
      body: async function* () {
        yield new Uint8Array(endBytes - startBytes);
      },
      discard: async () => undefined,
    };
    return answer;
  };
  return { opened, http: { open } as Http };
}

function optionsWith(http: Http, signal: AbortSignal): TransferOptions {
  return {
    http,
    limiter: createLimiter(null),
    pool: createConnectionPool({ fixed: 1, now: () => 0, every: () => () => undefined }),
    retries: 0,
    signal,
    locate: async () => ({ url: "https://example.com/x", headers: {} }),
    validatorOf: () => ({ etag: null, sizeBytes: null, sha256: null }),
    onRetry: () => undefined,
    onBytes: () => undefined,
    onConnections: () => undefined,
  };
}

describe("a transfer", () => {
  test("asks until nothing is missing", async () => {
    const { http, opened } = fakeHttp();
    const partial = fakePartial();
    await transferFile("x", partial, optionsWith(http, new AbortController().signal));
    expect(partial.doneBytes).toBe(SIZE);
    expect(opened.map(({ startBytes }) => startBytes)).toEqual([0, 4, 8]);
  });

  test("asks for nothing when nothing is missing", async () => {
    const { http, opened } = fakeHttp();
    const partial = { ...fakePartial(), missing: () => [] };
    await transferFile("x", partial, optionsWith(http, new AbortController().signal));
    expect(opened).toEqual([]);
  });

  test("ends with an interrupt that came before it began", async () => {
    const { http, opened } = fakeHttp();
    const pending = transferFile("x", fakePartial(), optionsWith(http, AbortSignal.abort(stop)));
    expect(await pending.catch((error: unknown) => error)).toBe(stop);
    expect(opened).toEqual([]);
  });

  test("ends with an interrupt that comes while the last bytes of a request are written", async () => {
    const { http } = fakeHttp();
    const interrupt = new AbortController();
    const partial = fakePartial(() => interrupt.abort(stop));
    const pending = transferFile("x", partial, optionsWith(http, interrupt.signal));
    expect(await pending.catch((error: unknown) => error)).toBe(stop);
    expect(partial.doneBytes).toBe(4);
  });
});
