// What takes room on the disk and what gives it back: usage, cleanup, remove.

import type { CleanupItem, CleanupResult, RemoveResult, UsageResult } from "../domain/results.ts";
import { formatBytes, formatDuration } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { alignRows, fitName, fitRows, widthOf } from "./layout.ts";
import { plural, type Rendered, rendered } from "./rendered.ts";
import type { Style } from "./style.ts";

const SIZE_WIDTH = 7;
const GAP_WIDTH = 2;

/** Biggest first, then all together and what is free. */
export function renderUsage(result: UsageResult, style: Style): Rendered {
  const entries = [
    ...result.models.map(({ model, sizeBytes, files }) => ({
      sizeBytes,
      name: model,
      note: files > 1 ? plural(files, "file") : "",
    })),
    ...result.partials.map(({ path, of, sizeBytes }) => ({
      sizeBytes,
      name: of ?? path,
      note: "unfinished download",
    })),
    ...result.others.map(({ path, sizeBytes }) => ({ sizeBytes, name: path, note: "not from luci" })),
  ].toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const rows = entries.map(({ sizeBytes, name, note }) => {
    const words = note === "" ? "" : ` (${note})`;
    const taken = SIZE_WIDTH + GAP_WIDTH + widthOf(words);
    return [formatBytes(sizeBytes), fitName(escapeText(name), { style, taken }) + words];
  });
  const total = [formatBytes(result.totalBytes), `in all, ${formatBytes(result.freeBytes)} free`];
  const lines = alignRows([...rows, total], { right: [0] });
  return rendered({ data: [style.paint.bold(escapeText(result.modelsFolder)), ...lines] });
}

/** The plan of a cleanup: what would go, how old and how big it is, and why it may go. */
export function cleanupLines(items: readonly CleanupItem[], style: Style): string[] {
  const { paint } = style;
  const rows = items.map((item) => [
    formatBytes(item.sizeBytes),
    `${formatDuration(item.ageMs)} old`,
    item.kind,
    escapeText(item.of ?? item.path),
  ]);
  return alignRows(fitRows(rows, { style, column: 3 }), { right: [0, 1] }).flatMap((line, index) => {
    const reason = items[index]?.reason ?? "";
    return reason === "" ? [line] : [line, `   ${paint.dim(escapeText(reason))}`];
  });
}

export function renderCleanup(result: CleanupResult, style: Style): Rendered {
  const details = result.kept.map(
    (item) => `Kept ${escapeText(item.of ?? item.path)} (${escapeText(item.reason)})`,
  );
  const failures = result.failed.map(
    ({ path, reason }) => `Could not delete ${escapeText(path)}: ${escapeText(reason)}`,
  );
  return rendered({
    data: cleanupLines(result.items, style),
    details,
    failures,
    summary: [cleanupHeadline(result)],
  });
}

function cleanupHeadline({ items, executed, freedBytes, failed }: CleanupResult): string {
  if (items.length === 0) return "Nothing to clean up";
  if (executed)
    return `Deleted ${plural(items.length - failed.length, "item")}, ${formatBytes(freedBytes)} freed`;
  const bytes = items.reduce((sum, item) => sum + item.sizeBytes, 0);
  return `Nothing was deleted: ${plural(items.length, "item")} with ${formatBytes(bytes)} may go (--yes deletes)`;
}

export function renderRemove(result: RemoveResult): Rendered {
  const names = result.models.map((name) => escapeText(name)).join(", ");
  const bytes = result.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const shared = result.shared.map((path) => `Kept ${escapeText(path)} (another model uses it)`);
  if (result.executed) {
    return rendered({
      details: shared,
      summary: [
        `Removed ${names}, ${plural(result.files.length, "file")}, ${formatBytes(result.freedBytes)} freed`,
      ],
    });
  }
  const rows = result.files.map((file) => [formatBytes(file.sizeBytes), escapeText(file.path)]);
  const summary = [
    `Nothing was removed (dry run): ${names}, ${plural(result.files.length, "file")}, ${formatBytes(bytes)}`,
  ];
  return rendered({ data: alignRows(rows, { right: [0] }), details: shared, summary });
}
