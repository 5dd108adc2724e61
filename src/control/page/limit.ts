// Asking for a speed limit, of one download or of everything together.

import { formatRate, parseSize } from "../../domain/size.ts";
import { find, setText } from "./elements.ts";
import { ask } from "./question.ts";
import type { Shell } from "./shell.ts";
import type { Settings } from "./wire.ts";
import { limitText } from "./words.ts";

const INSTEAD = { schedule: "Follow the timetable", default: "As in the settings" } as const;

type Instead = keyof typeof INSTEAD;

export interface LimitQuestion {
  readonly title: string;
  readonly limitBytesPerSec: number | null;
  /** What could be followed instead: the timetable, or what luci was started with. */
  readonly instead?: Instead;
  /** @throws whatever luci says against it */
  set(limit: number | null | Instead): Promise<void>;
}

/** Asks for a limit and sets it. */
export function askForLimit({ title, limitBytesPerSec, instead, set }: LimitQuestion): Promise<void> {
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
      ...(instead ? [{ value: instead, label: INSTEAD[instead] }] : []),
    ],
    leave: "Leave it",
    answer: async (choice, text) => {
      if (choice === instead) return set(instead);
      return set(choice === "off" ? null : limitOf(text));
    },
  });
}

/** @throws LuciError and Error with what is wrong with it */
function limitOf(text: string): number {
  const bytesPerSec = parseSize(text);
  if (bytesPerSec > 0) return bytesPerSec;
  throw new Error("At this limit nothing would ever arrive: pause it instead.");
}

/** The limit of everything together, and the way to another one. */
export class LimitButton {
  readonly #button = find("limit-all", HTMLButtonElement);
  readonly #shell: Shell;
  #settings: Settings = { limitRate: null };

  constructor(shell: Shell) {
    this.#shell = shell;
    this.#button.addEventListener("click", () => void this.#change());
  }

  async load(): Promise<void> {
    this.#show(await this.#shell.ask<Settings>("GET", "/v1/settings"));
  }

  #show(settings: Settings): void {
    this.#settings = settings;
    const { limitRate, limitBy } = settings;
    const by = limitBy === "timetable" ? " by timetable" : "";
    this.#button.hidden = false;
    setText(this.#button, (limitRate === null ? "No speed limit" : `Limit ${formatRate(limitRate)}`) + by);
  }

  #change(): Promise<void> {
    const { limitRate, limitBy } = this.#settings;
    return askForLimit({
      title: "Limit everything together",
      limitBytesPerSec: limitRate,
      instead: limitBy === undefined ? "default" : "schedule",
      set: async (limit) => {
        // There null means the default, which may be a limit.
        const body = { limitRate: limit === "default" ? null : (limit ?? "off") };
        this.#show(await this.#shell.ask<Settings>("PATCH", "/v1/settings", { body }));
      },
    });
  }
}
