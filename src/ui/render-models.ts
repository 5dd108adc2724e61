// What there is: installed models, the catalog, one model in full, one model's path.

import type { Authority } from "../domain/plan.ts";
import type { WaitResult } from "../domain/ready.ts";
import type { CatalogEntry, InfoResult, InstalledModel, ListResult, PathResult } from "../domain/results.ts";
import { formatBytes } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { alignRows, fitRows, wrapLine } from "./layout.ts";
import { type Rendered, rendered } from "./rendered.ts";
import { UNVERIFIED } from "./sentences.ts";
import type { Style } from "./style.ts";

const VERDICTS: Readonly<Record<Authority, string>> = {
  catalog: "checked against the catalog's",
  hub: "checked against the hub's",
  user: "checked against the one given by hand",
  none: UNVERIFIED,
};

const WIDE_COLUMNS = 80;

export function renderList(result: ListResult, style: Style): Rendered {
  if (result.available !== null) return renderAvailable(result, style);
  if (result.installed.length === 0) {
    return rendered({
      summary: [
        "No models installed",
        `${style.paint.cyan("hint:")} \`luci list --available\` shows the catalog, \`luci install core models\` begins`,
      ],
    });
  }
  const rows = result.installed.map((model) => [
    escapeText(model.name),
    formatBytes(model.sizeBytes),
    escapeText(model.installedAt.slice(0, 10)),
    model.damage ?? (isUnverified(model) ? unverifiedWords(style) : ""),
  ]);
  return rendered({ data: alignRows(fitRows(rows, { style, column: 0 }), { right: [1] }) });
}

function renderAvailable({ installed, available }: ListResult, style: Style): Rendered {
  const { paint } = style;
  const entries = (available ?? []).toSorted((a, b) => a.tier - b.tier);
  // A model from elsewhere may be called like one of the catalog.
  const refs = new Map(installed.map((model) => [model.ref, model]));
  const rows = entries.map((entry) => [
    escapeText(entry.name),
    entry.sizeBytes === null ? "?" : formatBytes(entry.sizeBytes),
    escapeText(entry.params),
    escapeText(entry.quant),
    [entry.core ? "core" : "", stateOf(refs.get(entry.name))].filter((word) => word !== "").join(", "),
  ]);
  const lines = alignRows(fitRows(rows, { style, column: 0, indent: "  " }), { right: [1, 2], indent: "  " });
  const data = lines.flatMap((line, index) => {
    const tier = entries[index]?.tier;
    return tier === entries[index - 1]?.tier ? [line] : [paint.bold(`tier ${tier}`), line];
  });
  return rendered({ data });
}

/** What is meant is told by every other command; here the name is worth more. */
function unverifiedWords({ fits, columns }: Style): string {
  return fits && columns < WIDE_COLUMNS ? "unverified" : UNVERIFIED;
}

function stateOf(model: InstalledModel | undefined): string {
  return model === undefined ? "" : (model.damage ?? "installed");
}

/** Exactly the path and nothing else: it goes into `$(luci path …)`, which wants it as it is. */
export function renderPath({ path }: PathResult): Rendered {
  return rendered({ data: [path] });
}

/** Where the models are that were waited for, like `path`. */
export function renderWait({ ready }: WaitResult): Rendered {
  return rendered({ data: ready.map(({ path }) => path) });
}

export function renderInfo({ name, catalog, installed, partialBytes }: InfoResult, style: Style): Rendered {
  const prose = escapeText(catalog?.description ?? "");
  const facts = [
    ...(catalog === null ? [] : catalogFacts(catalog)),
    ...(installed === null ? [["installed", "no"]] : installedFacts(installed, catalog)),
    ["kept", partialBytes > 0 ? `${formatBytes(partialBytes)} of an unfinished download` : ""],
  ].filter(([, value]) => value !== "");
  const lines = [
    ...(prose === "" ? [] : wrapLine(prose, Math.max(20, style.columns - 2), { hang: "" })),
    ...alignRows(facts),
    ...(installed === null || installed.files.length === 1 ? [] : installed.files.flatMap(fileLines)),
  ];
  return rendered({ data: [style.paint.bold(escapeText(name)), ...lines.map((line) => `  ${line}`)] });
}

function catalogFacts(entry: CatalogEntry): string[][] {
  return [
    ["size", entry.sizeBytes === null ? "" : formatBytes(entry.sizeBytes)],
    ["parameters", escapeText(entry.params)],
    ["quant", escapeText(entry.quant)],
    ["kind", escapeText(entry.kind)],
    ["tier", entry.core ? `${entry.tier}, core` : String(entry.tier)],
    ["licence", escapeText(entry.license ?? "")],
    ["from", escapeText(entry.repo)],
    ["revision", escapeText(entry.revision ?? "")],
    ["also called", escapeText(entry.aliases.join(", "))],
  ];
}

/** What the catalog did not say already. */
function installedFacts(model: InstalledModel, catalog: CatalogEntry | null): string[][] {
  const [file] = model.files;
  return [
    ["size", catalog === null ? formatBytes(model.sizeBytes) : ""],
    ["from", catalog === null ? escapeText(model.ref) : ""],
    ["revision", catalog === null ? escapeText(model.revision ?? "") : ""],
    ["installed", escapeText(model.installedAt.slice(0, 10))],
    ["files", model.damage ?? ""],
    ["path", escapeText(model.path)],
    ...(file === undefined || model.files.length > 1
      ? []
      : [
          ["digest", VERDICTS[file.authority]],
          ["sha256", escapeText(file.sha256)],
        ]),
  ];
}

function fileLines({ path, sizeBytes, authority, sha256 }: InstalledModel["files"][number]): string[] {
  return [
    `${escapeText(path)}, ${formatBytes(sizeBytes)}, ${VERDICTS[authority]}`,
    `  sha256 ${escapeText(sha256)}`,
  ];
}

function isUnverified(model: InstalledModel): boolean {
  return model.files.some((file) => file.authority === "none");
}
