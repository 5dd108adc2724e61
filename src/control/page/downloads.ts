// The downloads that are on their way, and those that failed and were not looked at.

import { isEnded, type Job } from "../../domain/job.ts";
import { formatRate } from "../../domain/size.ts";
import { DownloadRow } from "./download-row.ts";
import { find, RowList, setText } from "./elements.ts";
import type { Shell } from "./shell.ts";
import { SpeedGraph } from "./speed-graph.ts";
import { count } from "./words.ts";

const SAMPLE_MS = 500;

export interface DownloadsView {
  show(jobs: ReadonlyMap<string, Job>): void;
  /** Whether what is shown is what is: without a connection there is no speed. */
  setLive(isLive: boolean): void;
}

/** The part of the page with the downloads. */
export function createDownloads(shell: Shell): DownloadsView {
  const graph = new SpeedGraph();
  const speed = find("speed-now", HTMLElement);
  let jobs: ReadonlyMap<string, Job> = new Map();
  let isLive = false;
  find("speed-graph", HTMLElement).append(graph.element);
  const rows = new RowList<Job>(find("downloads-list", HTMLElement), {
    make: (job) => new DownloadRow(job, { shell }),
    orphaned: find("main", HTMLElement),
  });
  const sample = (): void => {
    const live = [...jobs.values()].filter((job) => !isEnded(job));
    const bytesPerSec = isLive ? live.reduce((sum, job) => sum + job.bytesPerSec, 0) : 0;
    graph.add(performance.now(), bytesPerSec);
    const words = [
      bytesPerSec > 0 ? formatRate(bytesPerSec) : "",
      live.length > 0 ? count(live.length, "download") : "",
    ];
    setText(speed, words.filter((word) => word !== "").join(" · "));
  };
  const show = (all: ReadonlyMap<string, Job>): void => {
    jobs = all;
    const shown = shownOf(all);
    rows.show(shown);
    find("downloads-empty", HTMLElement).hidden = shown.size > 0;
  };
  setInterval(sample, SAMPLE_MS);
  return { show, setLive: (isSo) => (isLive = isSo) };
}

/** Those on their way; of those that failed, the ones nobody tried again. */
function shownOf(jobs: ReadonlyMap<string, Job>): Map<string, Job> {
  const newest = new Map([...jobs.values()].map((job) => [job.ref, job.id]));
  return new Map(
    [...jobs].filter(([id, job]) => {
      const isFailure = job.state === "failed" && newest.get(job.ref) === id;
      return isFailure || !isEnded(job);
    }),
  );
}
