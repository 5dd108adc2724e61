// The steps of the demo, in order. Each drives luci, then judges by exit codes, by the disk and by the hub's log.

import { join } from "node:path";
import type { LuciEvent } from "../domain/events.ts";
import type { Range } from "../domain/range.ts";
import { rangeSize } from "../domain/range.ts";
import type { CommandResult } from "../domain/results.ts";
import { sleep } from "../platform/clock.ts";
import type { ChildResult, RunningChild } from "./child.ts";
import type { DemoModel } from "./demo-models.ts";
import type { DemoStage } from "./demo-stage.ts";
import type { LogFilter } from "./hub-log.ts";
import { bytesContent } from "./content.ts";

/** How a step went, in one line with real numbers. */
export interface StepOutcome {
  readonly ok: boolean;
  readonly detail: string;
}

const MIB = 1024 * 1024;
const SLOW_BYTES_PER_SEC = 8 * MIB;
/** For each connection: no silence, and so little that nothing is whole before it is interrupted. */
const TRICKLE_BYTES_PER_SEC = 16 * 1024;
const LOOK_MS = 20;
/** Ctrl-C is answered within a second; a disk that is still writing is waited for, ten seconds at most. */
const ANSWER_MS = 11_000;
const INTERRUPTED_EXIT = 130;
const DAMAGED_EXIT = 4;
const FLIPPED_BYTE = 21 * MIB + 77;

export async function installSmall(stage: DemoStage): Promise<StepOutcome> {
  const { small } = stage.models;
  const run = await stage.luci("install", small.name, "--yes");
  const isRight = await stage.holds(small.path, small.content);
  const took = `${inMib(stage.fetchedBytes())} in ${inSeconds(run)}`;
  return judge(run, {
    exit: 0,
    ok: isRight,
    detail: `${took}, SHA-256 ${small.content.sha256.slice(0, 12)}…`,
  });
}

export async function interrupt(stage: DemoStage): Promise<StepOutcome> {
  const { large } = stage.models;
  const { run, answeredMs } = await interruptedInstall(stage, large);
  const isHidden = (await stage.files.facts(join(stage.modelsFolder, large.path))) === null;
  const detail = `answered in ${answeredMs} ms after ${inMib(stage.fetchedBytes())} of ${inMib(large.content.sizeBytes)}; no unfinished file under its final name`;
  return judge(run, { exit: INTERRUPTED_EXIT, ok: isHidden && answeredMs < ANSWER_MS, detail });
}

export async function continueInstall(stage: DemoStage): Promise<StepOutcome> {
  const { large } = stage.models;
  const { sizeBytes } = large.content;
  const before = await stage.luci("info", large.name, "--json");
  const keptBytes = resultOf(before, "info")?.partialBytes ?? 0;
  stage.hub.reset();
  const run = await stage.luci("install", large.name, "--yes");
  const isOnlyRest = keptBytes > 0 && stage.askedBytes(large) <= sizeBytes - keptBytes;
  const isRight = await stage.holds(large.path, large.content);
  const detail = `${inMib(stage.fetchedBytes())} fetched, ${inMib(keptBytes)} kept from before, SHA-256 right`;
  return judge(run, { exit: 0, ok: isOnlyRest && isRight, detail });
}

export async function installTree(stage: DemoStage): Promise<StepOutcome> {
  const { repo, files } = stage.models.tree;
  const run = await stage.luci("install", `hf:${repo}`, "--yes");
  const folder = repo.replace("/", "--");
  const wrong: string[] = [];
  for (const { path, content } of files) {
    const wanted =
      typeof content === "string" || content instanceof Uint8Array ? bytesContent(content) : content;
    if (!(await stage.holds(join(folder, path), wanted))) wrong.push(path);
  }
  const detail =
    wrong.length === 0 ? `${files.length} files in ${folder}/` : `wrong or missing: ${wrong.join(", ")}`;
  return judge(run, { exit: 0, ok: wrong.length === 0, detail });
}

export async function damage(stage: DemoStage): Promise<StepOutcome> {
  const { large } = stage.models;
  await flipBit(stage, large);
  const run = await stage.luci("verify", large.name, "--json");
  const bad = badPieces(run, large);
  const piece = bad[0];
  const isNamed =
    bad.length === 1 &&
    piece !== undefined &&
    piece.startBytes <= FLIPPED_BYTE &&
    piece.endBytes > FLIPPED_BYTE &&
    rangeSize(piece) < large.content.sizeBytes;
  const where = piece ? `bytes ${piece.startBytes} to ${piece.endBytes}` : "no piece";
  const detail = `bit flipped at byte ${FLIPPED_BYTE}; verify says ${where} and exits ${run.exitCode}`;
  return judge(run, { exit: DAMAGED_EXIT, ok: isNamed, detail });
}

export async function repair(stage: DemoStage): Promise<StepOutcome> {
  const { large } = stage.models;
  stage.hub.reset();
  const run = await stage.luci("verify", large.name, "--repair");
  const fetchedBytes = stage.fetchedBytes();
  const isRight = await stage.holds(large.path, large.content);
  const isSmall = fetchedBytes > 0 && stage.askedBytes(large) <= 8 * MIB;
  const detail = `${inMib(fetchedBytes)} of ${inMib(large.content.sizeBytes)} fetched, SHA-256 right again`;
  return judge(run, { exit: 0, ok: isRight && isSmall, detail });
}

