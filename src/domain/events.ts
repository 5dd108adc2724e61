// Everything luci says while it works: one versioned union, absolute counters, never formatted strings.

import type { ErrorReport } from "./errors.ts";
import type { Finding } from "./finding.ts";
import type { Job, JobState } from "./job.ts";
import type { Authority, FileHow } from "./plan.ts";
import type { CommandResult } from "./results.ts";

/** The payload of an event. `model` is a model's name, `file` its path inside the model. */
export type LuciEventBody =
  | { readonly type: "run.started"; readonly command: string; readonly version: string }
  | {
      readonly type: "plan.resolved";
      readonly model: string;
      readonly files: number;
      readonly totalBytes: number;
      readonly presentBytes: number;
    }
  | {
      readonly type: "file.started";
      readonly model: string;
      readonly file: string;
      readonly sizeBytes: number | null;
      readonly resumedBytes: number;
    }
  | {
      readonly type: "file.progress";
      readonly model: string;
      readonly file: string;
      readonly doneBytes: number;
      readonly hashedBytes: number;
      readonly connections: number;
    }
  | {
      readonly type: "file.retrying";
      readonly model: string;
      readonly file: string;
      readonly attempt: number;
      readonly waitMs: number;
      readonly code: string;
      readonly message: string;
    }
  | {
      readonly type: "file.restarted";
      readonly model: string;
      readonly file: string;
      readonly reason: string;
    }
  | {
      readonly type: "file.verifying";
      readonly model: string;
      readonly file: string;
      readonly sizeBytes: number;
    }
  | {
      readonly type: "file.done";
      readonly model: string;
      readonly file: string;
      readonly how: FileHow;
      readonly sizeBytes: number;
      readonly sha256: string;
      readonly authority: Authority;
    }
  | {
      readonly type: "file.failed";
      readonly model: string;
      readonly file: string;
      readonly error: ErrorReport;
    }
  | {
      readonly type: "file.cancelled";
      readonly model: string;
      readonly file: string;
      readonly keptBytes: number;
    }
  | {
      /** A model on its way: from now on it is a job, and can be steered. */
      readonly type: "model.queued";
      readonly model: string;
      /** The job's; no other job of this machine has it. */
      readonly id: string;
      readonly ref: string;
      readonly files: number;
      /** Null while the size of a file is not known. */
      readonly totalBytes: number | null;
      /** Bytes of whole files that are in place already. */
      readonly presentBytes: number;
      readonly priority: number;
      readonly limitBytesPerSec: number | null;
    }
  | { readonly type: "model.paused"; readonly model: string }
  | { readonly type: "model.resumed"; readonly model: string }
  | {
      /** Its priority or its own speed limit is another one now. */
      readonly type: "model.steered";
      readonly model: string;
      readonly priority: number;
      readonly limitBytesPerSec: number | null;
    }
  | {
      /** Given up on somebody's word: what became of its bytes. */
      readonly type: "model.cancelled";
      readonly model: string;
      readonly keptBytes: number;
    }
  | {
      /** A download of a daemon's queue was added, or is in another state now. */
      readonly type: "download.changed";
      readonly id: string;
      readonly ref: string;
      readonly model: string;
      readonly state: JobState;
    }
  | { readonly type: "model.ready"; readonly model: string; readonly path: string }
  /** A command of the user's own runs because of that, and may write to standard error until it has ended. */
  | { readonly type: "hook.started" | "hook.ended"; readonly model: string }
  | { readonly type: "model.failed"; readonly model: string; readonly error: ErrorReport }
  /** Nothing is fetched until `run.resumed` takes the reason back; `error` tells of it in words. */
  | { readonly type: "run.paused"; readonly reason: "disk"; readonly error: ErrorReport }
  | { readonly type: "run.resumed"; readonly reason: "disk" }
  | { readonly type: "finding"; readonly finding: Finding }
  | {
      readonly type: "notice";
      readonly level: "info" | "warn";
      readonly model?: string;
      readonly message: string;
    }
  /** The speed limit of everything together is another one now. */
  | {
      readonly type: "run.limited";
      readonly limitBytesPerSec: number | null;
      /** Only there when it was the hour and nobody's word. */
      readonly by?: "timetable";
    }
  /** What other processes are at, as `ps --watch` sees it. */
  | { readonly type: "jobs"; readonly jobs: readonly Job[] }
  | {
      readonly type: "interrupted";
      /** What was going on: a question was open, files were arriving, or installed ones were being read. */
      readonly during: "question" | "download" | "audit";
      /** SIGPIPE: nobody reads the output any more. */
      readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGPIPE";
      readonly policy: "resume" | "delete";
      readonly keptBytes: number;
      readonly doneModels: number;
      readonly totalModels: number;
      /** File names of deleted partials. */
      readonly deleted: readonly string[];
      /** Partials that could not be deleted: where they are and why. */
      readonly undeleted: readonly { readonly path: string; readonly reason: string }[];
    }
  | { readonly type: "result"; readonly result: CommandResult };

/** An event as it leaves luci: numbered, dated, versioned. */
export type LuciEvent = LuciEventBody & { readonly v: 1; readonly seq: number; readonly atMs: number };

/** Where rooms say what happens. Must not throw and must not block. */
export type Emit = (event: LuciEventBody) => void;
