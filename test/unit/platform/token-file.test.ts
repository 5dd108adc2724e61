import { expect, test } from "bun:test";
import { chmod, stat, writeFile } from "node:fs/promises";
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
