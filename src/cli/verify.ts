// `luci verify`: an audit; only `--repair` changes anything.

import { type ErrorReport, LuciError, reportError } from "../domain/errors.ts";
import { isDamage } from "../domain/finding.ts";
import type { VerifyResult } from "../domain/results.ts";
import type { Command, Front, Input, Outcome } from "./command.ts";
import { COMMON_FLAGS, DISK_FLAGS, FOLDER_FLAGS, HASHER_FLAGS, NETWORK_FLAGS } from "./flags.ts";

export const verifyCommand: Command = {
  name: "verify",
  summary: "Check installed files byte by byte; with --repair mend them",
  args: {
    name: {
      type: "positional",
      required: false,
      description: "installed models, as `luci list` shows them (default: all)",
    },
    repair: { type: "boolean", description: "Fetch what is damaged or missing, piece by piece" },
    quick: { type: "boolean", description: "Look at sizes and times only, read nothing" },
    ...DISK_FLAGS,
    ...NETWORK_FLAGS,
    ...HASHER_FLAGS,
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: { min: 0, max: Number.POSITIVE_INFINITY, missing: "" },
  examples: [
    ["luci verify", "read and check everything, change nothing"],
    ["luci verify llama3.2", "one model"],
    ["luci verify --repair", "and fetch the damaged pieces again"],
  ],
  network: true,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const [{ verify }, context] = await Promise.all([import("../app/verify.ts"), front.context()]);
  const result = await verify(context, {
    names: [...input.words],
    quick: input.on("quick"),
    repair: input.on("repair"),
  });
  return { result, error: errorOf(result) };
}

/** Damage that is still there decides; a repair that failed for one model tells its own reason. */
function errorOf({ findings, repaired, failed }: VerifyResult): ErrorReport | null {
  const [first] = failed;
  if (first !== undefined && failed.length === 1 && repaired.length === 0) return first.error;
  if (first !== undefined) {
    const total = failed.length + repaired.length;
    return reportError(
      new LuciError("E_SOME_FAILED", `${failed.length} of ${total} models could not be repaired`),
    );
  }
  const mended = new Set(repaired.map(({ model }) => model));
  const damaged = findings.filter((finding) => isDamage(finding) && !mended.has(finding.model ?? ""));
  if (damaged.length === 0) return null;
  const count = damaged.length === 1 ? "1 file is" : `${damaged.length} files are`;
  const message = `${count} damaged, missing or unreadable`;
  // Records only: no model is known to be repaired.
  const isUnknown = damaged.every(({ model }) => model === null);
  const hint = "Move that file away and install its model again, which costs no download";
  return reportError(new LuciError("E_DAMAGED", message, isUnknown ? { hint } : {}));
}
