// The end of an install: one model by its path, a batch as a table, a dry run as a plan.

import type { InstallResult, PlannedModel, Receipt } from "../domain/results.ts";
import { formatBytes } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { alignRows, fitName, fitRows, widthOf } from "./layout.ts";
import { renderFailed } from "./render-error.ts";
import { plural, type Rendered, rendered } from "./rendered.ts";
import { throughput, UNVERIFIED } from "./sentences.ts";
import { type Style, SYMBOLS } from "./style.ts";

export function renderInstall(result: InstallResult, style: Style): Rendered {
  if (result.declined) return rendered({ summary: ["Nothing was installed"] });
  if (result.dryRun !== null) return renderDryRun(result, result.dryRun, style);
  const named = result.totalModels > 1;
  const failures = renderFailed(result.failed, { paint: style.paint, named });
  if (named)
    return rendered({ details: batchLines(result, style), failures, summary: [batchHeadline(result)] });
  return rendered({
    failures,
    summary: result.installed.flatMap((receipt) => singleLines(receipt, { result, style })),
  });
}

function singleLines(
  receipt: Receipt,
  { result: { elapsedMs }, style }: { result: InstallResult; style: Style },
): string[] {
  const name = fitName(escapeText(receipt.model), { style, taken: widthOf("Installed ,") });
  const size = formatBytes(receipt.totalBytes);
  const verdict = verdictOf(receipt);
  const headline = receipt.already
    ? `${name} is already installed, ${size}`
    : `Installed ${name}, ${size} ${throughput(receipt.fetchedBytes, elapsedMs)}`;
  return [verdict === "" ? headline : `${headline}, ${verdict}`, `   ${escapeText(receipt.path)}`];
}

function batchLines({ installed, failed }: InstallResult, style: Style): string[] {
  const { paint } = style;
  const rows = [
    ...installed.map((receipt) => [
      paint.green(SYMBOLS.done),
      escapeText(receipt.model),
      formatBytes(receipt.totalBytes),
      [receipt.already ? "already installed" : "installed", verdictOf(receipt)]
        .filter((word) => word !== "")
        .join(", "),
    ]),
    ...failed.map(({ model, error }) =>
      error.code === "E_CANCELLED"
        ? [paint.yellow(SYMBOLS.cancelled), escapeText(model), "", "cancelled"]
        : [paint.red(SYMBOLS.failed), escapeText(model), "", "failed"],
    ),
  ];
  return alignRows(fitRows(rows, { style, column: 1 }), { right: [2] });
}

function batchHeadline({ installed, failed, totalModels, fetchedBytes, elapsedMs }: InstallResult): string {
  const count = `${installed.length} of ${plural(totalModels, "model")} installed`;
  if (fetchedBytes === 0) return failed.length > 0 ? count : `${count}, nothing to fetch`;
  return `${count}, ${formatBytes(fetchedBytes)} fetched ${throughput(fetchedBytes, elapsedMs)}`;
}

/** Unverified files are said in words, and how many where it is not all of them. */
function verdictOf({ files }: Receipt): string {
  const unverified = files.filter((file) => file.authority === "none").length;
  if (unverified === 0) return "";
  return unverified === files.length ? UNVERIFIED : `${unverified} of ${files.length} files ${UNVERIFIED}`;
}

function renderDryRun(result: InstallResult, models: readonly PlannedModel[], style: Style): Rendered {
  const missingBytes = models.reduce((sum, model) => sum + model.missingBytes, 0);
  const failures = renderFailed(result.failed, { paint: style.paint, named: result.totalModels > 1 });
  const failed = result.failed.length;
  const fetch = missingBytes === 0 ? "nothing to fetch" : `${formatBytes(missingBytes)} to fetch`;
  const found = [
    failed === 0
      ? plural(models.length, "model")
      : `${models.length} of ${plural(models.length + failed, "model")}`,
    ...(failed > 0 && missingBytes === 0 ? [] : [fetch]),
  ];
  const summary = [`${found.join(", ")}: nothing was changed (dry run)`];
  return rendered({ data: models.flatMap((model) => plannedLines(model, style)), failures, summary });
}

function plannedLines(
  { model, revision, totalBytes, missingBytes, files }: PlannedModel,
  { paint }: Style,
): string[] {
  const pinned = revision === null ? "" : ` @ ${escapeText(revision.slice(0, 12))}`;
  const toFetch =
    missingBytes === 0 ? "installed" : `${formatBytes(missingBytes)} of ${formatBytes(totalBytes)} to fetch`;
  const rows = files.map((file) => [
    file.state,
    file.sizeBytes === null ? "?" : formatBytes(file.sizeBytes),
    escapeText(file.path) + (file.digest === null ? `, ${UNVERIFIED}` : ""),
  ]);
  return [
    `${paint.bold(escapeText(model))}${pinned}: ${toFetch}`,
    ...alignRows(rows, { right: [1], indent: "  " }),
  ];
}
