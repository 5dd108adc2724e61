// `luci cleanup`: shows its plan, asks, then deletes exactly that. Without an answer nothing is deleted.

import { LuciError, reportError } from "../domain/errors.ts";
import { openModels } from "../domain/job.ts";
import type { CleanupItem } from "../domain/results.ts";
import { formatBytes, parseDuration } from "../domain/size.ts";
import { type Command, type Front, type Input, NO_WORDS, type Outcome } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";
import { runningPeers } from "./job-words.ts";

export const cleanupCommand: Command = {
  name: "cleanup",
  summary: "Show and delete what unfinished and crashed runs left behind",
  args: {
    "dry-run": { type: "boolean", description: "Show the plan, delete nothing" },
    yes: { type: "boolean", alias: "y", description: "Delete without a question" },
    "older-than": {
      type: "string",
      valueHint: "7d",
      description: "Leave alone what is younger (12h, 7d, 2w)",
    },
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: NO_WORDS,
  examples: [
    ["luci cleanup", "show, ask, delete"],
    ["luci cleanup --dry-run", "only show"],
    ["luci cleanup --yes --older-than 7d", "for scripts"],
  ],
  network: false,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const olderThan = input.text("older-than");
  const olderThanMs = olderThan === null ? null : parseDuration(olderThan);
  const [{ cleanup }, context] = await Promise.all([import("../app/cleanup.ts"), front.context()]);
  const result = await cleanup(context, {
    dryRun: input.on("dry-run"),
    olderThanMs,
    awaited: async () => (await runningPeers(context)).peers.flatMap((peer) => openModels(peer.jobs)),
    confirm: async (items) => input.on("yes") || (front.interactive && front.ask(question(items), { items })),
  });
  if (result.failed.length === 0) return { result, error: null };
  const hint = "Check who owns the folders named above, then run `luci cleanup` again";
  const message = `${result.failed.length} of ${result.items.length} could not be deleted`;
  return { result, error: reportError(new LuciError("E_PERMISSION", message, { hint })) };
}

function question(items: readonly CleanupItem[]): string {
  const totalBytes = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return `Delete ${items.length === 1 ? "this" : `these ${items.length}`} (${formatBytes(totalBytes)})?`;
}
