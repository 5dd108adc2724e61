// `luci history`: what was downloaded on this machine. `--clear` asks before it forgets.

import { LuciError } from "../domain/errors.ts";
import { type Command, type Front, type Input, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";

const DEFAULT_LIMIT = 20;
const MOST = 10_000;

export const historyCommand: Command = {
  name: "history",
  summary: "Show what was installed when, from where and how fast",
  args: {
    name: { type: "positional", required: false, description: "one model, with each of its files" },
    limit: { type: "string", valueHint: "20", description: `The latest so many (default: ${DEFAULT_LIMIT})` },
    clear: { type: "boolean", description: "Forget everything" },
    yes: { type: "boolean", alias: "y", description: "Forget without a question" },
    ...COMMON_FLAGS,
  },
  words: { min: 0, max: 1, missing: "" },
  examples: [
    ["luci history", "the latest installs"],
    ["luci history mistral --limit 3", "one model, file by file"],
    ["luci history --clear", "ask, then forget; `history = false` in config.toml keeps none"],
  ],
  network: false,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const limit = readLimit(input.text("limit"));
  const [{ clearHistory, readHistory }, context] = await Promise.all([
    import("../app/history.ts"),
    front.context(),
  ]);
  const [name = null] = input.words;
  if (!input.on("clear"))
    return succeeded(await readHistory(context, { name, limit, withTransfers: name !== null }));
  if (name !== null)
    throw new LuciError("E_USAGE", "`--clear` forgets everything, not one model", {
      hint: "Leave the name out",
    });
  if (!input.on("yes") && !front.interactive)
    throw new LuciError("E_USAGE", "Nobody is here to be asked whether to forget the history", {
      hint: "Add --yes to forget it without a question",
    });
  const confirm = async (installs: number): Promise<boolean> =>
    input.on("yes") ||
    front.ask(`Forget the history of ${installs} ${installs === 1 ? "install" : "installs"}?`);
  return succeeded(await clearHistory(context, { confirm }));
}

function readLimit(text: string | null): number {
  if (text === null) return DEFAULT_LIMIT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MOST) return limit;
  throw new LuciError("E_USAGE", `\`--limit\` is a number from 1 to ${MOST}`);
}
