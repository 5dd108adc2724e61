// Verifying one model: its button, how far it is, and what was found.

import { type Finding, type FindingKind, isDamage } from "../../domain/finding.ts";
import type { InstalledModel, VerifyResult } from "../../domain/results.ts";
import { formatBytes } from "../../domain/size.ts";
import { make, makeButton, setAttribute, setText } from "./elements.ts";
import { sentence } from "./question.ts";
import type { Shell } from "./shell.ts";
import type { FileProgress } from "./wire.ts";
import { count } from "./words.ts";

const KIND_WORDS: Readonly<Record<FindingKind, string>> = {
  ok: "Right",
  digest: "Damaged",
  size: "Wrong size",
  missing: "Missing",
  unreadable: "Not readable",
  foreign: "Of no model",
  unverifiable: "As installed, but nobody published a digest",
};

/** The verification of one model. One at a time; it can be stopped. */
export class Check {
  readonly element = make("div", { class: "check" });
  readonly buttons: readonly HTMLButtonElement[];
  readonly #shell: Shell;
  readonly #bar = make("progress");
  readonly #words = make("p", { class: "figures" });
  readonly #findings = make("ul", { class: "findings" });
  readonly #verify: HTMLButtonElement;
  readonly #repair: HTMLButtonElement;
  readonly #hashed = new Map<string, number>();
  #running: AbortController | null = null;

  model: InstalledModel;

  constructor(model: InstalledModel, shell: Shell) {
    this.model = model;
    this.#shell = shell;
    const { name } = model;
    this.#verify = makeButton("Verify", { onClick: () => this.#toggle() });
    this.#repair = makeButton("Repair", {
      class: "main",
      attributes: { "aria-label": `Repair ${name}` },
      onClick: () => void this.#run(true),
    });
    this.buttons = [this.#repair, this.#verify];
    this.element.append(this.#bar, this.#words, this.#findings);
    setAttribute(this.#bar, "aria-label", `Verification of ${name}`);
    this.#repair.hidden = true;
    this.#show(false);
  }

  /** How far one file of it is. */
  note({ file, hashedBytes }: FileProgress): void {
    if (!this.#running) return;
    this.#hashed.set(file, hashedBytes);
    const done = [...this.#hashed.values()].reduce((sum, bytes) => sum + bytes, 0);
    const total = this.model.sizeBytes;
    setAttribute(this.#bar, "value", String(Math.min(1, total === 0 ? 1 : done / total)));
    setText(this.#words, `Read ${formatBytes(Math.min(done, total))} of ${formatBytes(total)}`);
  }

  #toggle(): void {
    if (this.#running) this.#running.abort();
    else void this.#run(false);
  }

  async #run(repair: boolean): Promise<void> {
    if (this.#running) return;
    const { name } = this.model;
    const stop = new AbortController();
    this.#running = stop;
    this.#hashed.clear();
    this.#findings.replaceChildren();
    setText(this.#words, repair ? "Repairing" : "Reading");
    this.#repair.hidden = true;
    this.#show(true);
    try {
      const path = `/v1/models/${encodeURIComponent(name)}/verify`;
      const options = { body: { repair }, signal: stop.signal };
      this.#tell(await this.#shell.ask<VerifyResult>("POST", path, options));
    } catch (thrown) {
      setText(this.#words, stop.signal.aborted ? "Stopped." : sentence(thrown));
    } finally {
      this.#running = null;
      this.#show(false);
      if (repair) this.#shell.refresh();
    }
  }

  #tell(result: VerifyResult): void {
    const damaged = result.findings.filter(isDamage);
    const isMended = damaged.length > 0 && result.repaired.length > 0 && result.failed.length === 0;
    const failure = result.failed[0];
    this.#repair.hidden = damaged.length === 0 || isMended;
    const words = failure
      ? `${failure.error.message}. ${failure.error.hint}`
      : isMended
        ? "It was damaged and is right again."
        : verdict(result, damaged.length);
    setText(this.#words, words);
    this.#findings.replaceChildren(...result.findings.map((finding) => findingItem(finding, isMended)));
    this.#shell.announce(`${this.model.name}: ${words}`);
  }

  #show(isRunning: boolean): void {
    const label = isRunning ? "Stop" : "Verify";
    setText(this.#verify, label);
    setAttribute(this.#verify, "aria-label", `${label} ${isRunning ? "verifying " : ""}${this.model.name}`);
    this.#bar.hidden = !isRunning;
    setAttribute(this.#bar, "value", null);
    this.element.hidden = !isRunning && this.#words.textContent === "";
  }
}

function verdict({ findings, checkedBytes }: VerifyResult, damaged: number): string {
  if (damaged === 0) return `Everything is right. Read ${formatBytes(checkedBytes)}.`;
  if (findings.length === 1) return "It is not right.";
  return `${damaged} of ${count(findings.length, "file")} ${damaged === 1 ? "is" : "are"} not right.`;
}

function findingItem(finding: Finding, isMended: boolean): HTMLElement {
  const { kind, file, badPieces, pieces, detail } = finding;
  const isBad = isDamage(finding);
  const where = badPieces.length > 0 ? `${badPieces.length} of ${count(pieces, "piece")}` : "";
  const state = isBad && isMended ? "Was damaged, repaired" : KIND_WORDS[kind];
  const more = [where, isBad ? detail : ""].filter((part) => part !== "").join(": ");
  return make("li", {
    children: [
      make("span", {
        class: "state",
        text: state,
        attributes: { "data-state": isBad && !isMended ? "failed" : "done" },
      }),
      make("span", { class: "path", text: file }),
      ...(more === "" ? [] : [make("span", { class: "help", text: more })]),
    ],
  });
}
