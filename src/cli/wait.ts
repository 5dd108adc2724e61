// `luci wait`: ends when models are ready, whoever installs them. For scripts and programs that need one.

import { parseDuration } from "../domain/size.ts";
import { type Command, type Front, type Input, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS } from "./flags.ts";

export const waitCommand: Command = {
  name: "wait",
  summary: "Wait until models are ready, and print where they are",
  args: {
    name: {
      type: "positional",
      required: false,
      description: "what `luci install` takes, or an installed name",
    },
    timeout: {
      type: "string",
      valueHint: "10m",
      description: "Give up after this time (default: never)",
    },
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: { min: 1, max: Number.POSITIVE_INFINITY, missing: "Name the model: `luci wait llama3.2`" },
  examples: [
    ["luci wait llama3.2 && start-my-server", "as soon as it is installed and verified"],
    ["luci wait mistral --timeout 10m", "exit code 5 if it is not ready by then"],
    ['my-server --model "$(luci wait mistral)"', "wait, then use it"],
  ],
  network: false,
  interruptHint: "Whoever installs it goes on: `luci ps` shows how far it is",
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const timeout = input.text("timeout");
  const timeoutMs = timeout === null ? null : parseDuration(timeout);
  const [{ waitReady }, context] = await Promise.all([import("../control/wait.ts"), front.context()]);
  return succeeded(await waitReady(context, { words: input.words, timeoutMs }));
}
