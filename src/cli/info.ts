// `luci info`: all that is known of one model.

import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";

export const infoCommand: Command = {
  name: "info",
  summary: "Show all that is known of one model",
  args: {
    name: { type: "positional", required: false, description: "a name from the catalog or from `luci list`" },
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: { min: 1, max: 1, missing: "`luci list --available` shows the names" },
  examples: [["luci info llama3.2", "licence, size, source, files, where it is"]],
  network: false,
  run: async (input, front) => {
    const [{ info }, context] = await Promise.all([import("../app/list.ts"), front.context()]);
    return succeeded(await info(context, { name: input.words[0] ?? "" }));
  },
};
