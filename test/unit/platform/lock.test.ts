import { afterEach, describe, expect, jest, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Lock, isLockAlive, tryLock } from "../../../src/platform/lock.ts";
import { LuciError } from "../../../src/domain/errors.ts";
import { ownIdentity, ownerTag } from "../../../src/platform/machine.ts";
import { lockFile } from "../../../src/store/file-lock.ts";
import { deadTag } from "../../support/owner-tags.ts";
import { storeRoom } from "../../support/store-room.ts";
import { tempHome } from "../../support/temp-home.ts";

const LOCK_MODULE = join(import.meta.dir, "../../../src/platform/lock.ts");

async function take(path: string): Promise<Lock> {
  const lock = await tryLock(path);
  if (!("release" in lock)) throw new Error("the lock is taken");
  return lock;
}

/** Another process that holds the lock until it is killed. */
async function holdElsewhere(path: string): Promise<{ pid: number; kill(): Promise<void> }> {
  const code = `import { tryLock } from ${JSON.stringify(LOCK_MODULE)};
    const lock = await tryLock(${JSON.stringify(path)});
    console.log("release" in lock ? "held" : "taken");
    setInterval(() => lock, 1e6);`;
  const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toBe("held\n");
  return {
    pid: child.pid,
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

afterEach(() => void jest.useRealTimers());

describe("a lock", () => {
  test("is held once, says by whom, and is gone when let go", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.lock");
    const beforeMs = Date.now();
    const lock = await take(path);
    const afterMs = Date.now();
    const second = await tryLock(path);
    if ("release" in second) throw new Error("taken twice");
    expect(second.holder).toMatchObject({ pid: process.pid, host: ownIdentity().host });
    expect(second.holder!.sinceMs).toBeWithin(beforeMs, afterMs + 1);
    expect(isLockAlive(path)).toBe(true);
    lock.release();
    expect(existsSync(path)).toBe(false);
    (await take(path)).release();
  });

  test("is taken over where a file without owner lies, and the old record is gone", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.lock");
    await writeFile(path, JSON.stringify({ pid: 1, host: "h", note: "x".repeat(500) }));
    const lock = await take(path);
    const record: unknown = JSON.parse(await readFile(path, "utf8"));
    expect(record).toMatchObject({ pid: process.pid, tag: ownerTag(ownIdentity()) });
    lock.release();
  });

  test("of another process is respected while it runs, and free at once when it was killed", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.lock");
    const other = await holdElsewhere(path);
    try {
      const refused = await tryLock(path);
      expect(refused).toEqual({ holder: expect.objectContaining({ pid: other.pid }) });
      expect(isLockAlive(path)).toBe(true);
    } finally {
      await other.kill();
    }
    expect(isLockAlive(path)).toBe(false);
    (await take(path)).release();
  });

  test("is not taken from whoever has it and has not come to say so", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.lock");
    const lock = await take(path);
    // What the one before left, who was killed long ago.
    await writeFile(path, JSON.stringify({ ...ownIdentity(), tag: await deadTag() }));
    await utimes(path, 1, 1);
    expect("release" in (await tryLock(path))).toBe(false);
    lock.release();
    (await take(path)).release();
  });

  test("does not remove the lock of somebody who came after", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.lock");
    const first = await take(path);
    // Somebody removed the file by hand: the next one holds another file of the same name.
    await Bun.file(path).delete();
    const second = await take(path);
    first.release();
    expect(existsSync(path)).toBe(true);
    second.release();
  });

  test("is no link, and has a folder", async () => {
    await using home = await tempHome();
    const link = join(home.path, "link.lock");
    await symlink(join(home.path, "elsewhere"), link);
    const throughLink = await tryLock(link).catch((error: unknown) => error);
    expect(throughLink).toMatchObject({ code: "E_UNSAFE_PATH" });
    expect(existsSync(join(home.path, "elsewhere"))).toBe(false);
    const nowhere = await tryLock(join(home.path, "no/x.lock")).catch((error: unknown) => error);
    expect(nowhere).toBeInstanceOf(LuciError);
  });
});

describe("a record that tells nothing counts as dead", () => {
  test.each(["", "{", "null", "[]", '{"tag":5}', '{"pid":1}'])("%p", async (text) => {
    await using home = await tempHome();
    const path = join(home.path, "x.lock");
    expect(isLockAlive(path)).toBe(false);
    await writeFile(path, text);
    expect(isLockAlive(path)).toBe(false);
  });
});

describe("the lock of a file", () => {
  const options = { label: "model · file", signal: new AbortController().signal, onWait: () => undefined };

  test("is refused politely when nobody wants to wait", async () => {
    await using room = await storeRoom();
    const lock = await lockFile(room.store, "k", { ...options, wait: false });
    const second = lockFile(room.store, "k", { ...options, wait: false });
    const error = await second.catch((thrown: unknown) => thrown as LuciError);
    expect(error).toMatchObject({ code: "E_LOCKED", exit: 9 });
    expect((error as LuciError).message).toContain(`pid ${process.pid}`);
    lock.release();
    (await lockFile(room.store, "k", { ...options, wait: false })).release();
  });

  test("is waited for, and the waiting is told once", async () => {
    await using room = await storeRoom();
    const first = await lockFile(room.store, "k", { ...options, wait: true });
    let said = 0;
    const told = Promise.withResolvers<void>();
    const onWait = (): void => {
      said += 1;
      told.resolve();
    };
    jest.useFakeTimers();
    const second = lockFile(room.store, "k", { ...options, wait: true, onWait });
    await told.promise;
    for (let looks = 0; looks < 3; looks += 1) {
      jest.advanceTimersByTime(1_000);
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    }
    expect(said).toBe(1);
    first.release();
    jest.advanceTimersByTime(1_000);
    (await second).release();
  });

  test("is not waited for after an interrupt", async () => {
    await using room = await storeRoom();
    await mkdir(room.store.layout.locksFolder, { recursive: true });
    const first = await lockFile(room.store, "k", { ...options, wait: true });
    const interrupt = new AbortController();
    const reason = new LuciError("E_INTERRUPTED", "stop");
    const onWait = (): void => interrupt.abort(reason);
    const second = lockFile(room.store, "k", { ...options, wait: true, onWait, signal: interrupt.signal });
    expect(await second.catch((error: unknown) => error)).toBe(reason);
    first.release();
  });
});
