// Asking for a speed limit. What a limit may be, luci decides: what it says of a wrong one is shown.

import { formatRate } from "../../domain/size.ts";
import { find, setText } from "./elements.ts";
import { ask } from "./question.ts";
import type { Shell } from "./shell.ts";
import type { Settings } from "./wire.ts";
import { limitText } from "./words.ts";

export interface LimitQuestion {
  readonly title: string;
  readonly limitBytesPerSec: number | null;
  /** @throws whatever luci says against it */
  set(limitRate: string): Promise<void>;
}

/** Asks for a limit and sets it. */
export function askForLimit({ title, limitBytesPerSec, set }: LimitQuestion): Promise<void> {
  return ask({
    title,
    lines: [],
    field: {
      label: "Bytes per second",
      value: limitText(limitBytesPerSec),
      help: "For example 500k, 20M or 20MiB.",
    },
    choices: [
      { value: "set", label: "Set the limit", kind: "main" },
      { value: "off", label: "No limit" },
    ],
    leave: "Leave it",
    answer: (choice, text) => set(choice === "off" ? "off" : text),
  });
}

/** The limit of everything together, and the way to another one. */
export class LimitButton {
  readonly #button = find("limit-all", HTMLButtonElement);
  readonly #shell: Shell;
  #bytesPerSec: number | null = null;

  constructor(shell: Shell) {
    this.#shell = shell;
    this.#button.addEventListener("click", () => void this.#change());
  }

  async load(): Promise<void> {
    this.show((await this.#shell.ask<Settings>("GET", "/v1/settings")).limitRate);
  }

  show(bytesPerSec: number | null): void {
    this.#bytesPerSec = bytesPerSec;
    this.#button.hidden = false;
    setText(this.#button, bytesPerSec === null ? "No speed limit" : `Limit ${formatRate(bytesPerSec)}`);
  }

  #change(): Promise<void> {
    return askForLimit({
      title: "Limit everything together",
      limitBytesPerSec: this.#bytesPerSec,
      set: async (limitRate) =>
        this.show(
          (await this.#shell.ask<Settings>("PATCH", "/v1/settings", { body: { limitRate } })).limitRate,
        ),
    });
  }
}
