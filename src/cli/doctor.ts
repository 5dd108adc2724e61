// `luci doctor`: does this machine give what luci needs? Changes nothing.

import type { Context } from "../app/context.ts";
import { ERROR_TABLE, type ErrorReport, LuciError } from "../domain/errors.ts";
import type { DoctorResult } from "../domain/doctor.ts";
import { type Command, type Front, type Input, NO_WORDS, type Outcome } from "./command.ts";
import { COMMON_FLAGS, FOLDER_FLAGS, NETWORK_FLAGS } from "./flags.ts";

export const doctorCommand: Command = {
  name: "doctor",
  summary: "Examine this machine, its disk and its network, and say what to do",
  args: {
    offline: { type: "boolean", description: "Do not ask the hub" },
    ...NETWORK_FLAGS,
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: NO_WORDS,
  examples: [
    ["luci doctor", "everything, in a second or two; leaves nothing behind"],
    ["luci doctor --dir /mnt/usb/models", "is that disk good for models?"],
    ["luci doctor --offline --json", "as data, without the hub"],
  ],
  // The token and the certificates are examined here, not refused before.
  network: false,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const [{ doctor }, { findToken }] = await Promise.all([
    import("../app/doctor.ts"),
    import("./settings.ts"),
  ]);
  const { context, refusal } = await openContext(front);
  const result = await doctor({
    context,
    refusal,
    environment: process.env,
    offline: input.on("offline"),
    signal: front.signal,
    findToken,
  });
  return { result, error: errorOf(result) };
}

/** Settings that cannot be read are what a doctor is called for. @throws LuciError E_USAGE */
async function openContext(front: Front): Promise<{ context: Context | null; refusal: LuciError | null }> {
  try {
    return { context: await front.context(), refusal: null };
  } catch (thrown) {
    if (!(thrown instanceof LuciError) || thrown.code === "E_USAGE") throw thrown;
    return { context: null, refusal: thrown };
  }
}

/** The first problem decides: the checks stand in the order of what rests on what. */
function errorOf({ checks }: DoctorResult): ErrorReport | null {
  const first = checks.find(({ state }) => state === "problem");
  if (!first?.code) return null;
  return {
    code: first.code,
    message: first.finding,
    hint: first.advice ?? "",
    exit: ERROR_TABLE[first.code].exit,
  };
}
