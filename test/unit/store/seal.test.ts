import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { PlanFile } from "../../../src/domain/plan.ts";
import { randomBytes } from "../../../src/demo/random-bytes.ts";
import { fingerprint } from "../../../src/platform/hash.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { Lately } from "../../../src/store/lately.ts";
import type { StorePartial } from "../../../src/store/partial.ts";
import { type SealOptions, matchesDigest, sealPartial } from "../../../src/store/seal.ts";
import type { Store } from "../../../src/store/store.ts";
import { type DiskAct, faultyFiles } from "../../support/faulty-files.ts";
import { openRoomPartial, planFile, storeRoom } from "../../support/store-room.ts";

const content = randomBytes(3, { startBytes: 0, endBytes: 5_000 });
const hex = createHash("sha256").update(content).digest("hex");
const gitHex = createHash("sha1").update("blob 5000\0").update(content).digest("hex");
const signal = new AbortController().signal;

function weights(change: Partial<PlanFile> = {}): PlanFile {
  const digest = { algorithm: "sha256", hex } as const;
  return planFile({ path: "w.bin", sizeBytes: 5_000, digest, authority: "hub", ...change });
}

/** The same, of which an earlier run got the first half. */
async function wholeByHalves(store: Store, file: PlanFile): Promise<StorePartial> {
  const { partial: first } = await openRoomPartial(store, file);
  await first.write(0, [content.subarray(0, 2_500)]);
  await first.release();
  const { partial } = await openRoomPartial(store, file);
  await partial.write(2_500, [content.subarray(2_500)]);
  await partial.settle(signal);
  return partial;
}

/** What is done to the disk, in short: `sync part`, `remove json`, `renameToFree w.bin`. */
function shortNameOf({ name, path }: DiskAct): string {
  return `${name} ${path.includes("/.luci/") ? path.split(".").at(-1) : basename(path)}`;
}

async function whole(store: Store, file: PlanFile, bytes: Uint8Array = content): Promise<StorePartial> {
  const { partial } = await openRoomPartial(store, file);
  await partial.write(0, [bytes]);
  await partial.settle(signal);
  return partial;
}

const options = (file: PlanFile, change: Partial<SealOptions> = {}): SealOptions => ({
  placement: { file, path: `org--repo/${file.path}` },
  replace: false,
  allowUnsafe: false,
  syncName: true,
  signal,
  ...change,
});
const codeOf = (pending: Promise<unknown>) =>
  pending.then(
    () => "sealed",
    (error: { code?: string }) => error.code,
  );

