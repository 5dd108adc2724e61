// What every `Files` must do, run on the real disk.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { link, mkdir, readFile, readdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { LuciError } from "../../src/domain/errors.ts";
import { randomBytes } from "../../src/demo/random-bytes.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { writeFully } from "../../src/platform/open-file.ts";
import { prng } from "../support/prng.ts";
import { tempHome } from "../support/temp-home.ts";

const files = nodeFiles();
const code = (pending: Promise<unknown>): Promise<unknown> =>
  pending.then(
    () => "done",
    (error: LuciError) => error.code,
  );
const seeded = (startBytes: number, endBytes: number) => randomBytes(11, { startBytes, endBytes });

describe("an open file", () => {
  test("is written at positions, in any order, from several chunks", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x");
    const file = await files.open(path, "create");
    await file.write(600, [seeded(600, 700), new Uint8Array(), seeded(700, 1_000)]);
    await file.write(0, [seeded(0, 600)]);
    await file.write(5, []);
    const buffer = new Uint8Array(2_000);
    expect(await file.read(buffer, 0)).toBe(1_000);
    expect(buffer.subarray(0, 1_000)).toEqual(seeded(0, 1_000));
    expect(await file.read(buffer, 900)).toBe(100);
    expect(await file.read(buffer, 1_000)).toBe(0);
    await file.datasync();
    await file.sync();
    await file.close();
    expect(Uint8Array.from(await readFile(path))).toEqual(seeded(0, 1_000));
  });

  test("is sparse where nothing was written, and cut where told", async () => {
    await using home = await tempHome();
    const file = await files.open(join(home.path, "x"), "create");
    await file.write(64 * 1024 * 1024, [seeded(0, 1)]);
    const facts = await file.facts();
    expect(facts.sizeBytes).toBe(64 * 1024 * 1024 + 1);
    expect(facts.allocatedBytes).toBeLessThan(1024 * 1024);
    await file.truncate(10);
    expect((await file.facts()).sizeBytes).toBe(10);
    await file.close();
  });

  test("is opened as it was asked for", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x");
    expect(await code(files.open(path, "read"))).toBe("E_IO");
    expect(await code(files.open(path, "update"))).toBe("E_IO");
    await (await files.open(path, "create")).close();
    expect((await stat(path)).mode & 0o777 & ~0o644).toBe(0);
    expect(await code(files.open(path, "create"))).toBe("E_IO");
    await writeFile(path, "keep");
    await (await files.open(path, "update")).close();
    expect(await readFile(path, "utf8")).toBe("keep");
    const reader = await files.open(path, "read");
    expect(await code(reader.write(0, [seeded(0, 1)]))).not.toBe("done");
    await reader.close();
  });

  test("is never reached through a link", async () => {
    await using home = await tempHome();
    const target = join(home.path, "target");
    const path = join(home.path, "link");
    await writeFile(target, "precious");
    await symlink(target, path);
    expect(await code(files.open(path, "read"))).toBe("E_UNSAFE_PATH");
    expect(await code(files.open(path, "update"))).toBe("E_UNSAFE_PATH");
    expect(await code(files.open(path, "create"))).toBe("E_IO");
    await symlink(join(home.path, "nowhere"), join(home.path, "dangling"));
    expect(await code(files.open(join(home.path, "dangling"), "create"))).toBe("E_IO");
    expect(existsSync(join(home.path, "nowhere"))).toBe(false);
    expect(await readFile(target, "utf8")).toBe("precious");
  });
});

