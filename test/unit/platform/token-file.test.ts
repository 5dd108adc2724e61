import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmod, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readOrMakeToken } from "../../../src/platform/token-file.ts";
import { tempHome } from "../../support/temp-home.ts";

test("a token is made once, of 32 random bytes, for this user only", async () => {
  await using home = await tempHome();
  const path = join(home.path, "new", "token");
  const token = readOrMakeToken(path);
  expect(Buffer.from(token, "base64url")).toHaveLength(32);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(readOrMakeToken(path)).toBe(token);
  expect(readOrMakeToken(join(home.path, "other"))).not.toBe(token);
});

test.each([
  [0o640, "abcdefghijklmnop", "other users"],
  [0o602, "abcdefghijklmnop", "other users"],
  [0o600, "short", "no token"],
  [0o600, "two words that are long", "no token"],
])("a file of mode %o with %p is refused: %s", async (mode, text, reason) => {
  await using home = await tempHome();
  const path = join(home.path, "token");
  await writeFile(path, text);
  await chmod(path, mode);
  expect(() => readOrMakeToken(path)).toThrow(
    expect.objectContaining({ code: "E_CONFIG", message: expect.stringContaining(reason) }),
  );
});

test("an empty file, as a crash may leave it, gets a token", async () => {
  await using home = await tempHome();
  const path = join(home.path, "token");
  await writeFile(path, "", { mode: 0o600 });
  const token = readOrMakeToken(path);
  expect(Buffer.from(token, "base64url")).toHaveLength(32);
  expect(readOrMakeToken(path)).toBe(token);
  expect(await readdir(home.path)).toEqual(["token"]);
});

test.skipIf(process.platform === "win32")("a disk that takes no byte leaves no token behind", async () => {
  await using home = await tempHome();
  const path = join(home.path, "token");
  const module = join(import.meta.dir, "../../../src/platform/token-file.ts");
  const script = `(await import(${JSON.stringify(module)})).readOrMakeToken(${JSON.stringify(path)})`;
  const full = spawnSync("bash", ["-c", 'ulimit -f 0; exec "$0" -e "$1"', process.execPath, script]);
  expect([full.status, full.signal]).not.toEqual([0, null]);
  expect((await readdir(home.path)).includes("token")).toBe(false);
  expect(Buffer.from(readOrMakeToken(path), "base64url")).toHaveLength(32);
});

test("of two that make one at the same time, both have the first one's", async () => {
  await using home = await tempHome();
  const path = join(home.path, "token");
  const module = join(import.meta.dir, "../../../src/platform/token-file.ts");
  const script = `console.log((await import(${JSON.stringify(module)})).readOrMakeToken(${JSON.stringify(path)}))`;
  const runs = Array.from({ length: 6 }, () =>
    Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" }),
  );
  const tokens = await Promise.all(runs.map(({ stdout }) => new Response(stdout).text()));
  expect(new Set(tokens.map((text) => text.trim()))).toEqual(new Set([readOrMakeToken(path)]));
  expect(await readdir(home.path)).toEqual(["token"]);
});
