// The voice for people: consola, given our own way of writing a line and of asking a question.
// It writes nothing itself: where a line goes, and what must be moved out of its way, is the caller's business.

import { type ConsolaInstance, type ConsolaOptions, createConsola, LogLevels } from "consola/core";
import type { Paint } from "./style.ts";

export interface MessageOptions {
  readonly say: (text: string) => void;
  readonly confirm: (question: string) => Promise<boolean>;
  readonly paint: Paint;
  /** Errors only. */
  readonly quiet: boolean;
}

/** Messages: `error` and `warn` name themselves in words, all others are said as they are. */
export function createMessages({ say, confirm, paint, quiet }: MessageOptions): ConsolaInstance {
  return createConsola({
    // Set here because consola would take them from NODE_ENV, CI and the process's own streams.
    level: quiet ? LogLevels.error : LogLevels.info,
    throttle: 0,
    reporters: [{ log: ({ type, args }) => say(prefixOf(type, paint) + args.join(" ")) }],
    prompt: confirm as NonNullable<ConsolaOptions["prompt"]>,
  });
}

function prefixOf(type: string, paint: Paint): string {
  if (type === "error") return `${paint.red("error:")} `;
  return type === "warn" ? `${paint.yellow("warning:")} ` : "";
}
