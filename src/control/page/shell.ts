// What every part of the page may use: asking luci, and saying something to the person.

import type { Job } from "../../domain/job.ts";
import { type Ask, askOnce, Lost, Refusal } from "./api.ts";
import { find, setText } from "./elements.ts";
import { sentence } from "./question.ts";
import { keepToken } from "./token.ts";
import { TokenDialog } from "./token-dialog.ts";
import type { Downloads } from "./wire.ts";

export interface Shell {
  /** Asks luci; where it wants a token, the person is asked for that first. */
  readonly ask: Ask;
  /** Asks the person for the token. */
  askToken(): void;
  /** Says what went on to those who do not see it. */
  announce(text: string): void;
  /** Says on top of the page what luci warns of. */
  warn(text: string): void;
  /** Does something; what goes wrong is shown on top of the page. */
  attempt(action: () => Promise<void>): void;
  /** Does something nobody asked for; that the connection is lost is said elsewhere. */
  attemptQuietly(action: () => Promise<void>): void;
  /** Asks luci to change downloads or to begin some, notes what it answers, and answers it. */
  change(...asked: Parameters<Ask>): Promise<readonly Job[]>;
  /** What is on the disk may have changed. */
  refresh(): void;
}

export interface ShellHooks extends Pick<Shell, "refresh"> {
  /** Downloads as an answer shows them to what was asked at this moment. */
  noteAnswer(jobs: readonly Job[], askedAtMs: number): void;
  onToken(): void;
}

const WHY = "To change anything, this page needs the token of this luci.";

/** The shell of this page. */
export function createShell({ noteAnswer, refresh, onToken }: ShellHooks): Shell {
  const dialog = new TokenDialog();
  const askPerson = async (): Promise<boolean> => {
    const isGood = await dialog.ask(WHY);
    if (isGood) onToken();
    return isGood;
  };
  const ask: Ask = async (method, path, options) => {
    try {
      return await askOnce(method, path, options);
    } catch (thrown) {
      if (!(thrown instanceof Refusal) || thrown.status !== 401) throw thrown;
      // A token that is refused would be refused for reading too, which may not need any.
      keepToken(null);
      if (!(await askPerson())) throw thrown;
      return askOnce(method, path, options);
    }
  };
  find("message-close", HTMLButtonElement).addEventListener("click", () => showMessage(null));
  find("enter-token", HTMLButtonElement).addEventListener("click", () => void askPerson());
  return {
    ask,
    askToken: () => void askPerson(),
    change: async (...asked) => {
      const askedAtMs = performance.now();
      const answer = await ask<Job | Downloads>(...asked);
      const jobs = "downloads" in answer ? answer.downloads : [answer];
      noteAnswer(jobs, askedAtMs);
      return jobs;
    },
    refresh,
    announce: (text) => setText(find("announcement", HTMLElement), text),
    warn: showMessage,
    attempt: (action) => {
      showMessage(null);
      action().catch((thrown: unknown) => showMessage(sentence(thrown)));
    },
    attemptQuietly: (action) => {
      action().catch((thrown: unknown) => {
        if (!(thrown instanceof Lost)) showMessage(sentence(thrown));
      });
    },
  };
}

/** One message on top of the page, until it is closed or the next thing is done. */
function showMessage(text: string | null): void {
  setText(find("message-text", HTMLElement), text ?? "");
  find("message", HTMLElement).hidden = text === null;
}
