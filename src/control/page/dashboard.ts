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
import type { Downloads, Health, StreamMessage } from "./wire.ts";
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
  /** Downloads that were heard of since the list of all was asked for. */
  #heard = new Set<string>();
  #isRefreshing = false;
  #link: LinkState = "connecting";

  constructor() {
    const shell = createShell({
      noteJob: (job) => this.#noteJob(job),
      refresh: () => this.#refresh(),
      onToken: () => this.#stream.reconnect(),
    });
    this.#shell = shell;
    this.#limit = new LimitButton(shell);
    const history = createHistory();
    this.#parts = {
      downloads: createDownloads(shell, { onEnded: (jobs) => history.show(jobs) }),
      install: createInstall(shell),
      models: createModels(shell),
      disk: createDisk(shell),
    };
    this.#stream = new Stream({
      onOpen: () => void this.#loadAll(),
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
    if (event === "run.limited")
      this.#limit.show((data as { limitBytesPerSec: number | null }).limitBytesPerSec);
    if (event === "file.progress")
      this.#parts.models.noteChecked(data as { model: string; file: string; hashedBytes: number });
  }

  #noteJob(job: Job): void {
    const before = this.#jobs.get(job.id);
    this.#jobs.set(job.id, job);
    this.#heard.add(job.id);
    this.#showJobs();
    if (before?.state === job.state) return;
    if (before) this.#shell.announce(`${job.model}: ${STATE_WORDS[job.state]}`);
    if (isEnded(job)) this.#refresh();
  }

  #showJobs(): void {
    this.#parts.downloads.show(this.#jobs);
    this.#parts.install.showJobs(this.#jobs);
  }

  #refresh(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    setTimeout(() => {
      this.#isRefreshing = false;
      const { models, install, disk } = this.#parts;
      for (const part of [models, install, disk]) this.#shell.attemptQuietly(() => part.load());
    }, REFRESH_MS);
  }

  async #loadAll(): Promise<void> {
    this.#heard = new Set();
    this.#refresh();
    this.#shell.attemptQuietly(() => this.#limit.load());
    this.#shell.attemptQuietly(async () => {
      const { downloads } = await this.#shell.ask<Downloads>("GET", "/v1/downloads");
      // What came over the stream meanwhile is newer.
      const newer = [...this.#jobs].filter(([id]) => this.#heard.has(id));
      this.#jobs = new Map([...downloads.map((job) => [job.id, job] as const), ...newer]);
      this.#showJobs();
    });
    this.#shell.attemptQuietly(async () => {
      const { version, pid } = await this.#shell.ask<Health>("GET", "/v1/health");
      setText(find("about", HTMLElement), `luci ${version} · process ${pid}`);
    });
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