describe("a seal", () => {
  test("gives the final name last of all, to what was checked and made durable", async () => {
    const acts: string[] = [];
    const files = faultyFiles(nodeFiles(), (act) => void acts.push(shortNameOf(act)));
    await using room = await storeRoom({ files });
    const file = weights();
    const partial = await whole(room.store, file);
    acts.length = 0;
    const record = await sealPartial(room.store, partial, options(file));
    const order = ["sync part", "renameToFree w.bin", "syncFolder org--repo"];
    expect(acts.filter((act) => order.includes(act))).toEqual(order);
    const path = join(room.folder, "org--repo/w.bin");
    expect(
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    ).toBe(hex);
    expect(record).toEqual({
      path: "org--repo/w.bin",
      sizeBytes: 5_000,
      sha256: hex,
      gitSha1: null,
      authority: "hub",
      modifiedNs: (await nodeFiles().facts(path))!.modifiedNs,
      pieces: [fingerprint(content)],
      origin: file.origin,
    });
    expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
  });

  test.each([true, false])(
    "removes a journal only once the final name is durable (asked for: %p)",
    async (syncName) => {
      const acts: string[] = [];
      const files = faultyFiles(nodeFiles(), (act) => void acts.push(shortNameOf(act)));
      await using room = await storeRoom({ files });
      const file = weights();
      const partial = await wholeByHalves(room.store, file);
      acts.length = 0;
      await sealPartial(room.store, partial, options(file, { syncName }));
      const order = ["sync part", "renameToFree w.bin", "syncFolder org--repo", "remove json"];
      expect(acts.filter((act) => order.includes(act))).toEqual(order);
      expect(await readdir(room.store.layout.partialsFolder)).toEqual([]);
    },
  );

  test("leaves it to whoever publishes to make many names durable, where there is no journal", async () => {
    const acts: string[] = [];
    const files = faultyFiles(nodeFiles(), (act) => void acts.push(shortNameOf(act)));
    await using room = await storeRoom({ files });
    const file = weights();
    await sealPartial(room.store, await whole(room.store, file), options(file, { syncName: false }));
    expect(acts).toContain("renameToFree w.bin");
    expect(acts).not.toContain("syncFolder org--repo");
    expect(acts).not.toContain("remove json");
  });

  test("records the time that the file has once it is durable", async () => {
    const files = faultyFiles(nodeFiles(), async ({ name, path }) => {
      // A network disk sets it when the bytes arrive.
      if (name === "sync") await utimes(path, 1_000, 1_000);
    });
    await using room = await storeRoom({ files });
    const file = weights();
    const record = await sealPartial(room.store, await whole(room.store, file), options(file));
    expect(record.modifiedNs).toBe(String(1_000n * 10n ** 9n));
  });

  test("is refused to a file that the disk cut short", async () => {
    const files = faultyFiles(nodeFiles(), async ({ name, path }) => {
      if (name === "sync") await truncate(path, 4_000);
    });
    await using room = await storeRoom({ files });
    const file = weights();
    const partial = await whole(room.store, file);
    const refused: unknown = await sealPartial(room.store, partial, options(file)).catch((error) => error);
    expect(refused).toMatchObject({ code: "E_IO", message: expect.stringContaining(partial.path) });
    expect(existsSync(join(room.folder, "org--repo"))).toBe(false);
    await partial.discard();
  });

  test.each([true, false])(
    "makes its folder again when it was taken away just now (replacing: %p)",
    async (replace) => {
      await using room = await storeRoom();
      // However long it takes: the folder was seen just now.
      const store = { ...room.store, places: new Lately(() => 0) };
      const file = weights();
      await sealPartial(store, await whole(store, file), options(file));
      await rm(join(room.folder, "org--repo"), { recursive: true });
      const partial = await whole(store, file);
      await sealPartial(store, partial, options(file, { replace }));
      expect((await readFile(join(room.folder, "org--repo/w.bin"))).equals(content)).toBe(true);
    },
  );

  test("checks git's digest where that is the published one", async () => {
    await using room = await storeRoom();
    const file = weights({ digest: { algorithm: "git-sha1", hex: gitHex } });
    const record = await sealPartial(room.store, await whole(room.store, file), options(file));
    expect(record).toMatchObject({ sha256: hex, gitSha1: gitHex });
  });

  test.each([
    ["SHA-256", weights({ digest: { algorithm: "sha256", hex: "00".repeat(32) } })],
    ["git digest", weights({ digest: { algorithm: "git-sha1", hex: "00".repeat(20) } })],
  ])("is refused to bytes of another %s", async (_, file) => {
    await using room = await storeRoom();
    const partial = await whole(room.store, file);
    expect(await codeOf(sealPartial(room.store, partial, options(file)))).toBe("E_DIGEST");
    expect(existsSync(join(room.folder, "org--repo"))).toBe(false);
    await partial.discard();
  });

  test("is refused to content that can run code", async () => {
    await using room = await storeRoom();
    const bytes = Uint8Array.from(content);
    bytes.set([0x80, 4]);
    const file = weights({ digest: null });
    const partial = await whole(room.store, file, bytes);
    expect(await codeOf(sealPartial(room.store, partial, options(file)))).toBe("E_UNSAFE_FILE");
    expect(existsSync(join(room.folder, "org--repo"))).toBe(false);
    await sealPartial(room.store, partial, options(file, { allowUnsafe: true }));
  });

  test("does not take the name of a file it knows nothing of, unless told to replace it", async () => {
    await using room = await storeRoom();
    const path = join(room.folder, "org--repo/w.bin");
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, "somebody's own");
    const file = weights();
    const partial = await whole(room.store, file);
    expect(await codeOf(sealPartial(room.store, partial, options(file)))).toBe("E_DAMAGED");
    expect(await readFile(path, "utf8")).toBe("somebody's own");
    await sealPartial(room.store, partial, options(file, { replace: true }));
    expect((await readFile(path)).length).toBe(5_000);
  });

  test("does not leave the models folder through a link", async () => {
    await using room = await storeRoom();
    await using elsewhere = await storeRoom();
    await mkdir(elsewhere.folder, { recursive: true });
    await mkdir(room.folder, { recursive: true });
    await symlink(elsewhere.folder, join(room.folder, "org--repo"));
    const file = weights();
    const partial = await whole(room.store, file);
    expect(await codeOf(sealPartial(room.store, partial, options(file)))).toBe("E_UNSAFE_PATH");
    expect(await readdir(elsewhere.folder)).toEqual([]);
    await partial.discard();
  });

  test("does not come after an interrupt", async () => {
    await using room = await storeRoom();
    const file = weights();
    const partial = await whole(room.store, file);
    const interrupt = new AbortController();
    interrupt.abort(new Error("stop"));
    expect(await codeOf(sealPartial(room.store, partial, options(file, { signal: interrupt.signal })))).toBe(
      undefined,
    );
    expect(existsSync(join(room.folder, "org--repo"))).toBe(false);
    await partial.discard();
  });
});

test("a digest is held against its own kind", () => {
  const digests = { sha256: "aa", gitSha1: "bb" };
  expect(matchesDigest(null, digests)).toBe(true);
  expect(matchesDigest({ algorithm: "sha256", hex: "aa" }, digests)).toBe(true);
  expect(matchesDigest({ algorithm: "sha256", hex: "bb" }, digests)).toBe(false);
  expect(matchesDigest({ algorithm: "git-sha1", hex: "bb" }, digests)).toBe(true);
  expect(matchesDigest({ algorithm: "git-sha1", hex: "bb" }, { sha256: "bb", gitSha1: null })).toBe(false);
});
