// What was installed when, from where and how fast, the latest first.

import type { HistoryResult, Outcome, PastInstall } from "../../domain/history.ts";
import { formatBytes, formatDuration, formatRate } from "../../domain/size.ts";
import { find, make, type Row, RowList, setAttribute, setText } from "./elements.ts";
import type { Shell } from "./shell.ts";
import { moment } from "./words.ts";

const MOST_SHOWN = 20;
const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  ready: "Installed",
  failed: "Failed",
  cancelled: "Cancelled",
  interrupted: "Interrupted",
};

export interface HistoryView {
  load(): Promise<void>;
}

/** The part of the page with what has ended. */
export function createHistory(shell: Shell): HistoryView {
  const empty = find("history-empty", HTMLElement);
  const rows = new RowList<PastInstall>(find("history-list", HTMLElement), {
    make: makeRow,
    orphaned: find("main", HTMLElement),
  });
  return {
    load: async () => {
      const path = `/v1/history?limit=${MOST_SHOWN}`;
      const { installs, keepsHistory } = await shell.ask<HistoryResult>("GET", path);
      rows.show(new Map(installs.map((install) => [`${install.at} ${install.model}`, install])));
      const off = installs.length > 0 ? "Nothing more is remembered" : "Nothing is remembered";
      setText(empty, keepsHistory ? "Nothing has ended yet." : `${off}: history is off in the settings.`);
      empty.hidden = keepsHistory && installs.length > 0;
    },
  };
}

function makeRow(): Row<PastInstall> {
  const title = make("h3");
  const state = make("span", { class: "state" });
  const about = make("p", { class: "help" });
  const element = make("li", {
    class: "row",
    children: [make("div", { class: "row-head", children: [title, state] }), about],
  });
  const update = (install: PastInstall): void => {
    const { model, outcome, how, at, source, fetchedBytes, elapsedMs, meanBytesPerSec, error } = install;
    setText(title, model);
    setText(state, outcome === "ready" && how === "repaired" ? "Repaired" : OUTCOME_WORDS[outcome]);
    setAttribute(state, "data-state", outcome === "ready" ? "done" : outcome);
    const speed = `${formatBytes(fetchedBytes)} in ${formatDuration(elapsedMs)}, ${formatRate(meanBytesPerSec)}`;
    const parts = [fetchedBytes > 0 ? speed : "Nothing fetched", error ?? "", source, moment(at)];
    setText(about, parts.filter((part) => part !== "").join(" · "));
  };
  return { element, update };
}
