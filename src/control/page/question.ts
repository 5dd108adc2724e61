// A question to the person, in a dialog: what is done on the answer is done while the dialog is open, so that what
// goes wrong is said there.

import { find, make, makeButton } from "./elements.ts";

export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly kind?: "main" | "danger";
}

export interface Question {
  readonly title: string;
  /** One paragraph each. */
  readonly lines: readonly string[];
  /** Files or the like, in a list that scrolls. */
  readonly items?: readonly string[];
  readonly field?: { readonly label: string; readonly value: string; readonly help: string };
  /** The first is what Enter in the field means. */
  readonly choices: readonly Choice[];
  /** What closes the dialog and does nothing. */
  readonly leave: string;
  /** Does it. @throws whatever went wrong, to be shown */
  answer(choice: string, text: string): Promise<void>;
}

/** Asks; resolves once the question is answered and done, or left. */
export async function ask(question: Question): Promise<void> {
  const dialog = find("question", HTMLDialogElement);
  if (dialog.open) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wrong = make("p", { class: "wrong", attributes: { role: "alert" } });
  const input = question.field ? make("input", { attributes: FIELD }) : null;
  if (input) input.value = question.field?.value ?? "";
  const answer = async (value: string): Promise<void> => {
    if (dialog.hasAttribute("aria-busy")) return;
    dialog.setAttribute("aria-busy", "true");
    wrong.textContent = "";
    try {
      await question.answer(value, input?.value.trim() ?? "");
      dialog.close();
    } catch (thrown) {
      wrong.textContent = sentence(thrown);
      input?.focus();
    } finally {
      dialog.removeAttribute("aria-busy");
    }
  };
  dialog.replaceChildren(body(question, { dialog, input, wrong, answer }));
  dialog.addEventListener("close", () => resolve(), { once: true });
  // What is being done is waited for: whether it went well is said here.
  dialog.oncancel = (event) => {
    if (dialog.hasAttribute("aria-busy")) event.preventDefault();
  };
  dialog.showModal();
  input?.select();
  await promise;
}

/** What went wrong, and what to do next. */
export function sentence(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const hint = "hint" in thrown && thrown.hint !== "" ? ` ${String(thrown.hint)}` : "";
  return `${thrown.message.replace(/[^.!?]$/, "$&.")}${hint.replace(/[^.!?]$/, "$&.")}`;
}

const FIELD = {
  id: "question-field",
  autocomplete: "off",
  autocapitalize: "none",
  spellcheck: "false",
  "aria-describedby": "question-help",
};

interface Pieces {
  readonly dialog: HTMLDialogElement;
  readonly input: HTMLInputElement | null;
  readonly wrong: HTMLElement;
  answer(choice: string): Promise<void>;
}

function body(question: Question, { dialog, input, wrong, answer }: Pieces): HTMLElement {
  const { title, lines, items = [], field, choices, leave } = question;
  const list = items.map((text) => make("li", { text }));
  const buttons = choices.map(({ value, label, kind }, at) => {
    const type = input && at === 0 ? "submit" : "button";
    const click = type === "submit" ? () => undefined : () => void answer(value);
    return makeButton(label, { ...(kind ? { class: kind } : {}), attributes: { type }, onClick: click });
  });
  const form = make("form", {
    class: "line",
    attributes: { novalidate: "" },
    children: [
      make("h2", { text: title, attributes: { id: "question-title" } }),
      ...lines.map((text) => make("p", { text })),
      ...(list.length > 0
        ? [
            make("ul", {
              class: "items",
              children: list,
              attributes: { tabindex: "0", "aria-label": "Files" },
            }),
          ]
        : []),
      ...(input && field ? [label(field.label), input, help(field.help)] : []),
      wrong,
      make("div", {
        class: "choices",
        children: [...buttons, makeButton(leave, { onClick: () => dialog.close() })],
      }),
    ],
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = choices[0];
    if (input && first) void answer(first.value);
  });
  return form;
}

function label(text: string): HTMLElement {
  return make("label", { text, attributes: { for: FIELD.id } });
}

function help(text: string): HTMLElement {
  return make("p", { class: "help", text, attributes: { id: "question-help" } });
}
