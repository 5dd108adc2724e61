// `luci list`: what is installed, and what the catalog offers.

import { type Command, NO_WORDS, succeeded } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";

export const listCommand: Command = {
  name: "list",
  summary: "List installed models, or those of the catalog",
  args: {
    available: { type: "boolean", description: "The catalog's models as well" },
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: NO_WORDS,
  examples: [
    ["luci list", "what is installed"],
    ["luci list --available", "what the catalog offers"],
  ],
  network: false,
  run: async (input, front) => {
    const [{ list }, context] = await Promise.all([import("../app/list.ts"), front.context()]);
    return succeeded(await list(context, { available: input.on("available") }));
  },
};
