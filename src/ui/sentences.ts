// What is said of one file in plain words, in bars and in lines alike.

import { basename } from "node:path/posix";
import type { FileEvent, FileProgress } from "../domain/file-progress.ts";
import type { ProgressState } from "../domain/progress.ts";
import { formatBytes, formatDuration, formatRate, formatRemaining } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";

/** Said of every file that no published digest could be held against. */
export const UNVERIFIED = "unverified (no digest published)";

/** Speeds over less than this say nothing. */
const SHORT_MS = 1_000;

/** How a file is called on screen: its own name, with its model's before it where the model has several. */
export function labelOf(of: { readonly model: string; readonly file: string }, state: ProgressState): string {
  const single = (state.models.get(of.model)?.files ?? 1) === 1;
  return escapeText(single ? basename(of.file) : `${of.model}/${of.file}`);
}

interface Scene {
  readonly file: FileProgress;
  readonly state: ProgressState;
}

/** What an event says of a file, without its name; null where it is no news to a person. */
export function sentenceOf(event: FileEvent, { file, state }: Scene): string | null {
  switch (event.type) {
    case "file.started":
      return event.resumedBytes > 0
        ? `resumed at ${extent(event.resumedBytes, event.sizeBytes)}`
        : `started${sized(event.sizeBytes)}`;
    case "file.retrying": {
      const wait = event.waitMs < SHORT_MS ? "now" : `in ${formatRemaining(event.waitMs)}`;
      return `retry ${event.attempt} ${wait}: ${escapeText(event.message)} (${escapeText(event.code)})`;
    }
    case "file.restarted":
      return `starting again from 0: ${escapeText(event.reason)}`;
    case "file.verifying":
      return "verifying";
    case "file.done":
      return doneSentence(event, file);
    case "file.failed": {
      const reached = file.doneBytes > 0 ? `failed at ${extent(file.doneBytes, file.sizeBytes)}` : "failed";
      // A single model's error follows at once; in a batch the end may be hours away.
      return state.models.size > 1 ? `${reached}: ${escapeText(event.error.message)}` : reached;
    }
    case "file.cancelled":
      return event.keptBytes > 0 ? `cancelled, ${extent(event.keptBytes, file.sizeBytes)} kept` : "cancelled";
    case "file.progress":
      return null;
  }
}

/** How far a file is, for a plain line. */
export function progressSentence(file: FileProgress): string {
  const reachedBytes = file.state === "verifying" ? file.hashedBytes : file.doneBytes;
  const parts = [
    file.state === "verifying" ? "verifying" : "",
    file.sizeBytes === null ? formatBytes(reachedBytes) : percentOf(reachedBytes, file.sizeBytes),
    file.bytesPerSec > 0 ? formatRate(file.bytesPerSec) : "",
    file.etaMs === null ? "" : `${formatRemaining(file.etaMs)} left`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

/** Whole per cent, 100% only when nothing is left. */
export function percentOf(partBytes: number, wholeBytes: number): string {
  return `${wholeBytes <= 0 ? 100 : Math.min(100, Math.floor((partBytes * 100) / wholeBytes))}%`;
}

/** `2.02 GB in 42s, 48.1 MB/s`, as far as there is something to say. */
export function throughput(bytes: number, elapsedMs: number): string {
  const speed = elapsedMs >= SHORT_MS && bytes > 0 ? `, ${formatRate((bytes * 1000) / elapsedMs)}` : "";
  return `in ${formatDuration(elapsedMs)}${speed}`;
}

function doneSentence(event: Extract<FileEvent, { type: "file.done" }>, file: FileProgress): string {
  const verdict = event.authority === "none" ? `, ${UNVERIFIED}` : "";
  const size = formatBytes(event.sizeBytes);
  if (event.how === "reused") return `already here, ${size}${verdict}`;
  if (event.how === "linked") return `taken from another tool's folder, ${size}${verdict}`;
  const speed = throughput(event.sizeBytes - file.resumedBytes, event.atMs - file.startedAtMs);
  return `${event.how === "repaired" ? "repaired" : "done"}, ${size} ${speed}${verdict}`;
}

function extent(bytes: number, sizeBytes: number | null): string {
  return sizeBytes === null ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(sizeBytes)}`;
}

function sized(sizeBytes: number | null): string {
  return sizeBytes === null ? ", size unknown" : `, ${formatBytes(sizeBytes)}`;
}
