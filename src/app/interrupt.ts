// Telling of an interrupt: what is kept or deleted, how far the batch had come, and that the disk is not done yet.

import { toLuciError } from "../domain/errors.ts";
import { every } from "../platform/clock.ts";
import type { Kept } from "./carry-run.ts";
import type { Context } from "./context.ts";

const SIGNAL_OF_EXIT: Readonly<Record<number, "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGPIPE">> = {
  129: "SIGHUP",
  130: "SIGINT",
  141: "SIGPIPE",
  143: "SIGTERM",
};

const LOOK_MS = 20;
/** Ending sooner would lose what arrived, and end no sooner: the system waits for its disk before it lets a process go. */
const SLOW_DISK_MS = 10_000;

/**
 * Waits while unfinished files are still being put at rest, which it says, for ten seconds at most. Answers whether
 * there was anything to wait for.
 */
export async function awaitRest({ store, emit }: Context): Promise<boolean> {
  if (store.claimed.size === 0) return false;
  const message = "The disk is still writing what arrived (Ctrl-C again ends at once)";
  emit({ type: "notice", level: "info", message });
  const { promise, resolve } = Promise.withResolvers<void>();
  const endMs = performance.now() + SLOW_DISK_MS;
  const stop = every(LOOK_MS, () => {
    if (store.claimed.size === 0 || performance.now() > endMs) resolve();
  });
  await promise;
  stop();
  return true;
}

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
