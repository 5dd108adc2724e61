import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LuciError } from "../../../src/domain/errors.ts";
import { type ReadBack, createInlineHashes } from "../../../src/platform/hash-inline.ts";
import type { HashJobOptions } from "../../../src/platform/hash-pool.ts";
import { fingerprint } from "../../../src/platform/hash.ts";
import { hashOrder } from "../../support/hash-orders.ts";
import { type TempHome, tempHome } from "../../support/temp-home.ts";

const content = new TextEncoder().encode("a small file\n");
const hex = (algorithm: string, ...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest("hex");
const sha256 = hex("sha256", content);

let home: TempHome;
let path: string;

beforeAll(async () => {
  home = await tempHome();
  path = join(home.path, "small");
  await writeFile(path, content);
});
afterAll(() => home[Symbol.asyncDispose]());

/** A job and all that it said. */
function open(change: Partial<HashJobOptions> = {}) {
  const said: unknown[] = [];
  const failures: LuciError[] = [];
  const readBacks: ReadBack[] = [];
  const job = createInlineHashes((readBack) => readBacks.push(readBack)).open(hashOrder(path, change), {
    onPiece: (piece, { fingerprint: mark, hashedBytes }) => said.push([piece, mark, hashedBytes]),
    onBad: (piece) => said.push(`bad ${piece}`),
    onDigest: (digests) => said.push(digests),
    onFailed: (error) => failures.push(error),
  });
  return { job, said, failures, readBacks };
}

describe("a small file", () => {
  test("is read once it is whole, and not before", () => {
    const { job, said } = open();
    job.advance(content.length, null);
    job.advance(content.length - 1, content.length);
    expect(said).toEqual([]);
    job.advance(content.length, content.length);
    job.advance(content.length, content.length);
    expect(said).toEqual([[0, fingerprint(content), content.length], { sha256, gitSha1: null }]);
  });

  test("is hashed as git does where that is asked for, empty ones too", async () => {
    const { job, said } = open({ gitBlob: true });
    job.advance(content.length, content.length);
    expect(said.at(-1)).toEqual({ sha256, gitSha1: hex("sha1", `blob ${content.length}\0`, content) });
    const empty = join(home.path, "empty");
    await writeFile(empty, "");
    const none = open({ path: empty, gitBlob: true });
    none.job.advance(0, 0);
    expect(none.said).toEqual([{ sha256: hex("sha256", ""), gitSha1: hex("sha1", "blob 0\0") }]);
  });

  test("can be looked at as it was read", async () => {
    const { job, readBacks } = open();
    job.advance(content.length, content.length);
    const [readBack] = readBacks;
    const buffer = new Uint8Array(9);
    expect(await readBack?.read(buffer, 2)).toBe(9);
    expect(buffer).toEqual(content.subarray(2, 11));
    expect(await readBack?.read(buffer, content.length - 3)).toBe(3);
    expect(await readBack?.facts()).toMatchObject({ kind: "file", sizeBytes: content.length });
  });

  test("that is not what was fingerprinted is told, and hashed once that is forgotten", () => {
    const { job, said } = open({ expected: ["0000000000000000"] });
    job.advance(content.length, content.length);
    expect(said).toEqual(["bad 0"]);
    job.forget(0);
    job.advance(content.length, content.length);
    expect(said.at(-1)).toEqual({ sha256, gitSha1: null });
  });

  test("that is shorter than it should be, or gone, is a failure in words", async () => {
    const short = open();
    short.job.advance(content.length + 1, content.length + 1);
    expect(short.failures).toMatchObject([{ code: "E_DAMAGED" }]);
    const gone = join(home.path, "gone");
    await writeFile(gone, content);
    await rm(gone);
    const missing = open({ path: gone });
    missing.job.advance(content.length, content.length);
    expect(missing.failures).toMatchObject([{ code: "E_IO" }]);
    expect([short.said, missing.said]).toEqual([[], []]);
  });
});
