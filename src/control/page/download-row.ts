// One download: how far it is, and what can be done with it.

import { isEnded, type Job, lacksRoom } from "../../domain/job.ts";
import { formatBytes } from "../../domain/size.ts";
import { make, makeButton, type Row, setAttribute, setText } from "./elements.ts";
import { askForLimit } from "./limit.ts";
import { makePriority, type PriorityChoice } from "./priority.ts";
import { ask } from "./question.ts";
import type { Shell } from "./shell.ts";
import { percentOf, progressWords, STATE_WORDS } from "./words.ts";

export interface DownloadRowOptions {
  readonly shell: Shell;
}

/** The row of a download. */
export class DownloadRow implements Row<Job> {
  readonly element: HTMLElement;
  readonly #options: DownloadRowOptions;
  readonly #title = make("h3");
  readonly #state = make("span", { class: "state" });
  readonly #ref = make("p", { class: "help path" });
  readonly #bar = make("progress", { attributes: { max: "100" } });
  readonly #figures = make("p", { class: "figures" });
  readonly #wrong = make("p", { class: "wrong" });
  readonly #buttons: ReturnType<typeof makeButtons>;
  readonly #priority: PriorityChoice;
  #job: Job;

  constructor(job: Job, options: DownloadRowOptions) {
    this.#job = job;
    this.#options = options;
    this.#title.id = `download-${job.id}`;
    this.#priority = makePriority((priority) => this.#change("PATCH", "", { priority }));
    this.#buttons = makeButtons({
      pause: () => this.#change("POST", this.#job.state === "paused" ? "/resume" : "/pause"),
      limit: () => void askJobLimit(this.#job, options.shell),
      cancel: () => void askToCancel(this.#job, options.shell),
      // It knows as what it was asked for: a digest, trust, a limit.
      again: () => this.#change("POST", "/resume"),
      away: () => options.shell.attempt(() => dismiss(this.#job, options.shell)),
    });
    const { pause, limit, cancel, again, away } = this.#buttons;
    const actions = [pause, limit, cancel, this.#priority.element, again, away];
    this.element = make("li", {
      class: "row download",
      attributes: { "aria-labelledby": this.#title.id },
      children: [
        make("div", { class: "row-head", children: [this.#title, this.#state] }),
        this.#ref,
        this.#bar,
        this.#figures,
        this.#wrong,
        make("div", { class: "actions", children: actions }),
      ],
    });
  }

  update(job: Job): void {
    this.#job = job;
    const { model, ref, state, error } = job;
    setText(this.#title, model);
    setText(this.#ref, ref === model ? "" : ref);
    this.#ref.hidden = ref === model;
    setText(this.#state, lacksRoom(job) ? "No room" : STATE_WORDS[state]);
    setAttribute(this.#state, "data-state", state);
    const percent = percentOf(job);
    setAttribute(this.#bar, "value", percent === null ? null : String(percent));
    setAttribute(this.#bar, "aria-label", `Progress of ${model}`);
    const words = [percent === null ? "" : `${percent} %`, progressWords(job)];
    setText(this.#figures, words.filter((word) => word !== "").join(" · "));
    setText(this.#wrong, error ? `${error.message}. ${error.hint}` : "");
    this.#showButtons(job);
  }

  #showButtons({ model, state, priority }: Job): void {
    const { pause, limit, cancel, again, away } = this.#buttons;
    const ended = isEnded({ state });
    setText(pause, state === "paused" ? "Resume" : "Pause");
    this.#priority.show(priority, model);
    for (const live of [pause, limit, cancel, this.#priority.element, this.#bar]) live.hidden = ended;
    for (const dead of [again, away]) dead.hidden = !ended;
    for (const button of [pause, limit, cancel, again, away])
      setAttribute(button, "aria-label", `${button.textContent} ${model}`);
  }

  #change(method: "POST" | "PATCH", path: string, body?: unknown): void {
    const { shell } = this.#options;
    shell.attempt(async () => {
      await shell.change(method, `/v1/downloads/${this.#job.id}${path}`, { body });
    });
  }
}

type Deeds = Readonly<Record<"pause" | "limit" | "cancel" | "again" | "away", () => void>>;

function makeButtons({ pause, limit, cancel, again, away }: Deeds) {
  return {
    pause: makeButton("Pause", { onClick: pause }),
    limit: makeButton("Limit", { onClick: limit }),
    cancel: makeButton("Cancel", { onClick: cancel }),
    again: makeButton("Try again", { onClick: again }),
    away: makeButton("Dismiss", { onClick: away }),
  };
}

/** A failed one is no news any more, here and elsewhere. */
async function dismiss(job: Job, shell: Shell): Promise<void> {
  await shell.change("DELETE", `/v1/downloads/${job.id}?partials=resume`);
}

function askJobLimit(job: Job, shell: Shell): Promise<void> {
  return askForLimit({
    title: `Limit ${job.model}`,
    limitBytesPerSec: job.limitBytesPerSec,
    set: async (limitRate) => {
      await shell.change("PATCH", `/v1/downloads/${job.id}`, { body: { limitRate } });
    },
  });
}

function askToCancel(job: Job, shell: Shell): Promise<void> {
  const path = `/v1/downloads/${job.id}?partials=`;
  const arrived = job.doneBytes > 0 ? `${formatBytes(job.doneBytes)} arrived. ` : "";
  return ask({
    title: `Cancel ${job.model}?`,
    lines: [`${arrived}What is kept is not fetched again the next time.`],
    choices: [
      { value: "resume", label: "Cancel, keep what arrived", kind: "main" },
      { value: "delete", label: "Cancel, delete it", kind: "danger" },
    ],
    leave: "Go on",
    answer: async (partials) => {
      await shell.change("DELETE", path + partials);
    },
  });
}