export async function cleanUp(stage: DemoStage): Promise<StepOutcome> {
  const { abandoned, small, large } = stage.models;
  const { run: interrupted } = await interruptedInstall(stage, abandoned);
  if (interrupted.exitCode !== INTERRUPTED_EXIT)
    return judge(interrupted, { exit: INTERRUPTED_EXIT, ok: true, detail: "" });
  const dryRun = await stage.luci("cleanup", "--dry-run", "--json");
  const planned = resultOf(dryRun, "cleanup");
  const keptBefore = (await partials(stage)).length;
  const run = await stage.luci("cleanup", "--yes", "--json");
  const freedBytes = resultOf(run, "cleanup")?.freedBytes ?? 0;
  const left = await partials(stage);
  const isKept =
    (await stage.holds(small.path, small.content)) && (await stage.holds(large.path, large.content));
  const isPlanned = planned?.executed === false && planned.items.length > 0 && keptBefore > 0;
  const detail = `${inMib(freedBytes)} freed, ${left.length} leftovers, installed models untouched`;
  return judge(run, { exit: 0, ok: isPlanned && left.length === 0 && isKept && freedBytes > 0, detail });
}

export async function showUsage(stage: DemoStage): Promise<StepOutcome> {
  const { small, large, tree } = stage.models;
  const run = await stage.luci("usage", "--json");
  const usage = resultOf(run, "usage");
  const leastBytes = small.content.sizeBytes + large.content.sizeBytes;
  const isRight = usage !== null && usage.models.length === 3 && usage.totalBytes >= leastBytes;
  const detail = usage
    ? `${usage.models.length} models (one of them ${tree.repo}), ${inMib(usage.totalBytes)}`
    : "no result in the output";
  return judge(run, { exit: 0, ok: isRight, detail });
}

/** Starts a slow install, presses Ctrl-C when a third went out and most of that has arrived, and waits for the end. */
async function interruptedInstall(
  stage: DemoStage,
  model: DemoModel,
): Promise<{ run: ChildResult; answeredMs: number }> {
  const { hub, signal } = stage;
  hub.reset();
  hub.behave({ rateBytesPerSec: SLOW_BYTES_PER_SEC });
  try {
    const child = stage.start("install", model.name, "--yes", "--json");
    const filter: LogFilter = (entry) => entry.origin === "cdn";
    const third = hub.whenServed(model.content.sizeBytes / 3, { filter, signal });
    // When the demo itself is interrupted the child is killed: its end must still be awaited.
    await Promise.race([third.catch(() => undefined), child.ended]);
    // A luci that had no turn has yet to take what lies in its sockets.
    hub.behave({ rateBytesPerSec: TRICKLE_BYTES_PER_SEC });
    await hasArrived(child, model.content.sizeBytes / 4);
    const sentMs = performance.now();
    child.kill("SIGINT");
    const run = await child.ended;
    return { run, answeredMs: Math.round(performance.now() - sentMs) };
  } finally {
    hub.behave({ rateBytesPerSec: null });
  }
}

/** Resolves once a child that speaks JSON says that so many bytes of a file have arrived, or has ended. */
async function hasArrived(child: RunningChild, leastBytes: number): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  void child.ended.then(end, end);
  const isThere = (): boolean =>
    eventsOf(child.output()).some((event) => event.type === "file.progress" && event.doneBytes >= leastBytes);
  while (!ended.signal.aborted && !isThere()) await sleep(LOOK_MS, ended.signal).catch(() => undefined);
}

async function flipBit(stage: DemoStage, model: DemoModel): Promise<void> {
  const file = await stage.files.open(join(stage.modelsFolder, model.path), "update");
  try {
    const byte = new Uint8Array(1);
    await file.read(byte, FLIPPED_BYTE);
    await file.write(FLIPPED_BYTE, [byte.map((value) => value ^ 0b100)]);
  } finally {
    await file.close();
  }
}

/** Names in the folder of partials. */
function partials(stage: DemoStage): Promise<string[]> {
  return stage.files.list(join(stage.modelsFolder, ".luci", "v1", "partials"));
}

/** The events of a `--json` run, as far as they are told. */
function eventsOf({ stdout }: Pick<ChildResult, "stdout">): LuciEvent[] {
  const told = stdout.split("\n").slice(0, -1);
  const lines = told.filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as LuciEvent);
}

function resultOf<Name extends CommandResult["command"]>(
  run: ChildResult,
  command: Name,
): Extract<CommandResult, { command: Name }> | null {
  for (const event of eventsOf(run)) {
    if (event.type === "result" && event.result.command === command) {
      return event.result as Extract<CommandResult, { command: Name }>;
    }
  }
  return null;
}

function badPieces(run: ChildResult, model: DemoModel): readonly Range[] {
  const events = eventsOf(run).flatMap((event) => (event.type === "finding" ? [event.finding] : []));
  return events.find((one) => one.kind === "digest" && one.file === model.path)?.badPieces ?? [];
}

/** A step is right when the exit code is and the evidence is; else its line says what luci said last. */
function judge(run: ChildResult, verdict: { exit: number; ok: boolean; detail: string }): StepOutcome {
  if (run.exitCode === verdict.exit) return { ok: verdict.ok, detail: verdict.detail };
  const said = run.stderr.trim().split("\n").at(-1) ?? "";
  return { ok: false, detail: `exit code ${run.exitCode} instead of ${verdict.exit}: ${said}` };
}

function inMib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function inSeconds(run: ChildResult): string {
  return `${(run.elapsedMs / 1000).toFixed(1)} s`;
}
