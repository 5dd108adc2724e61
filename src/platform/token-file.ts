// A secret of this machine's user in a file of their own: made once, read ever after.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { diskError } from "./disk-error.ts";

const SECRET_BYTES = 32;
const OWN_MODE = 0o600;
const OF_OTHERS = 0o077;
/** Fit for a header, an address and a WebSocket's subprotocol (RFC 9110, section 5.6.2). */
const TOKEN = /^[\w.~-]{16,512}$/;

/**
 * The token in a file; a new one where there is no file yet, or an empty one. Whenever this ends, however it does,
 * the file holds a whole token or is as it was.
 * @throws LuciError E_CONFIG for a file that others may read or that holds no token, E_IO, E_PERMISSION
 */
export function readOrMakeToken(path: string): string {
  const text = readOwn(path);
  if (text === null || text === "") makeToken(path, { replace: text === "" });
  return readToken(path);
}

/** Of two that make one at the same time the first wins. @throws LuciError of the disk's error */
function makeToken(path: string, { replace }: { replace: boolean }): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeToken(temporary);
    if (replace) renameSync(temporary, path);
    else publish(temporary, path);
  } catch (error) {
    throw diskError(error, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeToken(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, OWN_MODE);
  try {
    writeSync(fd, `${randomBytes(SECRET_BYTES).toString("base64url")}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Gives it its name, unless there is one by now. @throws the disk's error */
function publish(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    // Some disks know no second names.
    renameSync(temporary, path);
  }
}

function readToken(path: string): string {
  const text = readOwn(path)?.trim() ?? "";
  if (TOKEN.test(text)) return text;
  throw new LuciError("E_CONFIG", `${path} holds no token`, {
    hint: "Delete it and luci makes one, or put 16 or more letters and digits into it",
  });
}

/** The text of the user's own file; null where there is none. @throws LuciError */
function readOwn(path: string): string | null {
  try {
    const fd = openSync(path, constants.O_RDONLY);
    try {
      const { mode } = fstatSync(fd);
      if (process.platform !== "win32" && (mode & OF_OTHERS) !== 0)
        throw new LuciError("E_CONFIG", `${path} holds a secret that other users can read or change`, {
          hint: `\`chmod 600 ${path}\`; if others may have read it, delete it and luci makes a new one`,
        });
      return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error instanceof LuciError ? error : diskError(error, path);
  }
}
