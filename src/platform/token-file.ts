// A secret of this machine's user in a file of their own: made once, read ever after.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
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
 * The token in a file; a new one where there is no file yet.
 * @throws LuciError E_CONFIG for a file that others may read or that holds no token, E_IO, E_PERMISSION
 */
export function readOrMakeToken(path: string): string {
  try {
    return makeToken(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw diskError(error, path);
  }
  return readToken(path);
}

/** @throws the disk's error, EEXIST where there is a file */
function makeToken(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, OWN_MODE);
  try {
    const token = randomBytes(SECRET_BYTES).toString("base64url");
    writeSync(fd, `${token}\n`);
    fsyncSync(fd);
    return token;
  } finally {
    closeSync(fd);
  }
}

function readToken(path: string): string {
  const text = readOwn(path).trim();
  if (TOKEN.test(text)) return text;
  throw new LuciError("E_CONFIG", `${path} holds no token`, {
    hint: "Delete it and luci makes one, or put 16 or more letters and digits into it",
  });
}

function readOwn(path: string): string {
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
    throw error instanceof LuciError ? error : diskError(error, path);
  }
}
