// `luci demo`: the main job on an embedded hub, in a temporary home, through this very program.

import { LuciError, reportError } from "../domain/errors.ts";
import { type Command, NO_WORDS } from "./command.ts";
import { COMMON_FLAGS } from "./flags.ts";

export const demoCommand: Command = {
  name: "demo",
  summary: "Show the main job on a hub of its own, without any network",
  args: COMMON_FLAGS,
  words: NO_WORDS,
  examples: [
    ["luci demo", "install, interrupt, resume, damage, repair, clean up; under 20 s, leaves nothing behind"],
  ],
  network: false,
  interruptHint: "Nothing of it was left behind: `luci demo` begins anew",
  run: async (_input, front) => {
    const { runDemo } = await import("../demo/demo.ts");
    const { executable, signal, emit } = front;
    emit({ type: "notice", level: "info", message: "Playing on a hub of its own: this takes a few seconds" });
    const result = await runDemo({ executable, signal, say: () => undefined });
    const failed = result.steps.find(({ ok }) => !ok);
    const error = failed
      ? reportError(new LuciError("E_INTERNAL", `The demo failed at: ${failed.title}`))
      : null;
    return { result, error };
  },
};
