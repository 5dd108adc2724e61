// What the control room needs of whoever runs jobs: a run of `install`, or a daemon.

import type { Job } from "../domain/job.ts";
import type { PartialsPolicy } from "../domain/settings.ts";

/** What may be changed of a job while it is on its way. */
export interface JobChange {
  readonly priority?: number | undefined;
  /** The job's own limit; null for none. */
  readonly limitBytesPerSec?: number | null | undefined;
}

/** Settings of everything together. */
export interface RunSettings {
  readonly limitBytesPerSec: number | null;
  /** Who decides it, where there is a timetable. */
  readonly limitBy?: "hand" | "timetable";
}

/** What may be said of them; `timetable` and `default` end what was said by hand. */
export interface RunSettingsChange {
  readonly limitBytesPerSec: number | null | "timetable" | "default";
}

/** Jobs, seen and steered. All but `list` answer the job as it is afterwards. @throws Problem 404, 409 */
export interface SingleJobs {
  list(): readonly Job[];
  get(id: string): Job;
  pause(id: string): Job | Promise<Job>;
  resume(id: string): Job | Promise<Job>;
  /** What becomes of unfinished files: as the settings say where it is null. */
  cancel(id: string, partials: PartialsPolicy | null): Job | Promise<Job>;
  change(id: string, change: JobChange): Job | Promise<Job>;
}

/** What holds for all jobs together. @throws LuciError what cannot be set, or remembered */
export interface JobSettings {
  settings(): RunSettings;
  changeSettings(change: RunSettingsChange): RunSettings | Promise<RunSettings>;
}

export type Jobs = SingleJobs & JobSettings;
