// What the page knows, and which part of it is told: downloads as they change, the disk when something may have moved.

import { isEnded, type Job } from "../../domain/job.ts";
import { createDisk } from "./disk.ts";
import { createDownloads } from "./downloads.ts";
import { find, setAttribute, setText } from "./elements.ts";
import { createHistory } from "./history.ts";
import { createInstall } from "./install.ts";
import { LimitButton } from "./limit.ts";
import { createModels } from "./models.ts";
import { createShell, type Shell } from "./shell.ts";
import { type LinkState, Stream } from "./stream.ts";
import { keepToken, keptToken } from "./token.ts";
import type { Downloads, FileProgress, Health, Notice, StreamMessage } from "./wire.ts";
import { STATE_WORDS } from "./words.ts";

/** Several things that change at once are fetched once. */
const REFRESH_MS = 250;
const LINK_WORDS: Readonly<Record<LinkState, string>> = {
  connecting: "Connecting",
  open: "Connected",
  lost: "Connection lost. Trying again.",
  locked: "The token is missing or wrong.",
};

/** The whole page, once its document is there. */
export class Dashboard {
  readonly #shell: Shell;
  readonly #stream: Stream;
  readonly #limit: LimitButton;
  readonly #parts;
  #jobs = new Map<string, Job>();
  /** When a download was last heard of, by its id. */
  readonly #heardAtMs = new Map<string, number>();
  #isRefreshing = false;
  #isDrawing = false;
  #link: LinkState = "connecting";

  constructor() {
    const shell = createShell({
      noteAnswer: (jobs, askedAtMs) => this.#noteAnswer(jobs, askedAtMs),
      refresh: () => this.#refresh(),
      onToken: () => this.#stream.reconnect(),
    });
    this.#shell = shell;
    this.#limit = new LimitButton(shell);
    this.#parts = {
      downloads: createDownloads(shell),
      history: createHistory(shell),
      install: createInstall(shell),
      models: createModels(shell),
      disk: createDisk(shell),
    };
    this.#stream = new Stream({
      onOpen: () => this.#loadAll(),
      onMessage: (message) => this.#hear(message),
      onState: (state) => this.#showLink(state),
    });
  }

  /** Connects; asks for the token where there is none. */
  start(): void {
    addEventListener("focus", () => {
      if (this.#link === "open") this.#refresh();
    });
    this.#stream.reconnect();
    if (keptToken() === null) this.#shell.askToken();
  }

  #hear({ event, data }: StreamMessage): void {
    if (event === "download") this.#noteJob(data as Job);
    if (event === "run.limited") this.#shell.attemptQuietly(() => this.#limit.load());
    if (event === "file.progress") this.#parts.models.noteChecked(data as FileProgress);
    if (event === "notice") this.#tell(data as Notice);
    // A repair is listed as long as it lasts, and not said goodbye to.
    if (event === "model.ready" || event === "model.failed") this.#refresh();
  }

  #tell({ level, message, model }: Notice): void {
    if (level === "warn") this.#shell.warn(model === undefined ? message : `${model}: ${message}`);
  }

  #noteJob(job: Job): void {
    this.#heardAtMs.set(job.id, performance.now());
    const before = this.#jobs.get(job.id);
    this.#jobs.set(job.id, job);
    this.#showJobs();
    this.#announceChange(before, job);
    if (before?.state !== job.state && isEnded(job)) this.#refresh();
  }

  /** The stream brings every change in its order: where it spoke since the question, the answer may be behind it. */
  #noteAnswer(jobs: readonly Job[], askedAtMs: number): void {
    for (const job of jobs) if (!this.#wasHeardSince(job.id, askedAtMs)) this.#noteJob(job);
  }

  #wasHeardSince(id: string, askedAtMs: number): boolean {
    return (this.#heardAtMs.get(id) ?? Number.NEGATIVE_INFINITY) >= askedAtMs;
  }

  /** Of a download that was not known yet there is nothing to say: it was asked for here, or long ago. */
  #announceChange(before: Job | undefined, { model, state }: Job): void {
    if (before && before.state !== state) this.#shell.announce(`${model}: ${STATE_WORDS[state]}`);
  }

  /** Many that change at once are drawn once. */
  #showJobs(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#parts.downloads.show(this.#jobs);
      this.#parts.install.showJobs(this.#jobs);
    });
  }

  #refresh(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    setTimeout(() => {
      this.#isRefreshing = false;
      const { models, install, disk, history } = this.#parts;
      for (const part of [models, install, disk, history]) this.#shell.attemptQuietly(() => part.load());
      this.#shell.attemptQuietly(() => this.#loadJobs());
    }, REFRESH_MS);
  }

  #loadAll(): void {
    this.#refresh();
    this.#shell.attemptQuietly(() => this.#limit.load());
    this.#shell.attemptQuietly(async () => {
      const { version, pid } = await this.#shell.ask<Health>("GET", "/v1/health");
      setText(find("about", HTMLElement), `luci ${version} · process ${pid}`);
    });
  }

  /** The list as it is now: what is in it no more goes. */
  async #loadJobs(): Promise<void> {
    const askedAtMs = performance.now();
    const { downloads } = await this.#shell.ask<Downloads>("GET", "/v1/downloads");
    const before = this.#jobs;
    const newer = [...before].filter(([id]) => this.#wasHeardSince(id, askedAtMs));
    this.#jobs = new Map([...downloads.map((job) => [job.id, job] as const), ...newer]);
    for (const job of this.#jobs.values()) this.#announceChange(before.get(job.id), job);
    this.#showJobs();
  }

  #showLink(state: LinkState): void {
    const before = this.#link;
    this.#link = state;
    setText(find("link-text", HTMLElement), LINK_WORDS[state]);
    setAttribute(find("link", HTMLElement), "data-state", state);
    setAttribute(document.body, "data-link", state);
    this.#parts.downloads.setLive(state === "open");
    find("enter-token", HTMLElement).hidden = state !== "locked";
    if (state !== before && before !== "connecting") this.#shell.announce(LINK_WORDS[state]);
    if (state !== "locked" || before === "locked") return;
    // Reading may need no token, but a wrong one is never let in.
    if (keptToken() !== null) {
      keepToken(null);
      this.#stream.reconnect();
    }
    this.#shell.askToken();
  }
}
