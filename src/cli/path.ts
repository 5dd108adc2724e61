// `luci path`: where an installed model is.

import { type Command, succeeded } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";

export const pathCommand: Command = {
  name: "path",
  summary: "Print where an installed model is, for use in scripts",
  args: {
    name: { type: "positional", required: false, description: "an installed model, as `luci list` shows it" },
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: { min: 1, max: 1, missing: "`luci list` shows the installed models" },
  examples: [['llama-cli -m "$(luci path llama3.2)"', "hand it to an inference engine"]],
  network: false,
  run: async (input, front) => {
    const [{ path }, context] = await Promise.all([import("../app/list.ts"), front.context()]);
    return succeeded(await path(context, { name: input.words[0] ?? "" }));
  },
};
