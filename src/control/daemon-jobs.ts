// All jobs of a daemon: its queue's, and those of repairs that somebody waits for. A repair is seen and steered like a
// download; with its request it is over and forgotten.

import type { SharedRoom } from "../app/context.ts";
import type { Steering } from "../app/steering.ts";
import type { LuciEvent, LuciEventBody } from "../domain/events.ts";
import type { Job } from "../domain/job.ts";
import { NO_PROGRESS, reduceProgress } from "../domain/progress.ts";
import type { Jobs, JobSettings, SingleJobs } from "./jobs.ts";
import type { RoomLedger } from "./room-ledger.ts";
import { createRunJobs } from "./run-jobs.ts";

export interface DaemonJobsOptions {
  readonly queue: SingleJobs;
  readonly settings: JobSettings;
  readonly steering: Steering;
  readonly pid: number;
  /** Where a repair takes its room on the disk. */
  readonly ledger: RoomLedger;
  nowMs(): number;
  /** Numbers an event and tells everybody. */
  publish(body: LuciEventBody): LuciEvent;
}

/** A run beside the queue: what it emits becomes its jobs, until it is forgotten. */
export interface SideRun {
  /** What it is going to write counts for all others until it is forgotten. */
  readonly room: SharedRoom;
  emit(body: LuciEventBody): void;
  forget(): void;
}

export interface DaemonJobs {
  readonly jobs: Jobs;
  begin(): SideRun;
}

/** The jobs of a daemon. */
export function createDaemonJobs(options: DaemonJobsOptions): DaemonJobs {
  const { queue, settings, steering, pid, ledger, nowMs, publish } = options;
  const sides = new Set<SingleJobs>();
  const listAll = (): Job[] => [queue, ...sides].flatMap((jobs) => jobs.list());
  /** Whose job it is; the queue says that it is nobody's. */
  const of = (id: string): SingleJobs =>
    [...sides].find((side) => side.list().some((job) => job.id === id)) ?? queue;
  return {
    jobs: {
      list: listAll,
      get: (id) => of(id).get(id),
      pause: (id) => of(id).pause(id),
      resume: (id) => of(id).resume(id),
      cancel: (id, partials) => of(id).cancel(id, partials),
      change: (id, change) => of(id).change(id, change),
      settings: settings.settings,
      changeSettings: settings.changeSettings,
    },
    begin: () => {
      let progress = NO_PROGRESS;
      const side = createRunJobs({ steering, pid, nowMs, progress: () => progress });
      sides.add(side);
      const room = ledger.open(side.list);
      return {
        room,
        emit: (body) => {
          // How it ended is the answer to the request.
          if (body.type !== "interrupted") progress = reduceProgress(progress, publish(body));
        },
        forget: () => {
          sides.delete(side);
          room.close();
        },
      };
    },
  };
}
