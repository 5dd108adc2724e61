// From a command's result to lines: the one place that knows every command.

import type { CommandResult, DemoResult, VersionResult } from "../domain/results.ts";
import { formatDuration } from "../domain/size.ts";
import { escapeText } from "../domain/text.ts";
import { renderCleanup, renderRemove, renderUsage } from "./render-disk.ts";
import { renderHistory, renderHistoryClear, renderUsageHistory } from "./render-history.ts";
import { renderDoctor } from "./render-doctor.ts";
import { renderInstall } from "./render-install.ts";
import { renderInfo, renderList, renderPath, renderWait } from "./render-models.ts";
import { renderVerify } from "./render-verify.ts";
import { renderPs, renderSteer } from "./render-jobs.ts";
import { renderDetach, renderServe } from "./render-serve.ts";
import { type Rendered, rendered } from "./rendered.ts";
import { type Style, SYMBOLS } from "./style.ts";

/** The lines of any command's result. */
export function renderResult(result: CommandResult, style: Style): Rendered {
  switch (result.command) {
    case "install":
      return renderInstall(result, style);
    case "verify":
      return renderVerify(result, style);
    case "cleanup":
      return renderCleanup(result, style);
    case "usage":
      return renderUsage(result, style);
    case "list":
      return renderList(result, style);
    case "info":
      return renderInfo(result, style);
    case "path":
      return renderPath(result);
    case "remove":
      return renderRemove(result);
    case "ps":
      return renderPs(result, style);
    case "pause":
    case "resume":
    case "cancel":
    case "limit":
    case "priority":
      return renderSteer(result);
    case "serve":
      return renderServe(result);
    case "wait":
      return renderWait(result);
    case "history":
      return renderHistory(result, style);
    case "history-clear":
      return renderHistoryClear(result);
    case "usage-history":
      return renderUsageHistory(result, style);
    case "detach":
      return renderDetach(result);
    case "version":
      return renderVersion(result);
    case "doctor":
      return renderDoctor(result, style);
    case "demo":
      return renderDemo(result, style);
  }
}

function renderVersion({ version, runtime, platform }: VersionResult): Rendered {
  return rendered({
    data: [`luci ${escapeText(version)} (${escapeText(runtime)}, ${escapeText(platform)})`],
  });
}

function renderDemo({ steps, elapsedMs }: DemoResult, { paint }: Style): Rendered {
  const details = steps.flatMap(({ title, ok, detail }) => [
    ok
      ? `${paint.green(SYMBOLS.done)} ${escapeText(title)}`
      : `${paint.red(SYMBOLS.failed)} failed: ${escapeText(title)}`,
    ...(detail === "" ? [] : [`   ${paint.dim(escapeText(detail))}`]),
  ]);
  const good = steps.filter((step) => step.ok).length;
  return rendered({
    details,
    summary: [`${good} of ${steps.length} steps as they should be, in ${formatDuration(elapsedMs)}`],
  });
}
