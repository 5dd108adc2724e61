// `luci usage`: what takes how much room.

import { type Command, NO_WORDS, succeeded } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";

const HISTORY_DAYS = 30;

export const usageCommand: Command = {
  name: "usage",
  summary: "Show what takes how much room, the biggest first",
  args: {
    history: { type: "boolean", description: "What was downloaded, day by day and source by source" },
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: NO_WORDS,
  examples: [
    ["luci usage", "models, unfinished downloads, other files, free space"],
    ["luci usage --history", "the downloads of the last 30 days"],
    ["luci usage --json", "as data"],
  ],
  network: false,
  run: async (input, front) => {
    if (input.on("history")) {
      const [{ usageHistory }, context] = await Promise.all([import("../app/history.ts"), front.context()]);
      return succeeded(await usageHistory(context, { days: HISTORY_DAYS, now: new Date() }));
    }
    const [{ usage }, context] = await Promise.all([import("../app/usage.ts"), front.context()]);
    return succeeded(await usage(context));
  },
};
