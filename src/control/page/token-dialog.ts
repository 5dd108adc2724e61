// Asks for the token, and lets nobody in who has a wrong one.

import { askOnce, Refusal } from "./api.ts";
import { find } from "./elements.ts";
import { sentence } from "./question.ts";
import { keepToken } from "./token.ts";
import type { Health } from "./wire.ts";

/** The page's question for the token. */
export class TokenDialog {
  #asking: Promise<boolean> | null = null;

  /** Asks; several that ask at once are one question. Resolves to whether there is a good one now. */
  ask(why: string): Promise<boolean> {
    this.#asking ??= openDialog(why).finally(() => (this.#asking = null));
    return this.#asking;
  }
}

async function openDialog(why: string): Promise<boolean> {
  const dialog = find("token-dialog", HTMLDialogElement);
  const field = find("token-field", HTMLInputElement);
  const wrong = find("token-error", HTMLElement);
  const closing = new AbortController();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let isGood = false;
  const tryToken = async (): Promise<void> => {
    const token = field.value.trim();
    wrong.textContent = token === "" ? "Enter the token." : "";
    if (token !== "") wrong.textContent = (await refusalOf(token)) ?? "";
    isGood = wrong.textContent === "";
    if (!isGood) return field.select();
    keepToken(token);
    dialog.close();
  };
  const { signal } = closing;
  find("token-form", HTMLFormElement).addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      void tryToken();
    },
    { signal },
  );
  find("token-later", HTMLButtonElement).addEventListener("click", () => dialog.close(), { signal });
  dialog.addEventListener("close", () => resolve(isGood), { signal });
  find("token-why", HTMLElement).textContent = why;
  wrong.textContent = "";
  field.value = "";
  dialog.showModal();
  return promise.finally(() => {
    field.value = "";
    closing.abort();
  });
}

/** Why a token is not taken; null when it is. */
async function refusalOf(token: string): Promise<string | null> {
  try {
    await askOnce<Health>("GET", "/v1/health", { token });
    return null;
  } catch (thrown) {
    if (thrown instanceof Refusal && thrown.status === 401)
      return "This is not the token of this luci. `luci serve --print-token` shows it.";
    return sentence(thrown);
  }
}
