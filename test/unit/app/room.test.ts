import { expect, test } from "bun:test";
import type { Context, SharedRoom } from "../../../src/app/context.ts";
import { type ModelNeed, assertRoom, reserveFor } from "../../../src/app/need.ts";

const MIB = 1024 * 1024;

function contextOf(freeBytes: number, room: Partial<SharedRoom> = {}): Context {
  const files = { freeBytes: async () => freeBytes, diskBytes: async () => 100_000 * MIB };
  const settings = { modelsFolder: "/models" };
  return {
    files,
    settings,
    room: { othersBytes: () => 0, take: () => undefined, ...room },
  } as unknown as Context;
}

function needOf(sizeBytes: number): ModelNeed {
  const file = { placement: { path: "m", file: { sizeBytes } }, state: "missing", keptBytes: 0 };
  return { files: [file] } as unknown as ModelNeed;
}

test("what fits is taken, and what others took is not there any more", async () => {
  const taken: number[] = [];
  const take = (bytes: number): void => void taken.push(bytes);
  await assertRoom(contextOf(100 * MIB, { take }), [needOf(60 * MIB)]);
  expect(taken).toEqual([60 * MIB]);
  const others = { take, othersBytes: () => 60 * MIB };
  const refused = assertRoom(contextOf(100 * MIB, others), [needOf(60 * MIB)]);
  await expect(refused).rejects.toMatchObject({ code: "E_NO_SPACE", retryable: true });
  await expect(refused).rejects.toThrow("105 MB free, 62.9 MB of it for other downloads under way");
  expect(taken).toHaveLength(1);
  // What would not fit alone either does not wait for anybody.
  await expect(assertRoom(contextOf(50 * MIB, others), [needOf(60 * MIB)])).rejects.toMatchObject({
    code: "E_NO_SPACE",
    retryable: false,
  });
  // What needs nothing is not in anybody's way.
  await assertRoom(contextOf(10 * MIB, others), [needOf(0)]);
});

test("what all together are going to write cannot use up the reserve by itself", async () => {
  const alone = await reserveFor(contextOf(100 * MIB), [needOf(60 * MIB)]);
  const together = await reserveFor(contextOf(100 * MIB, { othersBytes: () => 30 * MIB }), [
    needOf(60 * MIB),
  ]);
  expect([alone, together]).toEqual([20 * MIB, 5 * MIB]);
});
