// What has ended, the latest first: the downloads that luci still knows of.

import type { Job } from "../../domain/job.ts";
import { formatBytes } from "../../domain/size.ts";
import { find, make, type Row, RowList, setAttribute, setText } from "./elements.ts";
import { moment, STATE_WORDS } from "./words.ts";

const MOST_SHOWN = 20;

export interface HistoryView {
  /** Shows downloads that have ended; they come in the order they were asked for. */
  show(jobs: ReadonlyMap<string, Job>): void;
}

/** The part of the page with what has ended. */
export function createHistory(): HistoryView {
  const rows = new RowList<Job>(find("history-list", HTMLElement), {
    make: makeRow,
    orphaned: find("main", HTMLElement),
  });
  return {
    show: (jobs) => {
      rows.show(new Map([...jobs].toReversed().slice(0, MOST_SHOWN)));
      find("history-empty", HTMLElement).hidden = jobs.size > 0;
    },
  };
}

function makeRow(): Row<Job> {
  const title = make("h3");
  const state = make("span", { class: "state" });
  const about = make("p", { class: "help" });
  const element = make("li", {
    class: "row",
    children: [make("div", { class: "row-head", children: [title, state] }), about],
  });
  const update = (job: Job): void => {
    setText(title, job.model);
    setText(state, STATE_WORDS[job.state]);
    setAttribute(state, "data-state", job.state);
    const size = job.state === "done" ? job.totalBytes : job.doneBytes;
    const parts = [size === null || size === 0 ? "" : formatBytes(size), moment(job.startedAt)];
    if (job.error && job.state === "failed") parts.push(job.error.message);
    setText(about, parts.filter((part) => part !== "").join(" · "));
  };
  return { element, update };
}
