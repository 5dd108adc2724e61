import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import { diskError, errnoOf } from "../../../src/platform/disk-error.ts";

const errno = (code: unknown) => Object.assign(new Error("raw words of the system"), { code });

describe("what the disk said, in words", () => {
  test.each([
    ["ENOSPC", "E_NO_SPACE", "full"],
    ["EDQUOT", "E_NO_SPACE", "quota"],
    ["EFBIG", "E_IO", "4 GiB"],
    ["EACCES", "E_PERMISSION", "permission"],
    ["EPERM", "E_PERMISSION", "permit"],
    ["EROFS", "E_PERMISSION", "read-only"],
    ["EIO", "E_IO", "input/output"],
    ["ENOTDIR", "E_IO", "not a folder"],
    ["EISDIR", "E_IO", "folder"],
    ["ENAMETOOLONG", "E_IO", "too long"],
    ["ELOOP", "E_UNSAFE_PATH", "symbolic link"],
    ["EMFILE", "E_IO", "ulimit"],
    ["EEXIST", "E_IO", "there already"],
    ["EXDEV", "E_IO", "another file system"],
    ["EWHATEVER", "E_IO", "EWHATEVER"],
  ])("%s is %s", (code, luciCode, word) => {
    const cause = errno(code);
    const error = diskError(cause, "/models/x");
    expect(error).toMatchObject({ code: luciCode, cause });
    const { message } = error as LuciError;
    expect(message).toStartWith("/models/x: ");
    expect(message).toContain(word);
    expect(message).not.toContain("raw words");
  });

  test("a link comes with advice of its own", () => {
    expect((diskError(errno("ELOOP"), "x") as LuciError).hint).toContain("link");
  });
});

test("what is no system error passes unchanged", () => {
  for (const thrown of [new TypeError("a bug"), new LuciError("E_DIGEST", "x"), "text", null, errno(5)])
    expect(diskError(thrown, "x")).toBe(thrown);
});

test("the name of a system error", () => {
  expect(errnoOf(errno("EIO"))).toBe("EIO");
  for (const thrown of [errno(undefined), errno(5), new Error("x"), "EIO", { code: "EIO" }, null])
    expect(errnoOf(thrown)).toBeNull();
});
