// How far one file is: the per-file half of the progress reducer. Pure, without a clock.

import type { LuciEvent } from "./events.ts";
import { observe, type SpeedWindow, speedAt } from "./speed.ts";

export type FileState =
  | "waiting"
  | "downloading"
  | "retrying"
  | "verifying"
  | "done"
  | "failed"
  | "cancelled";

/** One file of one model. */
export interface FileProgress {
  readonly model: string;
  readonly file: string;
  readonly state: FileState;
  /** Null until somebody knows. */
  readonly sizeBytes: number | null;
  readonly doneBytes: number;
  readonly hashedBytes: number;
  /** Bytes an earlier run had brought: done, but no part of the speed. */
  readonly resumedBytes: number;
  readonly connections: number;
  readonly startedAtMs: number;
  /** Of the bytes that move: downloaded ones, or hashed ones while verifying. */
  readonly bytesPerSec: number;
  readonly etaMs: number | null;
  /** While retrying: which attempt comes next, and when. */
  readonly retry: { readonly attempt: number; readonly untilMs: number } | null;
  /** Its bytes are brought here by this run; false for a file that is only read or was here before. */
  readonly carried: boolean;
  readonly window: SpeedWindow;
}

export type FileEvent = Extract<LuciEvent, { readonly file: string }>;
type EventOf<Type extends FileEvent["type"]> = Extract<FileEvent, { readonly type: Type }>;

/** Whether nothing more will happen to a file. */
export function isSettled(file: FileProgress): boolean {
  return file.state === "done" || file.state === "failed" || file.state === "cancelled";
}

/** A file after one more event about it. Counters rise; only `file.restarted` takes them back. */
export function reduceFile(before: FileProgress | undefined, event: FileEvent, atMs: number): FileProgress {
  const file = before ?? newFile(event, atMs);
  switch (event.type) {
    case "file.started":
      return started(file, event, atMs);
    case "file.progress":
      return progressed(file, event, atMs);
    case "file.retrying":
      return retrying(file, event, atMs);
    case "file.restarted":
      return restarted(file, atMs);
    case "file.verifying":
      return verifying(file, event, atMs);
    case "file.done":
      return done(file, event);
    case "file.failed":
      return settle(file, "failed");
    case "file.cancelled":
      return settle(file, "cancelled");
  }
}

/** The same file seen at a later moment: its speed sinks and its ETA grows while no event comes. */
export function ageFile(file: FileProgress, atMs: number): FileProgress {
  if (isSettled(file)) return file;
  const bytesPerSec = speedAt(file.window, atMs);
  const reachedBytes = file.state === "verifying" ? file.hashedBytes : file.doneBytes;
  const moving = file.state === "downloading" || file.state === "verifying";
  const leftBytes = moving && file.sizeBytes !== null ? file.sizeBytes - reachedBytes : null;
  return { ...file, bytesPerSec, etaMs: etaOf(leftBytes, bytesPerSec) };
}

/** Milliseconds until that much has moved at that speed; null where nobody can tell. */
export function etaOf(leftBytes: number | null, bytesPerSec: number): number | null {
  if (leftBytes === null || bytesPerSec <= 0) return null;
  return Math.max(0, Math.round((leftBytes * 1000) / bytesPerSec));
}

function newFile(event: FileEvent, atMs: number): FileProgress {
  return {
    model: event.model,
    file: event.file,
    state: "waiting",
    sizeBytes: null,
    doneBytes: 0,
    hashedBytes: 0,
    resumedBytes: 0,
    connections: 0,
    startedAtMs: atMs,
    bytesPerSec: 0,
    etaMs: null,
    retry: null,
    carried: false,
    window: [{ atMs, bytes: 0 }],
  };
}

function started(file: FileProgress, event: EventOf<"file.started">, atMs: number): FileProgress {
  const { sizeBytes, resumedBytes } = event;
  const doneBytes = Math.max(file.doneBytes, resumedBytes);
  const window = [{ atMs, bytes: doneBytes }];
  return {
    ...file,
    state: "waiting",
    sizeBytes,
    doneBytes,
    resumedBytes,
    retry: null,
    carried: true,
    window,
  };
}

function progressed(file: FileProgress, event: EventOf<"file.progress">, atMs: number): FileProgress {
  if (isSettled(file)) return file;
  const doneBytes = Math.max(file.doneBytes, event.doneBytes);
  const hashedBytes = Math.max(file.hashedBytes, event.hashedBytes);
  const arrived = file.carried && doneBytes > file.doneBytes;
  const reading = file.state === "verifying" && !arrived;
  const window = observe(file.window, { atMs, bytes: reading ? hashedBytes : doneBytes });
  const counted = { ...file, doneBytes, hashedBytes, connections: event.connections, window };
  const waits = !arrived && event.connections === 0;
  return reading || waits ? counted : { ...counted, state: "downloading", retry: null };
}

function retrying(file: FileProgress, event: EventOf<"file.retrying">, atMs: number): FileProgress {
  const retry = { attempt: event.attempt, untilMs: atMs + event.waitMs };
  return { ...file, state: "retrying", connections: 0, retry };
}

function restarted(file: FileProgress, atMs: number): FileProgress {
  const window = [{ atMs, bytes: 0 }];
  return { ...file, state: "waiting", doneBytes: 0, hashedBytes: 0, resumedBytes: 0, retry: null, window };
}

function verifying(file: FileProgress, event: EventOf<"file.verifying">, atMs: number): FileProgress {
  const { sizeBytes } = event;
  const doneBytes = file.carried ? sizeBytes : file.doneBytes;
  const window = [{ atMs, bytes: file.hashedBytes }];
  return { ...file, state: "verifying", sizeBytes, doneBytes, connections: 0, retry: null, window };
}

function done(file: FileProgress, event: EventOf<"file.done">): FileProgress {
  const { sizeBytes } = event;
  const carried = file.carried || event.how !== "reused";
  return { ...settle(file, "done"), sizeBytes, doneBytes: sizeBytes, hashedBytes: sizeBytes, carried };
}

/** The file with nothing more to come. */
export function settle(file: FileProgress, state: "done" | "failed" | "cancelled"): FileProgress {
  return { ...file, state, connections: 0, bytesPerSec: 0, etaMs: null, retry: null, window: [] };
}
