// Installs that begin at the same moment and meet at one name: different files that are called alike, and one file
// with and without a digest.

import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { makeSafetensors } from "../../src/demo/gguf-writer.ts";
import { list } from "../../src/app/list.ts";
import { type FileServer, fileServer, sendBytes } from "../support/file-server.ts";
import { type Rig, type RigRun, openRig } from "../support/rig.ts";
import { until } from "../support/until.ts";

const SIZE = 3 * 1024 * 1024 + 13;
const bytesOf = (sizeBytes: number, seed: number): Uint8Array =>
  Uint8Array.from(makeSafetensors({ name: "m", sizeBytes, seed }).read(0, sizeBytes));
const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/** Tells at once what the file is, and sends its bytes when it is told to go on. */
async function heldServer(bytes: Uint8Array): Promise<FileServer & { go: () => void }> {
  const held = Promise.withResolvers<void>();
  const server = await fileServer((asked, response) => {
    const isProbe = asked.range?.endBytes === 1 || asked.method === "HEAD" || asked.before === 0;
    void (isProbe ? Promise.resolve() : held.promise).then(() =>
      sendBytes(asked, response, { bytes, headers: { ETag: '"v1"' } }),
    );
  });
  return { ...server, go: held.resolve };
}

const isStarted = ({ type }: { type: string }): boolean => type === "file.started";

/** An install that has begun to fetch. */
async function begin(rig: Rig, ref: string): Promise<{ end: Promise<RigRun> }> {
  let begun = false;
  const end = rig.install({
    refs: [ref],
    // One request for all of it: of several, one may be asked for when the others are answered.
    settings: { connections: 1 },
    onEvent: (event) => {
      begun ||= isStarted(event);
    },
  });
  await until(`${ref} is being fetched`, () => begun);
  return { end };
}

describe("two different files of one name, installed at once", () => {
  test.each([1, 2])("both come in, each with its own bytes (the other's size: +%d - 1)", async (more) => {
    await using rig = await openRig(SIZE);
    const [one, other] = [bytesOf(SIZE, 1), bytesOf(SIZE + more - 1, 2)];
    await using first = await heldServer(one);
    await using second = await heldServer(other);
    const runs = [await begin(rig, first.url), await begin(rig, second.url)];
    first.go();
    const firstRun = await runs[0]!.end;
    second.go();
    const secondRun = await runs[1]!.end;
    expect([firstRun.error, secondRun.error]).toEqual([null, null]);
    const [receipt] = secondRun.result!.installed;
    expect(receipt!.model).toMatch(/^m-[0-9a-f]{8}$/);
    expect(sha256(await readFile(receipt!.path))).toBe(sha256(other));
    const { installed } = await list(rig.context(), { available: false });
    expect(installed.map(({ name }) => name).toSorted()).toEqual(["m", receipt!.model]);
    for (const { files } of installed)
      for (const file of files) expect(sha256(await readFile(file.path))).toBe(file.sha256);
  });
});

describe("one file, installed at once with and without its digest", () => {
  test.each(["with", "without"])("stays verified, where the one %s it ends last", async (last) => {
    await using rig = await openRig(SIZE);
    const bytes = bytesOf(SIZE, 1);
    const waiting: (() => void)[] = [];
    await using server = await fileServer((asked, response) => {
      const send = (): void => sendBytes(asked, response, { bytes, headers: { ETag: '"v1"' } });
      if (asked.range && asked.range.endBytes > 1024 * 1024) waiting.push(send);
      else send();
    });
    const withDigest = `${server.url}#sha256=${sha256(bytes)}`;
    const early = await begin(rig, last === "with" ? server.url : withDigest);
    await until("the first asks for its bytes", () => waiting.length > 0);
    const sendEarly = waiting.splice(0);
    const late = await begin(rig, last === "with" ? withDigest : server.url);
    await until("the second asks for its bytes", () => waiting.length > 0);
    for (const send of sendEarly) send();
    expect((await early.end).error).toBeNull();
    for (const send of waiting) send();
    expect((await late.end).error).toBeNull();
    const { installed } = await list(rig.context(), { available: false });
    expect(installed.map(({ files }) => files.map(({ authority }) => authority))).toEqual([["user"]]);
  });
});
