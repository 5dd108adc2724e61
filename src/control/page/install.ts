// Installing: any ref a person types, or a model of the catalog.

import type { Job } from "../../domain/job.ts";
import { isEnded } from "../../domain/job.ts";
import { formatBytes } from "../../domain/size.ts";
import { find, make, makeButton, type Row, RowList, setAttribute, setText } from "./elements.ts";
import { sentence } from "./question.ts";
import type { Shell } from "./shell.ts";
import type { Catalog, CatalogModel } from "./wire.ts";
import { count } from "./words.ts";

/** So many of the catalog, before somebody wants to see all. */
const FIRST_ENTRIES = 6;

/** A model of the catalog, and whether it is on its way. */
interface Entry extends CatalogModel {
  readonly isOnItsWay: boolean;
}

export interface InstallView {
  load(): Promise<void>;
  showJobs(jobs: ReadonlyMap<string, Job>): void;
}

/** The part of the page that installs. */
export function createInstall(shell: Shell): InstallView {
  const filter = find("catalog-filter", HTMLInputElement);
  const more = find("catalog-more", HTMLButtonElement);
  let models: readonly CatalogModel[] = [];
  let onTheirWay: ReadonlySet<string> = new Set();
  let showsAll = false;
  const rows = new RowList<Entry>(find("catalog-list", HTMLElement), {
    make: (entry) => makeEntryRow(entry, shell),
    orphaned: filter,
  });
  const show = (): void => {
    const fitting = models.filter((model) => hasWords(model, filter.value));
    const shown = showsAll || filter.value !== "" ? fitting : fitting.slice(0, FIRST_ENTRIES);
    const entries = shown.map((model) => ({ ...model, isOnItsWay: isWanted(model, onTheirWay) }));
    rows.show(new Map(entries.map((entry) => [entry.name, entry])));
    more.hidden = shown.length === fitting.length;
    setText(more, `Show all ${fitting.length}`);
    find("catalog-empty", HTMLElement).hidden = models.length === 0 || fitting.length > 0;
  };
  filter.addEventListener("input", show);
  more.addEventListener("click", () => {
    showsAll = true;
    show();
    rows.list.children[FIRST_ENTRIES]?.querySelector("button")?.focus();
  });
  listenToForm(shell);
  return {
    load: async () => {
      const catalog = await shell.ask<Catalog>("GET", "/v1/catalog");
      models = catalog.models;
      setText(find("install-figures", HTMLElement), `${formatBytes(catalog.freeBytes)} free`);
      show();
    },
    showJobs: (jobs) => {
      const open = [...jobs.values()].filter((job) => !isEnded(job));
      const wanted = new Set(open.flatMap(({ ref, model }) => [ref, model]));
      if (wanted.symmetricDifference(onTheirWay).size === 0) return;
      onTheirWay = wanted;
      show();
    },
  };
}

function listenToForm(shell: Shell): void {
  const field = find("install-ref", HTMLInputElement);
  const wrong = find("install-error", HTMLElement);
  const submit = async (): Promise<void> => {
    const ref = field.value.trim();
    setText(wrong, ref === "" ? "Enter what to install." : "");
    if (ref === "") return field.focus();
    try {
      await install(ref, shell);
      field.value = "";
    } catch (thrown) {
      setText(wrong, sentence(thrown));
      field.focus();
    }
  };
  find("install-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
}

/** What a person types may stand for several models. */
async function install(ref: string, shell: Shell): Promise<void> {
  const downloads = await shell.change("POST", "/v1/downloads/batch", { body: { refs: [ref] } });
  const first = downloads[0];
  const what = downloads.length === 1 && first ? first.model : count(downloads.length, "model");
  shell.announce(`Asked for ${what}.`);
}

function makeEntryRow(first: Entry, shell: Shell): Row<Entry> {
  const { name } = first;
  const size = make("span", { class: "figures" });
  const about = make("p", { class: "help" });
  const note = make("span", { class: "state" });
  const button = makeButton("Install", {
    attributes: { "aria-label": `Install ${name}` },
    onClick: () => shell.attempt(() => install(name, shell)),
  });
  const element = make("li", {
    class: "row entry",
    children: [
      make("div", { class: "row-head", children: [make("h3", { text: name }), size] }),
      about,
      make("div", { class: "actions", children: [button, note] }),
    ],
  });
  const update = (entry: Entry): void => {
    const { params, quant, license, sizeBytes, isInstalled, isOnItsWay, fits } = entry;
    const figures = [
      sizeBytes === null ? "Size not known" : formatBytes(sizeBytes),
      params,
      quant,
      license ?? "",
    ];
    setText(size, figures.filter((part) => part !== "").join(" · "));
    setText(about, entry.description);
    const state = isOnItsWay
      ? "On its way"
      : isInstalled
        ? "Installed"
        : fits === false
          ? "Does not fit"
          : "";
    setText(note, state);
    setAttribute(
      note,
      "data-state",
      isInstalled && !isOnItsWay ? "done" : fits === false ? "failed" : "running",
    );
    note.hidden = state === "";
    const couldBe = !isInstalled && !isOnItsWay && fits !== false;
    // A button that has the focus is not taken away: what it says is what became of it.
    if (!couldBe && document.activeElement === button) element.tabIndex = -1;
    if (!couldBe && document.activeElement === button) element.focus();
    button.hidden = !couldBe;
  };
  return { element, update };
}

function hasWords(
  { name, aliases, params, quant, kind, license, description }: CatalogModel,
  typed: string,
): boolean {
  const text = [name, ...aliases, params, quant, kind, license, description].join(" ").toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function isWanted({ name, aliases }: CatalogModel, wanted: ReadonlySet<string>): boolean {
  return [name, ...aliases].some((word) => wanted.has(word));
}
