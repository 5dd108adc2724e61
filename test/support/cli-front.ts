// A front and typed words, for commands that are run without a process.

import { createContext } from "../../src/app/context.ts";
import { readInput } from "../../src/cli/command-line.ts";
import type { Command, Front, Outcome } from "../../src/cli/command.ts";
import { settingsOf } from "../../src/cli/settings.ts";

/** Runs a command of this home, and tells `emit` what it says. The caller has set LUCI_HOME. */
export async function runCommand(
  command: Command,
  argv: readonly string[],
  { emit = () => undefined }: { readonly emit?: Front["emit"] } = {},
): Promise<Outcome> {
  const { signal } = new AbortController();
  const input = readInput(argv, command);
  const front: Front = {
    version: "1",
    executable: ["/opt/luci"],
    emit,
    signal,
    interactive: false,
    context: async () => {
      const settings = await settingsOf(input, { emit, network: false });
      return createContext({ settings, emit, signal, version: "1" });
    },
    ask: async () => false,
  };
  return command.run(input, front);
}
