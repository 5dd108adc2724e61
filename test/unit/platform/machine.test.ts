import { describe, expect, test } from "bun:test";
import {
  LEASE_MS,
  type Owner,
  bootId,
  isTagAlive,
  ownIdentity,
  ownerTag,
} from "../../../src/platform/machine.ts";
import { deadTag, runningTag } from "../../support/owner-tags.ts";

const own = ownIdentity();
const now = { lastSignMs: 1_000_000, nowMs: 1_000_000 };
const tagOf = (change: Partial<Owner>) => ownerTag({ ...own, ...change });

test("this process knows itself", () => {
  expect(own.pid).toBe(process.pid);
  expect(own.host).not.toBe("");
  expect(own.bootId).toBe(bootId());
  expect(own).toEqual(ownIdentity());
  if (process.platform === "linux") expect(own.startToken).toMatch(/^\d+$/);
});

test("a tag is a pid and twelve digits, the same every time", () => {
  expect(ownerTag(own)).toMatch(/^\d+\.[0-9a-f]{12}$/);
  expect(ownerTag(own)).toBe(ownerTag({ ...own }));
});

describe("an owner on this machine", () => {
  test("that runs is alive, however old its last sign", () => {
    expect(isTagAlive(ownerTag(own), { ...now, lastSignMs: 0 })).toBe(true);
  });

  test("another process that runs is alive too", () => {
    expect(isTagAlive(runningTag(), now)).toBe(true);
  });

  test("that has ended is dead, however fresh its last sign", async () => {
    expect(isTagAlive(await deadTag(), now)).toBe(false);
  });

  test.each([
    ["started at another time: the number was given to somebody else", { startToken: "1" }],
    ["ran before the last boot", { bootId: "yesterday" }],
  ])("that %s is dead", (_, change) => {
    expect(isTagAlive(tagOf(change), now)).toBe(false);
  });

  test.each([0, -1, 4e9, Number.NaN])("with the pid %d is dead, and no process group is asked", (pid) => {
    expect(isTagAlive(tagOf({ pid }), now)).toBe(false);
  });
});

describe.each([
  ["on another machine", tagOf({ host: "elsewhere", pid: 1 })],
  ["in another container of this machine", tagOf({ pidSpace: "pid:[1]" })],
])("an owner %s", (_, tag) => {
  test.each([
    [0, true],
    [LEASE_MS - 1, true],
    [LEASE_MS, false],
    [LEASE_MS * 10, false],
  ])("with a last sign %d ms ago is alive: %p", (agoMs, alive) => {
    expect(isTagAlive(tag, { lastSignMs: 1e12 - agoMs, nowMs: 1e12 })).toBe(alive);
  });
});

test.each(["", ".", "nonsense", "12", "12."])("%p, which names nobody, dies with its lease", (tag) => {
  expect(isTagAlive(tag, { lastSignMs: 0, nowMs: LEASE_MS })).toBe(false);
});
