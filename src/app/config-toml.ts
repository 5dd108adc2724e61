// config.toml as text → its tables and keys. Knows no setting.

import { TomlError, parse as parseToml } from "smol-toml";
import { LuciError } from "../domain/errors.ts";
import { shorten } from "../domain/text.ts";

/** How the parser tells of a text that reaches the end of its line, or of the file. */
const UNENDED = /control characters are not allowed in strings|unfinished string/i;

/** The tables and keys of config.toml. @throws LuciError E_CONFIG naming the line */
export function parseConfig(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = (error.message.split("\n", 1)[0] ?? "").replace(/^Invalid TOML document: /, "");
    const isOpen = UNENDED.test(reason);
    const words = `${isOpen ? "a closing quote may be missing" : "this is not TOML"} (${shorten(reason)})`;
    throw new LuciError("E_CONFIG", `${path}, line ${error.line}: ${words}`, {
      hint: "config.toml is TOML: `jobs = 4`",
    });
  }
}
