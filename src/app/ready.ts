// A model is ready: whoever wants to know is told, by a command and by a post. What comes of that changes nothing
// about the model, which is installed.

import { LuciError, toLuciError } from "../domain/errors.ts";
import type { HookOutcome } from "../domain/ready.ts";
import type { Receipt } from "../domain/results.ts";
import { formatDuration } from "../domain/size.ts";
import { postJson } from "../platform/http-post.ts";
import { runShell } from "../platform/shell.ts";
import type { Context } from "./context.ts";

/** Tells of a model, all at once, and answers how that went; a failure is said in a notice. Never rejects. */
export async function tellReady(context: Context, receipt: Receipt): Promise<HookOutcome[]> {
  const { command, webhook } = context.settings.hooks;
  const atMs = Date.now();
  return Promise.all([
    ...(command === null
      ? []
      : [
          attempt(context, {
            receipt,
            kind: "command",
            act: () => runCommand(context, { command, receipt }),
          }),
        ]),
    ...(webhook === null
      ? []
      : [
          attempt(context, {
            receipt,
            kind: "webhook",
            act: () => post(context, { webhook, receipt, atMs }),
          }),
        ]),
  ]);
}

interface Attempt {
  readonly receipt: Receipt;
  readonly kind: HookOutcome["kind"];
  act(): Promise<void>;
}

const NAMES = { command: "the command for ready models", webhook: "the webhook" } as const;

async function attempt(context: Context, { receipt, kind, act }: Attempt): Promise<HookOutcome> {
  try {
    await act();
    return { kind, ok: true, detail: "" };
  } catch (thrown) {
    if (context.signal.aborted) return { kind, ok: false, detail: "interrupted" };
    const detail = toLuciError(thrown).message;
    const message = `${NAMES[kind]} failed: ${detail}. The model is installed all the same`;
    context.emit({ type: "notice", level: "warn", model: receipt.model, message });
    return { kind, ok: false, detail };
  }
}

async function runCommand(
  { settings, signal, emit }: Context,
  { command, receipt }: { command: string; receipt: Receipt },
): Promise<void> {
  const { limitMs } = settings.hooks;
  const env = { LUCI_MODEL: receipt.model, LUCI_PATH: receipt.path, LUCI_REF: receipt.ref };
  emit({ type: "hook.started", model: receipt.model });
  const end = await runShell(command, { env, limitMs, signal }).finally(() =>
    emit({ type: "hook.ended", model: receipt.model }),
  );
  if (end.isTooLong) throw new LuciError("E_IO", `it was ended after ${formatDuration(limitMs)}`);
  if (end.exitCode !== 0)
    throw new LuciError("E_IO", end.signal === null ? `exit code ${end.exitCode}` : `ended by ${end.signal}`);
}

async function post(
  { settings, version, signal }: Context,
  { webhook, receipt, atMs }: { webhook: string; receipt: Receipt; atMs: number },
): Promise<void> {
  const { model, ref, path } = receipt;
  const { stallMs, retries, caFile } = settings;
  const body = { type: "model.ready", model, ref, path, atMs };
  await postJson(webhook, { body, userAgent: `luci/${version}`, stallMs, retries, caFile, signal });
}