describe("writing all of it", () => {
  /** A handle that takes as few bytes at a time as the disk may. */
  function shortHandle(take: () => number) {
    const held = new Uint8Array(4_000);
    const handle = {
      writev: async (chunks: Uint8Array[], positionBytes: number) => {
        const all = Buffer.concat(chunks);
        const bytesWritten = Math.min(take(), all.length);
        held.set(all.subarray(0, bytesWritten), positionBytes);
        return { bytesWritten, buffers: chunks };
      },
    };
    return { held, handle: handle as unknown as FileHandle };
  }

  test("takes as many writes as the disk wants", async () => {
    const random = prng(12);
    for (let round = 0; round < 50; round += 1) {
      const { held, handle } = shortHandle(() => random.integer(1, 90));
      const cuts = [0, random.integer(0, 700), 700, random.integer(700, 1_500), 1_500];
      const chunks = cuts.slice(1).map((end, index) => seeded(cuts[index]!, end));
      await writeFully(handle, 100, chunks);
      expect(held.subarray(100, 1_600), `seed ${random.seed}`).toEqual(seeded(0, 1_500));
      expect(held.subarray(1_600)).toEqual(new Uint8Array(2_400));
    }
  });

  test("ends with an error where the disk takes nothing more", async () => {
    let left = 3;
    const { handle } = shortHandle(() => ((left -= 1) >= 0 ? 10 : 0));
    const error = await writeFully(handle, 0, [seeded(0, 100)]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "EIO" });
  });
});

describe("text", () => {
  test("is replaced as a whole, and leaves nothing beside it", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.json");
    expect(await files.readText(path, { maxBytes: 10 })).toBeNull();
    await files.replaceText(path, "first");
    const before = await stat(path);
    await files.replaceText(path, "zweiter \u{1f600}");
    expect(await files.readText(path, { maxBytes: 100 })).toBe("zweiter \u{1f600}");
    // Another file took the name: whoever had the old one open still reads the old one.
    expect((await stat(path)).ino).not.toBe(before.ino);
    expect(await readdir(home.path)).toEqual(["x.json"]);
  });

  test("replaces a link, not what it points to", async () => {
    await using home = await tempHome();
    const target = join(home.path, "target");
    await writeFile(target, "precious");
    await symlink(target, join(home.path, "x.json"));
    await files.replaceText(join(home.path, "x.json"), "new");
    expect(await readFile(target, "utf8")).toBe("precious");
  });

  test("that cannot be replaced leaves the old one, and no temporary file", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x.json");
    await mkdir(join(path, "occupied"), { recursive: true });
    expect(await code(files.replaceText(path, "text"))).toBe("E_IO");
    expect(await readdir(home.path)).toEqual(["x.json"]);
    expect(await code(files.replaceText(join(home.path, "no/x.json"), "text"))).toBe("E_IO");
  });

  test("is read up to a limit", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x");
    await writeFile(path, "12345");
    expect(await files.readText(path, { maxBytes: 5 })).toBe("12345");
    const error = await files.readText(path, { maxBytes: 4 }).catch((thrown: unknown) => thrown as LuciError);
    expect(error).toMatchObject({ code: "E_IO" });
    expect((error as LuciError).message).toContain("5 bytes");
    expect(await code(files.readText(home.path, { maxBytes: 1e9 }))).toBe("E_IO");
  });
});

describe("facts", () => {
  test("tell kinds apart and follow no link", async () => {
    await using home = await tempHome();
    const at = (name: string) => join(home.path, name);
    await writeFile(at("file"), "12345");
    await symlink(at("file"), at("link"));
    expect(await files.facts(at("nothing"))).toBeNull();
    expect(await files.facts(at("file"))).toMatchObject({ kind: "file", sizeBytes: 5, links: 1 });
    expect(await files.facts(at("link"))).toMatchObject({ kind: "link" });
    expect(await files.facts(home.path)).toMatchObject({ kind: "folder" });
    expect(await files.facts("/dev/null")).toMatchObject({ kind: "other" });
    expect(await code(files.facts(at("file/below")))).toBe("E_IO");
  });

  test("are exact: nanoseconds, inode, links", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x");
    await writeFile(path, "x");
    await utimes(path, 1_700_000_000, 1_700_000_000.25);
    await link(path, join(home.path, "second"));
    const facts = await files.facts(path);
    expect(facts).toMatchObject({
      modifiedNs: "1700000000250000000",
      modifiedMs: 1_700_000_000_250,
      links: 2,
    });
    const file = await files.open(path, "read");
    expect(await file.facts()).toEqual(facts!);
    await file.close();
    // A rename is no touch: a partial that changes hands keeps its checkpoint.
    await files.rename(path, join(home.path, "third"));
    expect(await files.facts(join(home.path, "third"))).toEqual(facts);
  });
});

