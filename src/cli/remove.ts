// `luci remove`: deletes installed models by name, never a file another model uses.

import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";

export const removeCommand: Command = {
  name: "remove",
  summary: "Delete installed models",
  args: {
    name: { type: "positional", required: false, description: "installed models, as `luci list` shows them" },
    "dry-run": { type: "boolean", description: "Show what would be deleted, delete nothing" },
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: { min: 1, max: Number.POSITIVE_INFINITY, missing: "`luci list` shows the installed models" },
  examples: [
    ["luci remove tinyllama", "its files and its record"],
    ["luci remove tinyllama --dry-run", "only show"],
  ],
  network: false,
  run: async (input, front) => {
    const [{ remove }, context] = await Promise.all([import("../app/remove.ts"), front.context()]);
    return succeeded(await remove(context, { names: [...input.words], dryRun: input.on("dry-run") }));
  },
};
