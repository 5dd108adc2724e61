import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import type { Answer } from "../../../src/platform/http-answer.ts";
import { Allowance, UNREAD_BYTES } from "../../../src/transfer/allowance.ts";
import { countRefused } from "../../../src/transfer/refusal.ts";

const KIB = 1024;

/** An answer of unknown length; giving it up ends its body. */
function answerOf(status: number, body: (given: Promise<void>) => AsyncGenerator<Uint8Array>): Answer {
  const given = Promise.withResolvers<void>();
  const url = "https://example.com/x";
  const headers = new Headers();
  return {
    status,
    headers,
    url,
    hops: [{ url, status, headers }],
    proxy: null,
    contentRange: null,
    contentLengthBytes: null,
    body: () => body(given.promise),
    discard: async () => given.resolve(),
  };
}

/** How many such answers come before as much as `sizeBytes` came for nothing; 100 at most. */
async function refusalsUntilSpent(sizeBytes: number, make: () => Answer): Promise<number> {
  const allowance = new Allowance(() => sizeBytes);
  for (let count = 1; count <= 100; count += 1) {
    await countRefused(make(), new LuciError("E_SERVER", "busy"), allowance);
    if (allowance.isSpent) return count;
  }
  return Number.POSITIVE_INFINITY;
}

describe("an error page of unknown length", () => {
  test("that ends soon costs nothing", async () => {
    const make = () =>
      answerOf(503, async function* () {
        yield new Uint8Array(4);
      });
    expect(await refusalsUntilSpent(1000, make)).toBe(Number.POSITIVE_INFINITY);
  });

  test("that ends late costs what was read of it and little more", async () => {
    const make = () =>
      answerOf(503, async function* (given) {
        yield new Uint8Array(4);
        await given;
      });
    const allowance = new Allowance(() => 0);
    const twenty = Array.from({ length: 20 }, () =>
      countRefused(make(), new LuciError("E_SERVER", "busy"), allowance),
    );
    await Promise.all(twenty);
    expect(allowance.isSpent).toBe(false);
    // And so many of them are too much all the same.
    const more = Array.from({ length: 80 }, () =>
      countRefused(make(), new LuciError("E_SERVER", "busy"), allowance),
    );
    await Promise.all(more);
    expect(allowance.isSpent).toBe(true);
  });

  test("whose connection breaks costs no more than one that ends late", async () => {
    const make = () =>
      answerOf(503, async function* () {
        yield new Uint8Array(4);
        throw new LuciError("E_NETWORK", "closed the connection before the end");
      });
    expect(await refusalsUntilSpent(1000, make)).toBeGreaterThan(20);
  });

  test.each([
    [
      "without an end",
      async function* () {
        for (;;) yield new Uint8Array(16 * KIB);
      },
    ],
    [
      "that is no proper HTTP",
      async function* () {
        yield new Uint8Array(4);
        throw new LuciError("E_SERVER", "does not answer in proper HTTP");
      },
    ],
  ] as const)("%s costs what sockets hold", async (_, body) => {
    expect(await refusalsUntilSpent(UNREAD_BYTES - 1, () => answerOf(503, body))).toBe(2);
  });
});
