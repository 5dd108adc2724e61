// What takes how much room, as a picture and in words, and the way to what may be deleted.

import type { CleanupResult, UsageResult } from "../../domain/results.ts";
import { formatBytes } from "../../domain/size.ts";
import { find, make, setText } from "./elements.ts";
import { ask } from "./question.ts";
import type { Shell } from "./shell.ts";
import { count } from "./words.ts";

/** What is there is seen, however little it is. */
const LEAST_PERCENT = 1;

interface Part {
  readonly kind: "models" | "partials" | "others" | "free";
  readonly name: string;
  readonly sizeBytes: number;
}

export interface DiskView {
  load(): Promise<void>;
}

/** The part of the page with the disk. */
export function createDisk(shell: Shell): DiskView {
  const cleanup = find("disk-cleanup", HTMLButtonElement);
  cleanup.addEventListener("click", () => shell.attempt(() => askToCleanUp(shell)));
  return {
    load: async () => {
      const usage = await shell.ask<UsageResult>("GET", "/v1/usage");
      const parts = partsOf(usage);
      find("disk-picture", HTMLElement).replaceChildren(picture(parts), legend(parts));
      setText(find("disk-figures", HTMLElement), `${formatBytes(usage.totalBytes)} used`);
      setText(find("disk-folder", HTMLElement), usage.modelsFolder);
      cleanup.hidden = false;
    },
  };
}

function partsOf({ models, partials, others, freeBytes }: UsageResult): Part[] {
  const sum = (files: readonly { readonly sizeBytes: number }[]): number =>
    files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  return [
    { kind: "models", name: count(models.length, "model"), sizeBytes: sum(models) },
    { kind: "partials", name: "Unfinished", sizeBytes: sum(partials) },
    { kind: "others", name: "Other files", sizeBytes: sum(others) },
    { kind: "free", name: "Free", sizeBytes: freeBytes },
  ];
}

function picture(parts: readonly Part[]): HTMLElement {
  const total = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const bars = parts
    .filter(({ sizeBytes }) => sizeBytes > 0)
    .map(({ kind, sizeBytes }) => {
      const bar = make("span", { class: kind });
      bar.style.flexGrow = String(Math.max(LEAST_PERCENT, (sizeBytes / total) * 100));
      return bar;
    });
  const words = parts.map(({ name, sizeBytes }) => `${name}: ${formatBytes(sizeBytes)}`).join(", ");
  return make("div", { class: "disk-bar", attributes: { role: "img", "aria-label": words }, children: bars });
}

function legend(parts: readonly Part[]): HTMLElement {
  const items = parts.map(({ kind, name, sizeBytes }) =>
    make("li", {
      children: [
        make("span", { class: `swatch ${kind}`, attributes: { "aria-hidden": "true" } }),
        make("span", { text: name }),
        make("span", { class: "figures", text: formatBytes(sizeBytes) }),
      ],
    }),
  );
  return make("ul", { class: "legend", children: items });
}

async function askToCleanUp(shell: Shell): Promise<void> {
  const plan = await shell.ask<CleanupResult>("POST", "/v1/cleanup", { body: { dryRun: true } });
  const freed = plan.items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const kept = plan.kept.length > 0 ? `${count(plan.kept.length, "item")} in use or too young to go.` : "";
  const found = `This deletes ${count(plan.items.length, "leftover")} and frees ${formatBytes(freed)}.`;
  await ask({
    title: "Clean up?",
    lines: [plan.items.length > 0 ? found : "There is nothing to clean up.", kept].filter(Boolean),
    items: plan.items.map(({ path, of, sizeBytes }) => `${of ?? path} · ${formatBytes(sizeBytes)}`),
    choices: plan.items.length > 0 ? [{ value: "delete", label: "Delete", kind: "danger" }] : [],
    leave: plan.items.length > 0 ? "Keep them" : "Close",
    answer: async () => {
      const done = await shell.ask<CleanupResult>("POST", "/v1/cleanup", { body: { dryRun: false } });
      shell.announce(`${formatBytes(done.freedBytes)} freed.`);
      shell.refresh();
      const failure = done.failed[0];
      if (failure) throw new Error(`${failure.path} could not be deleted: ${failure.reason}`);
    },
  });
}