describe("names", () => {
  test("are listed in order; a missing folder is empty", async () => {
    await using home = await tempHome();
    for (const name of ["b", "a", "C", ".d"]) await writeFile(join(home.path, name), "");
    expect(await files.list(home.path)).toEqual([".d", "C", "a", "b"]);
    expect(await files.list(join(home.path, "nothing"))).toEqual([]);
    expect(await code(files.list(join(home.path, "a")))).toBe("E_IO");
  });

  test("move, replacing; nothing to move is no failure", async () => {
    await using home = await tempHome();
    const [from, to] = [join(home.path, "from"), join(home.path, "to")];
    expect(await files.rename(from, to)).toBe(false);
    await writeFile(from, "new");
    await writeFile(to, "old");
    expect(await files.rename(from, to)).toBe(true);
    expect(await readFile(to, "utf8")).toBe("new");
    expect(existsSync(from)).toBe(false);
  });

  test("move to a free name only, if so told", async () => {
    await using home = await tempHome();
    const [from, to] = [join(home.path, "from"), join(home.path, "to")];
    await writeFile(from, "new");
    for (const put of [() => writeFile(to, "old"), () => symlink("/nowhere", to), () => mkdir(to)]) {
      await put();
      expect(await files.renameToFree(from, to)).toBe(false);
      expect(await readFile(from, "utf8")).toBe("new");
      await files.removeTree(to);
    }
    expect(await files.renameToFree(from, to)).toBe(true);
    expect(await readFile(to, "utf8")).toBe("new");
    expect(existsSync(from)).toBe(false);
    expect((await stat(to)).nlink).toBe(1);
    expect(await code(files.renameToFree(from, join(home.path, "other")))).toBe("E_IO");
  });

  test("are removed; what is not there is no failure", async () => {
    await using home = await tempHome();
    const path = join(home.path, "x");
    await writeFile(path, "");
    expect(await files.remove(path)).toBe(true);
    expect(await files.remove(path)).toBe(false);
    // A link goes, what it points to stays.
    await writeFile(join(home.path, "target"), "");
    await symlink(join(home.path, "target"), path);
    expect(await files.remove(path)).toBe(true);
    expect(await files.list(home.path)).toEqual(["target"]);
    expect(await code(files.remove(home.path))).not.toBe("done");
  });
});

describe("folders", () => {
  test("are made with their parents, again if need be", async () => {
    await using home = await tempHome();
    const path = join(home.path, "a/b/c");
    await files.makeFolder(path);
    await files.makeFolder(path);
    expect((await stat(path)).isDirectory()).toBe(true);
    await files.syncFolder(path);
    await writeFile(join(path, "file"), "");
    expect(await code(files.makeFolder(join(path, "file")))).toBe("E_IO");
  });

  test("are removed when empty, and only then", async () => {
    await using home = await tempHome();
    await files.makeFolder(join(home.path, "a/b"));
    expect(await files.removeEmptyFolder(join(home.path, "a"))).toBe(false);
    expect(await files.removeEmptyFolder(join(home.path, "a/b"))).toBe(true);
    expect(await files.removeEmptyFolder(join(home.path, "a"))).toBe(true);
    expect(await files.removeEmptyFolder(join(home.path, "a"))).toBe(false);
  });
});

describe("the disk", () => {
  test("copies, and the copy is a file of its own", async () => {
    await using home = await tempHome();
    const [from, to] = [join(home.path, "from"), join(home.path, "to")];
    await writeFile(from, seeded(0, 5_000));
    await files.clone(from, to);
    const copy = await files.open(to, "update");
    await copy.write(0, [new Uint8Array(10)]);
    await copy.close();
    expect(Uint8Array.from(await readFile(from))).toEqual(seeded(0, 5_000));
    expect((await stat(to)).size).toBe(5_000);
    expect(await code(files.clone(from, to))).toBe("E_IO");
  });

  test("tells its free bytes for a folder that is yet to be made", async () => {
    await using home = await tempHome();
    const freeBytes = await files.freeBytes(join(home.path, "not/yet/there"));
    expect(freeBytes).toBeGreaterThan(0);
    expect(await files.diskBytes(join(home.path, "not/yet/there"))).toBeGreaterThan(freeBytes);
    expect(Math.abs(freeBytes - (await files.freeBytes(home.path)))).toBeLessThan(10e9);
  });
});
