// `luci version`: what this is and what it runs on. Loads nothing: `luci --version` stays fast.

import type { VersionResult } from "../domain/results.ts";
import manifest from "../../package.json" with { type: "json" };
import { type Command, NO_WORDS, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";

/** The version of luci, as in package.json. */
export const VERSION: string = manifest.version;

/** Version, runtime and platform as data. */
export function versionFacts(): VersionResult {
  return {
    command: "version",
    version: VERSION,
    runtime: `bun ${process.versions["bun"]}`,
    platform: `${process.platform}-${process.arch}`,
  };
}

/** The same in one line. */
export function versionLine(): string {
  const { version, runtime, platform } = versionFacts();
  return `luci ${version} (${runtime}, ${platform})`;
}

export const versionCommand: Command = {
  name: "version",
  summary: "Show the version of luci and of its runtime",
  args: COMMON_FLAGS,
  words: NO_WORDS,
  examples: [
    ["luci version", "one line"],
    ["luci --version", "the same"],
    ["luci version --json", "as data"],
  ],
  network: false,
  run: async () => succeeded(versionFacts()),
};
