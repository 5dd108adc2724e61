// What an audit found, model by model: the findings are data, what they add up to is the last word.

import { type Finding, type FindingKind, isDamage, isRead } from "../domain/finding.ts";
import { addRange, type Range } from "../domain/range.ts";
import type { VerifyResult } from "../domain/results.ts";
import { formatBytes } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { fitName, padLeft, padRight, wrapLine } from "./layout.ts";
import { renderFailed } from "./render-error.ts";
import { plural, type Rendered, rendered } from "./rendered.ts";
import { throughput } from "./sentences.ts";
import type { Paint, Style } from "./style.ts";

const WORDS: Readonly<Record<FindingKind, string>> = {
  ok: "ok",
  digest: "damaged",
  size: "wrong size",
  missing: "missing",
  unreadable: "unreadable",
  foreign: "foreign",
  unverifiable: "unverified",
};
const WORD_WIDTH = 10;
const SIZE_WIDTH = 7;
/** More damaged places than this are counted, not listed. */
const LISTED_RANGES = 6;

export function renderVerify(result: VerifyResult, style: Style): Rendered {
  const { paint } = style;
  const details = result.repaired.map(
    ({ model, fetchedBytes }) => `Repaired ${escapeText(model)}, ${formatBytes(fetchedBytes)} fetched`,
  );
  const failures = renderFailed(result.failed, { paint, named: true });
  return rendered({
    data: findingLines(result, style),
    details,
    failures,
    summary: summaryOf(result),
  });
}

function findingLines({ findings, repaired }: VerifyResult, style: Style): string[] {
  const mended = mendedIn({ findings, repaired });
  const models = [...new Set(findings.map((finding) => finding.model))].toSorted(
    (a, b) => Number(a === null) - Number(b === null),
  );
  return models.flatMap((model) => [
    style.paint.bold(model === null ? "(no model)" : fitName(escapeText(model), { style, taken: 0 })),
    ...findings
      .filter((finding) => finding.model === model)
      .flatMap((finding) => linesOf(finding, { style, isMended: mended.has(finding) })),
  ]);
}

/** What was damaged, and is not any more. */
function mendedIn({ findings, repaired }: Pick<VerifyResult, "findings" | "repaired">): Set<Finding> {
  const models = new Set<string | null>(repaired.map(({ model }) => model));
  return new Set(findings.filter((finding) => isDamage(finding) && models.has(finding.model)));
}

function linesOf(finding: Finding, { style, isMended }: { style: Style; isMended: boolean }): string[] {
  const { paint } = style;
  const word = isMended
    ? paint.green(padRight("repaired", WORD_WIDTH))
    : paintWord(finding, paint)(padRight(WORDS[finding.kind], WORD_WIDTH));
  const size = padLeft(finding.kind === "missing" ? "" : formatBytes(finding.sizeBytes), SIZE_WIDTH);
  const detail = isMended ? mendedDetail(finding) : detailOf(finding);
  const indent = `  ${" ".repeat(WORD_WIDTH)}  `;
  const taken = indent.length + SIZE_WIDTH + 2;
  const head = `  ${word}  ${size}  ${fitName(escapeText(finding.file), { style, taken })}`;
  if (detail === "") return [head];
  const below = indent + detail;
  return [head, ...(style.fits ? wrapLine(below, style.columns - 1, { hang: "" }) : [below])];
}

function paintWord(finding: Finding, paint: Paint): (text: string) => string {
  if (isDamage(finding)) return paint.red;
  return finding.kind === "ok" ? paint.green : paint.yellow;
}

function mendedDetail(finding: Finding): string {
  const detail = detailOf(finding);
  return `was ${WORDS[finding.kind]}${detail === "" ? "" : `: ${detail}`}`;
}

function detailOf(finding: Finding): string {
  // Of a file of another length the pieces are known only once it was read.
  if (finding.kind !== "size" && finding.badPieces.length > 0) return damageOf(finding);
  if (finding.detail !== "") return escapeText(finding.detail);
  return finding.kind === "unverifiable"
    ? "as first installed; no digest was published to hold it against"
    : "";
}

/** `2 of 25 pieces damaged: 8.4 MB–16.8 MB, …`; neighbouring pieces are told as one place. */
function damageOf({ badPieces, pieces }: Finding): string {
  const places = badPieces.reduce<Range[]>(addRange, []);
  const listed = places
    .slice(0, LISTED_RANGES)
    .map(({ startBytes, endBytes }) => `${formatBytes(startBytes)}–${formatBytes(endBytes)}`);
  const more = places.length > LISTED_RANGES ? ` and ${places.length - LISTED_RANGES} more places` : "";
  return `${badPieces.length} of ${plural(pieces, "piece")} damaged: ${listed.join(", ")}${more}`;
}

function summaryOf({ findings, quick, checkedBytes, elapsedMs, repaired, failed }: VerifyResult): string[] {
  const owned = findings.filter((finding) => finding.kind !== "foreign");
  if (findings.length === 0) return ["No models installed: nothing to verify"];
  const models = new Set(owned.map((finding) => finding.model)).size;
  const read = owned.filter(isRead).length;
  const part = quick || read === owned.length ? "" : `${read} of `;
  const looked = quick
    ? "looked at (sizes and times only)"
    : `read, ${formatBytes(checkedBytes)} ${throughput(checkedBytes, elapsedMs)}`;
  const count = (kind: FindingKind) => findings.filter((finding) => finding.kind === kind).length;
  const mended = mendedIn({ findings, repaired }).size;
  const damaged = findings.filter(isDamage).length - mended;
  const verdict = [
    damaged > 0 ? `${damaged} damaged or missing` : mended > 0 ? "" : "no damage found",
    count("unverifiable") > 0 ? `${count("unverifiable")} unverified` : "",
    count("foreign") > 0 ? plural(count("foreign"), "foreign file") : "",
    repaired.length > 0 ? `${plural(mended, "file")} of ${plural(repaired.length, "model")} repaired` : "",
    failed.length > 0 ? `${plural(failed.length, "model")} not repaired` : "",
  ];
  const words = verdict.filter((word) => word !== "").join(", ");
  return [
    `${part}${plural(owned.length, "file")} of ${plural(models, "model")} ${looked}`,
    words.charAt(0).toUpperCase() + words.slice(1),
  ];
}
