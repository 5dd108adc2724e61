// Telling of an interrupt: what is kept or deleted, and how far the batch had come.

import { toLuciError } from "../domain/errors.ts";
import type { Kept } from "./carry-run.ts";
import type { Context } from "./context.ts";

const SIGNAL_OF_EXIT: Readonly<Record<number, "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGPIPE">> = {
  129: "SIGHUP",
  130: "SIGINT",
  141: "SIGPIPE",
  143: "SIGTERM",
};

/** Says how an interrupt left things: once per run. */
export function emitInterrupted(
  context: Context,
  end: {
    during: "question" | "download" | "audit";
    totalModels: number;
    doneModels: number;
    kept: readonly Kept[];
  },
): void {
  context.emit({
    type: "interrupted",
    during: end.during,
    signal: SIGNAL_OF_EXIT[toLuciError(context.signal.reason).exit] ?? "SIGINT",
    policy: context.settings.partials,
    keptBytes: end.kept.reduce((sum, { keptBytes }) => sum + keptBytes, 0),
    doneModels: end.doneModels,
    totalModels: end.totalModels,
    deleted: [...new Set(end.kept.flatMap(({ deleted }) => deleted ?? []))],
    undeleted: end.kept.flatMap(({ undeleted }) => undeleted ?? []),
  });
}
