// The installed models: what they take, whether they are still right, and away with them.

import { formatBytes } from "../../domain/size.ts";
import type { InstalledModel, RemoveResult } from "../../domain/results.ts";
import { Check } from "./check.ts";
import { find, make, makeButton, type Row, RowList, setAttribute, setText } from "./elements.ts";
import { ask } from "./question.ts";
import type { Shell } from "./shell.ts";
import type { FileProgress, Models } from "./wire.ts";
import { count, moment } from "./words.ts";

export interface ModelsView {
  load(): Promise<void>;
  /** How far the verification of a model is. */
  noteChecked(progress: FileProgress): void;
}

/** The part of the page with the installed models. */
export function createModels(shell: Shell): ModelsView {
  const checks = new Map<string, Check>();
  const rows = new RowList<InstalledModel>(find("models-list", HTMLElement), {
    make: (model) => {
      const check = new Check(model, shell);
      checks.set(model.name, check);
      return makeModelRow(model, { shell, check });
    },
    orphaned: find("main", HTMLElement),
  });
  return {
    load: async () => {
      const { models } = await shell.ask<Models>("GET", "/v1/models");
      const sizeBytes = models.reduce((sum, model) => sum + model.sizeBytes, 0);
      rows.show(new Map(models.map((model) => [model.name, model])));
      find("models-empty", HTMLElement).hidden = models.length > 0;
      const figures = models.length > 0 ? `${models.length} · ${formatBytes(sizeBytes)}` : "";
      setText(find("models-figures", HTMLElement), figures);
    },
    noteChecked: (progress) => checks.get(progress.model)?.note(progress),
  };
}

interface ModelRowOptions {
  readonly shell: Shell;
  readonly check: Check;
}

function makeModelRow(first: InstalledModel, { shell, check }: ModelRowOptions): Row<InstalledModel> {
  let model = first;
  const title = make("h3");
  const size = make("span", { class: "figures" });
  const about = make("p", { class: "help path" });
  const remove = makeButton("Remove", {
    attributes: { "aria-label": `Remove ${first.name}` },
    onClick: () => shell.attempt(() => askToRemove(model, shell)),
  });
  const element = make("li", {
    class: "row",
    children: [
      make("div", { class: "row-head", children: [title, size] }),
      about,
      check.element,
      make("div", { class: "actions", children: [...check.buttons, remove] }),
    ],
  });
  const update = (next: InstalledModel): void => {
    model = next;
    check.model = next;
    setText(title, model.name);
    setText(size, formatBytes(model.sizeBytes));
    const unverified = model.files.some(({ authority }) => authority === "none") ? "unverified" : "";
    const parts = [count(model.files.length, "file"), moment(model.installedAt), unverified];
    setText(about, parts.filter((part) => part !== "").join(" · "));
    setAttribute(about, "title", model.path);
  };
  return { element, update };
}

async function askToRemove({ name }: InstalledModel, shell: Shell): Promise<void> {
  const path = `/v1/models/${encodeURIComponent(name)}`;
  const plan = await shell.ask<RemoveResult>("DELETE", `${path}?dryRun=true`);
  const freed = plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const shared = plan.shared.length;
  await ask({
    title: `Remove ${name}?`,
    lines: [
      `This deletes ${count(plan.files.length, "file")} and frees ${formatBytes(freed)}.`,
      ...(shared > 0
        ? [
            `${count(shared, "file")} stay${shared === 1 ? "s" : ""}: another model uses ${shared === 1 ? "it" : "them"}.`,
          ]
        : []),
    ],
    items: plan.files.map((file) => file.path),
    choices: [{ value: "remove", label: "Remove", kind: "danger" }],
    leave: "Keep it",
    answer: async () => {
      const { freedBytes } = await shell.ask<RemoveResult>("DELETE", path);
      shell.announce(`${name} is removed. ${formatBytes(freedBytes)} freed.`);
      shell.refresh();
    },
  });
}
