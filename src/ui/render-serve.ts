// What a daemon leaves behind when it ends, and what was handed to one.

import type { DetachResult, ServeResult } from "../domain/results.ts";
import { escapeText } from "../domain/text.ts";
import { type Rendered, plural, rendered } from "./rendered.ts";

export function renderServe({ text, url, openDownloads }: ServeResult): Rendered {
  if (text !== null) return rendered({ data: text.split("\n").map((line) => escapeText(line)) });
  if (url === null || openDownloads === 0) return rendered({ summary: ["Ended"] });
  return rendered({
    summary: [`Ended: ${plural(openDownloads, "download")} will go on when it is started again`],
  });
}

export function renderDetach({ downloads, pid }: DetachResult): Rendered {
  const data = downloads.map(({ id, ref, state }) => `${id}  ${escapeText(ref)}  ${state}`);
  return rendered({
    data,
    summary: [`Handed to luci serve (process ${pid}): \`luci ps\` shows how far it is`],
  });
}
