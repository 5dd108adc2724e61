import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { PlanFile } from "../../../src/domain/plan.ts";
import { randomBytes } from "../../../src/demo/random-bytes.ts";
import { fingerprint } from "../../../src/platform/hash.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import type { StorePartial } from "../../../src/store/partial.ts";
import { type SealOptions, matchesDigest, sealPartial } from "../../../src/store/seal.ts";
import type { Store } from "../../../src/store/store.ts";
import { faultyFiles } from "../../support/faulty-files.ts";
import { openRoomPartial, planFile, storeRoom } from "../../support/store-room.ts";

const content = randomBytes(3, { startBytes: 0, endBytes: 5_000 });
const hex = createHash("sha256").update(content).digest("hex");
const gitHex = createHash("sha1").update("blob 5000\0").update(content).digest("hex");
const signal = new AbortController().signal;

function weights(change: Partial<PlanFile> = {}): PlanFile {
  const digest = { algorithm: "sha256", hex } as const;
  return planFile({ path: "w.bin", sizeBytes: 5_000, digest, authority: "hub", ...change });
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
    const files = faultyFiles(nodeFiles(), ({ name, path }) => {
      const shown = path.includes("/.luci/") ? (path.split(".").at(-1) ?? "") : basename(path);
      acts.push(`${name} ${shown}`);
    });
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
