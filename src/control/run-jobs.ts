// The jobs of this very process: seen through the progress of its events, steered through its handles.

import type { JobHandle, Steering } from "../app/steering.ts";
import { type Job, jobsOf } from "../domain/job.ts";
import { type ProgressState, progressAt } from "../domain/progress.ts";
import type { Jobs, RunSettings, RunSettingsChange } from "./jobs.ts";
import { Problem } from "./problem.ts";

export interface RunJobsOptions {
  readonly steering: Steering;
  readonly pid: number;
  /** The progress after the last event. */
  progress(): ProgressState;
  nowMs(): number;
}

/** The jobs of a run. */
export function createRunJobs({ steering, pid, progress, nowMs }: RunJobsOptions): Jobs {
  const list = (): Job[] => jobsOf(progressAt(progress(), Math.max(nowMs(), progress().atMs)), pid);
  const get = (id: string): Job => {
    const job = list().find((one) => one.id === id);
    if (job) return job;
    throw unknownProblem(id);
  };
  const steer = (id: string, act: (handle: JobHandle) => void): Job => {
    const job = get(id);
    const handle = steering.handle(id);
    if (!handle) throw endedProblem(job);
    act(handle);
    return get(id);
  };
  return {
    list,
    get,
    pause: (id) => steer(id, (handle) => handle.pause()),
    resume: (id) => steer(id, (handle) => handle.resume()),
    cancel: (id, partials) => steer(id, (handle) => handle.cancel(partials)),
    change: (id, { priority, limitBytesPerSec }) =>
      steer(id, (handle) => {
        if (priority !== undefined) handle.setPriority(priority);
        if (limitBytesPerSec !== undefined) handle.setLimit(limitBytesPerSec);
      }),
    settings: () => runSettings(steering),
    changeSettings: (change) => changeRunSettings(steering, change),
  };
}

/** What holds for everything together. */
export function runSettings(steering: Steering): RunSettings {
  const { bytesPerSec, by } = steering.limit;
  return { limitBytesPerSec: bytesPerSec, ...(by === "settings" ? {} : { limitBy: by }) };
}

/** Changes what holds for everything together, at once. @throws LuciError E_CONFIG where there is no timetable */
export function changeRunSettings(steering: Steering, { limitBytesPerSec }: RunSettingsChange): RunSettings {
  if (limitBytesPerSec === "timetable") steering.followTimetable();
  else if (limitBytesPerSec === "default") steering.resetLimit();
  else steering.setLimit(limitBytesPerSec);
  return runSettings(steering);
}

/** No job of this id is known. */
export function unknownProblem(id: string): Problem {
  return new Problem({
    status: 404,
    code: "E_NOT_FOUND",
    detail: `There is no download ${id}`,
    hint: "GET /v1/downloads lists them",
  });
}

/** A job that cannot be steered any more. */
export function endedProblem({ model, state }: Job): Problem {
  const detail = `${model} is ${state}: there is nothing to steer any more`;
  const hint =
    state === "failed" ? "`luci cleanup` deletes what it left" : "GET /v1/downloads tells what still runs";
  return new Problem({ status: 409, code: "E_NOT_FOUND", detail, hint });
}
