import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import type { Range } from "../../../src/domain/range.ts";
import type { Http } from "../../../src/platform/http.ts";
import { Gate } from "../../../src/transfer/gate.ts";
import { createLimiter } from "../../../src/transfer/limiter.ts";
import type { TransferOptions } from "../../../src/transfer/transfer-options.ts";
import { transferFile } from "../../../src/transfer/transfer.ts";
import {
  type MemoryPartialOptions,
  memoryPartial,
  rangeAnswer,
  transferOptions,
} from "../../support/transfer-parts.ts";

const SIZE = 1_000;
const partialOf = (change: Partial<MemoryPartialOptions> = {}) =>
  memoryPartial({ sizeBytes: SIZE, ...change });

interface Asked {
  readonly range: Range | undefined;
  readonly signal: AbortSignal;
}

/** A server that serves what is asked, after `act` had its say. */
function server(act: (asked: Asked, count: number) => void | Promise<void> = () => undefined) {
  const asked: Asked[] = [];
  const open: Http["open"] = async (address, { range = { startBytes: 0, endBytes: SIZE }, signal }) => {
    asked.push({ range, signal });
    await act({ range, signal }, asked.length);
    const totalBytes = Math.max(SIZE, range.endBytes);
    return rangeAnswer(address, { range, totalBytes });
  };
  return { asked, http: { open } as Http };
}

/** Options, and what is told of retries and connections. */
function optionsWith(http: Http, change: Partial<TransferOptions> = {}) {
  const retries: number[] = [];
  const connections: number[] = [];
  const options = transferOptions(http, {
    retries: 2,
    onRetry: ({ attempt }) => retries.push(attempt),
    onConnections: (count) => connections.push(count),
    ...change,
  });
  return { options, retries, connections };
}

describe("a small file", () => {
  test("is asked for once, all of it", async () => {
    const { http, asked } = server();
    const { options, connections } = optionsWith(http);
    const partial = partialOf();
    await transferFile("x", partial, options);
    expect([asked.map(({ range }) => range), partial.missing()]).toEqual([
      [{ startBytes: 0, endBytes: SIZE }],
      [],
    ]);
    expect(connections).toEqual([1, 0]);
  });

  test("whose first request fails has used up one of its tries", async () => {
    const { http, asked } = server(() => {
      throw new LuciError("E_SERVER", "busy", { retryable: true });
    });
    const { options, retries } = optionsWith(http, { retries: 1 });
    const failed = await transferFile("x", partialOf(), options).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "E_SERVER" });
    expect([asked.length, retries]).toEqual([2, [1]]);
  });

  test("that was let go because the gate shut is asked for again, and nothing is held against it", async () => {
    const gate = new Gate();
    const { http, asked } = server(async ({ signal }, count) => {
      if (count > 1) return;
      setTimeout(() => gate.reopen("a test"), 5);
      gate.shut("a test");
      signal.throwIfAborted();
    });
    const { options, retries } = optionsWith(http, { gate, retries: 0 });
    const partial = partialOf();
    await transferFile("x", partial, options);
    expect([asked.length, retries, partial.missing()]).toEqual([2, [], []]);
  });

  test("of which something is there is asked for what is missing", async () => {
    const { http, asked } = server();
    await transferFile(
      "x",
      partialOf({ has: [{ startBytes: 0, endBytes: 400 }] }),
      optionsWith(http).options,
    );
    expect(asked.map(({ range }) => range)).toEqual([{ startBytes: 400, endBytes: SIZE }]);
  });

  test("ends with the interrupt that comes while it is fetched", async () => {
    const interrupt = new AbortController();
    const stop = new LuciError("E_INTERRUPTED", "stop");
    const { http } = server(({ signal }) => {
      interrupt.abort(stop);
      signal.throwIfAborted();
    });
    const pending = transferFile("x", partialOf(), optionsWith(http, { signal: interrupt.signal }).options);
    expect(await pending.catch((error: unknown) => error)).toBe(stop);
  });

  test("that waits for the speed limit is not asked for once the gate is shut", async () => {
    const gate = new Gate();
    const limiter = createLimiter(4_096);
    const { http, asked } = server();
    const interrupt = new AbortController();
    const { options } = optionsWith(http, { gate, limiter, signal: interrupt.signal });
    // Whoever was first keeps the limit's line for minutes: until it is lifted.
    const first = limiter.take(1_000_000, interrupt.signal).catch(() => undefined);
    const pending = transferFile("x", partialOf(), options).catch((error: unknown) => error);
    await Bun.sleep(0);
    gate.shut("a test");
    limiter.setRate(null);
    await first;
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    expect(asked).toEqual([]);
    limiter.setRate(4_096 * 1_000);
    interrupt.abort(new LuciError("E_INTERRUPTED", "stop"));
    expect(await pending).toMatchObject({ code: "E_INTERRUPTED" });
    expect(asked).toEqual([]);
  });

  test("for whose rest the limit was lowered is given up, and what is missing comes at the new one", async () => {
    const limiter = createLimiter(null);
    const sizeBytes = 64 * 1024;
    const { http, asked } = server(({ signal }, count) => {
      if (count > 1) return;
      limiter.setRate(60_000);
      signal.throwIfAborted();
    });
    const { options, retries } = optionsWith(http, { limiter, retries: 0 });
    const partial = partialOf({ sizeBytes });
    await transferFile("x", partial, options);
    const sizes = asked.map(({ range }) => range!.endBytes - range!.startBytes);
    expect([sizes[0], Math.max(...sizes.slice(1)), retries]).toEqual([sizeBytes, 16 * 1024, []]);
    expect(partial.missing()).toEqual([]);
  });

  test("pays the speed limit for each byte once, also where the server sends it without a range", async () => {
    const { http } = server();
    const open: Http["open"] = async (address, given) => {
      const answer = await http.open(address, given);
      return { ...answer, status: 200, contentRange: null, contentLengthBytes: SIZE };
    };
    let paidBytes = 0;
    const limiter: TransferOptions["limiter"] = {
      requestBytes: null,
      take: async (sizeBytes) => {
        paidBytes += sizeBytes;
      },
      onLowered: () => () => undefined,
    };
    const partial = partialOf();
    await transferFile("x", partial, optionsWith({ open } as Http, { limiter }).options);
    expect([paidBytes, partial.missing()]).toEqual([SIZE, []]);
  });
});
