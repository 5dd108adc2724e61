// `luci usage`: what takes how much room.

import { type Command, NO_WORDS, succeeded } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";

export const usageCommand: Command = {
  name: "usage",
  summary: "Show what takes how much room, the biggest first",
  args: { ...FOLDER_FLAGS, ...COMMON_FLAGS },
  words: NO_WORDS,
  examples: [
    ["luci usage", "models, unfinished downloads, other files, free space"],
    ["luci usage --json", "as data"],
  ],
  network: false,
  run: async (_input, front) => {
    const [{ usage }, context] = await Promise.all([import("../app/usage.ts"), front.context()]);
    return succeeded(await usage(context));
  },
};
