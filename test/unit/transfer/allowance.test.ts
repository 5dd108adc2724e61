import { describe, expect, test } from "bun:test";
import { Allowance, UNREAD_BYTES } from "../../../src/transfer/allowance.ts";

const MIB = 1024 * 1024;
const SIZE = 100 * MIB;
const MOST = SIZE + UNREAD_BYTES;

describe("what a file may cost beside what is kept of it", () => {
  test("is its size and a little more, however much is kept", () => {
    const allowance = new Allowance(() => SIZE);
    allowance.kept(10 * SIZE);
    allowance.wasted(MOST);
    expect(allowance.isSpent).toBe(false);
    allowance.wasted(1);
    expect(allowance.isSpent).toBe(true);
  });

  test("lets a whole file be fetched once more, and not twice", () => {
    const allowance = new Allowance(() => SIZE);
    allowance.kept(SIZE);
    allowance.wasted(UNREAD_BYTES);
    expect(allowance.beginAgain()).toBe(true);
    allowance.kept(SIZE);
    expect(allowance.isSpent).toBe(false);
    expect(allowance.beginAgain()).toBe(false);
  });

  test("is not granted anew to an attempt after one that ended", () => {
    const before = new Allowance(() => SIZE);
    before.kept(SIZE);
    expect(before.beginAgain()).toBe(true);
    before.kept(SIZE);
    const allowance = new Allowance(() => SIZE, before);
    expect(allowance.beginAgain()).toBe(false);
    allowance.wasted(UNREAD_BYTES + 1);
    expect([before.isSpent, allowance.isSpent]).toEqual([false, true]);
  });

  test("refuses to begin again without counting it", () => {
    const allowance = new Allowance(() => SIZE);
    allowance.kept(SIZE);
    expect(allowance.beginAgain()).toBe(true);
    allowance.kept(SIZE);
    expect(allowance.beginAgain()).toBe(false);
    expect(allowance.isSpent).toBe(false);
  });

  test("lets a whole file be fetched once more whatever else came for nothing, with room for as much again", () => {
    const allowance = new Allowance(() => SIZE);
    allowance.kept(SIZE);
    allowance.wasted(2 * UNREAD_BYTES);
    expect(allowance.beginAgain()).toBe(true);
    allowance.wasted(UNREAD_BYTES);
    allowance.kept(SIZE);
    expect(allowance.isSpent).toBe(false);
    expect(allowance.beginAgain()).toBe(false);
  });

  test("lets nobody begin again who spent it all", () => {
    const allowance = new Allowance(() => SIZE);
    allowance.kept(10);
    allowance.wasted(MOST + 1);
    expect(allowance.beginAgain()).toBe(false);
  });

  test("is not touched by what comes again because it was not wanted for a while", () => {
    const allowance = new Allowance(() => SIZE);
    allowance.kept(SIZE / 2);
    for (let pauses = 0; pauses < 10; pauses += 1) {
      allowance.forgive(SIZE / 2);
      allowance.wasted(SIZE / 2);
    }
    expect(allowance.isSpent).toBe(false);
    allowance.wasted(MOST);
    expect(allowance.isSpent).toBe(false);
    allowance.wasted(1);
    expect(allowance.isSpent).toBe(true);
  });

  test("where no size is known, lets the retries begin again", () => {
    const allowance = new Allowance(() => null);
    const again = Array.from({ length: 4 }, () => {
      allowance.kept(50 * MIB);
      return allowance.beginAgain();
    });
    expect(again).toEqual([true, true, true, false]);
  });

  test("follows a size that becomes known", () => {
    let sizeBytes: number | null = null;
    const allowance = new Allowance(() => sizeBytes);
    allowance.wasted(UNREAD_BYTES + 1);
    expect(allowance.isSpent).toBe(true);
    sizeBytes = SIZE;
    expect(allowance.isSpent).toBe(false);
  });
});
