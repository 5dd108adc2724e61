// How much of what a run wants is already there, read from the disk by somebody who is not luci.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { RunningChild } from "../../src/demo/child.ts";
import { until } from "./until.ts";

/** A file that a run wants. */
export interface WantedFile {
  /** Under the models folder, with forward slashes. */
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** What of an installed but damaged file is still good; 0 for one that is not there yet. */
  readonly soundBytes: number;
}

/** Bytes of these files that the next run need not fetch: final, or vouched for by a journal. `broken` are damaged finals. */
export async function keptBytes(
  models: string,
  wanted: readonly WantedFile[],
  broken: ReadonlySet<string>,
): Promise<number> {
  const journals = await journalBytes(join(models, ".luci", "v1", "partials"));
  let sum = 0;
  for (const file of wanted) {
    const found = await stat(join(models, ...file.path.split("/"))).catch(() => null);
    const isWhole = found?.size === file.sizeBytes && !broken.has(file.path);
    sum += isWhole ? file.sizeBytes : Math.max(file.soundBytes, journals.get(`sha256-${file.sha256}`) ?? 0);
  }
  return sum;
}

/** Bytes that the journals of unfinished downloads claim; `models` is the models folder. */
export async function vouchedBytes(models: string): Promise<number> {
  const journals = await journalBytes(join(models, ".luci", "v1", "partials"));
  return [...journals.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** What a run of one file with `--json` said last that it has of it; 0 before. */
export function saidBytes(child: Pick<RunningChild, "output">): number {
  const said = child.output().stdout.matchAll(/"type":"file\.progress".*?"doneBytes":(\d+)/g);
  return Number([...said].at(-1)?.[1] ?? 0);
}

/** Resolves when so much of unfinished downloads lies on the disk, in a journal or not; `models` is the models folder. */
export function whenWritten(models: string, sizeBytes: number): Promise<void> {
  const folder = join(models, ".luci", "v1", "partials");
  return until("it is written", async () => {
    const parts = (await readdir(folder)).filter((name) => name.endsWith(".part"));
    const blocks = await Promise.all(parts.map(async (name) => (await stat(join(folder, name))).blocks));
    return blocks.reduce((sum, count) => sum + count * 512, 0) >= sizeBytes;
  });
}

/** Key → bytes its journal claims, where there is data for it. */
async function journalBytes(folder: string): Promise<Map<string, number>> {
  const names = await readdir(folder).catch(() => []);
  const found = new Map<string, number>();
  for (const name of names.filter((one) => one.endsWith(".json"))) {
    const key = name.slice(0, -".json".length);
    if (!names.some((one) => one.startsWith(`${key}.`) && one.endsWith(".part"))) continue;
    // A process that is at work may take a journal away under our eyes.
    const text = await readFile(join(folder, name), "utf8").catch(() => "{}");
    const { journal } = JSON.parse(text) as {
      journal?: { ranges?: [number, number][] };
    };
    found.set(
      key,
      (journal?.ranges ?? []).reduce((sum, [start, end]) => sum + end - start, 0),
    );
  }
  return found;
}
