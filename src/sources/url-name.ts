// Which name a downloaded file gets. Names come from the network: checked, never repaired.

import { LuciError } from "../domain/errors.ts";
import { checkRemotePath } from "../domain/safe-path.ts";
import { redactUrl } from "../domain/safe-url.ts";

/**
 * The last part of the address when it looks like a file name, else what Content-Disposition says,
 * else the last part as it is.
 * @throws LuciError E_UNSAFE_PATH, E_MALFORMED when there is no name at all
 */
export function nameOfAnswer(url: string, headers: Headers): string {
  const last = lastSegment(url);
  const announced = parseDisposition(headers.get("content-disposition"));
  const name = /\.[a-z]\w{0,15}$/i.test(last) ? last : (announced ?? last);
  if (name === "") {
    throw new LuciError("E_MALFORMED", `${redactUrl(url)} does not tell the name of a file`, {
      hint: "Use an address that ends in the file's name",
    });
  }
  if (name.includes("/"))
    throw new LuciError(
      "E_UNSAFE_PATH",
      `Unsafe file name ${JSON.stringify(name.slice(0, 120))}: it names a folder`,
    );
  return checkRemotePath(name);
}

function lastSegment(url: string): string {
  return decode(new URL(url).pathname.split("/").at(-1) ?? "");
}

/** The file name of a Content-Disposition (RFC 6266): the extended form before the plain one. */
export function parseDisposition(header: string | null): string | null {
  if (header === null) return null;
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(header)?.[1];
  if (extended !== undefined) return decode(extended);
  const [, quoted, plain] = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))/i.exec(header) ?? [];
  return quoted?.replace(/\\(.)/g, "$1") ?? plain ?? null;
}

/** Text that is not properly encoded stays as it is: its `%` is a legal character. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
