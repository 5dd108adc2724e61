// The words after Ctrl-C: what was kept, what was deleted, and how to go on.

import type { LuciEvent } from "../domain/events.ts";
import { formatBytes } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { plural } from "./rendered.ts";

type Interrupted = Extract<LuciEvent, { type: "interrupted" }>;

const REASONS: Readonly<Record<Interrupted["signal"], string>> = {
  SIGINT: "interrupted by user",
  SIGTERM: "interrupted: luci was told to stop (SIGTERM)",
  SIGHUP: "interrupted: the terminal was closed (SIGHUP)",
  SIGPIPE: "interrupted: nobody reads its output any more",
};

/** The lines that tell of an interrupt. */
export function renderInterrupted(event: Interrupted): string[] {
  // Who has read enough of a `luci verify | head` needs no words about it.
  if (event.during === "audit" && event.signal === "SIGPIPE") return [];
  const reason = REASONS[event.signal];
  if (event.during === "audit")
    return [`Verification ${reason}`, "   Nothing was changed: run it again to see the rest"];
  if (event.during === "question") return [`${sentence(reason)}: nothing was begun`];
  const outcome = event.policy === "delete" ? deletedLines(event) : [keptLine(event.keptBytes)];
  return [`Download ${reason}`, ...outcome, ...modelLine(event), `   ${adviceOf(event)}`];
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function deletedLines({ deleted, undeleted }: Interrupted): string[] {
  return [
    ...deleted.map((name) => `Deleted partial download: ${escapeText(name)}`),
    ...undeleted.map(
      ({ path, reason }) => `Could not delete partial download: ${escapeText(path)} (${escapeText(reason)})`,
    ),
  ];
}

function keptLine(keptBytes: number): string {
  return keptBytes > 0 ? `Kept ${formatBytes(keptBytes)} of unfinished downloads` : "Nothing had arrived yet";
}

function modelLine({ doneModels, totalModels, policy }: Interrupted): string[] {
  if (totalModels < 2) return [];
  const done = `${doneModels} of ${plural(totalModels, "model")} done`;
  return [policy === "delete" && doneModels > 0 ? `${done}, installed models stay` : done];
}

function adviceOf({ policy, undeleted }: Interrupted): string {
  if (policy === "resume") return "Run the same command again to continue";
  if (undeleted.length > 0) return "Delete it by hand, or run `luci cleanup`";
  return "Run the install command again to restart";
}
