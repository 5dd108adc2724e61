// What an end-to-end test stands on: an empty home, an embedded hub and the built luci, closed together.

import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { RunningChild } from "../../src/demo/child.ts";
import { startHub } from "../../src/demo/hub.ts";
import type { Hub, HubOptions } from "../../src/demo/hub.ts";
import type { HubLogEntry } from "../../src/demo/hub-log.ts";
import { isHomeFile } from "./home-files.ts";
import { vouchedBytes } from "./kept-bytes.ts";
import { parseEvents, runLuci, startLuci } from "./run-luci.ts";
import type { LuciRun, RunOptions, SignalAfter } from "./run-luci.ts";
import { tempHome } from "./temp-home.ts";
import { until } from "./until.ts";

export type StageRun = Partial<RunOptions> & { readonly signalAfter?: SignalAfter };

export interface Stage extends AsyncDisposable {
  readonly home: string;
  readonly models: string;
  readonly partials: string;
  readonly manifests: string;
  readonly hub: Hub;
  /** Runs luci to its end. */
  luci(args: readonly string[], options?: StageRun): Promise<LuciRun>;
  /** Starts luci, to be watched or killed. */
  start(args: readonly string[], options?: StageRun): RunningChild;
}

/** Opens a stage; `await using stage = await openStage({ repos })`. */
export async function openStage(options: HubOptions): Promise<Stage> {
  const home = await tempHome();
  const hub = await startHub(options);
  const withHome = (run: StageRun): RunOptions => ({
    home: home.path,
    hub,
    ...run,
    env: { NO_COLOR: "1", ...run.env },
  });
  return {
    home: home.path,
    models: home.models,
    partials: join(home.models, ".luci", "v1", "partials"),
    manifests: join(home.models, ".luci", "v1", "manifests"),
    hub,
    luci: (args, run = {}) => runLuci(args, { ...run, ...withHome(run) }),
    start: (args, run = {}) => startLuci(args, withHome(run)),
    [Symbol.asyncDispose]: async () => {
      await hub.stop();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** Makes a home as good as new, but for its catalog and its token; and the hub is well, and nobody has asked it. */
export async function clearStage({ home, hub }: Pick<Stage, "home" | "hub">): Promise<void> {
  const left = (await readdir(home)).filter((name) => isHomeFile(name) || CLEARED.has(name));
  for (const name of left) await rm(join(home, name), { recursive: true });
  hub.behave({ intercept: null, rateBytesPerSec: null });
  hub.reset();
}

/** Whether a request asked for bytes of a file, not for metadata. */
export function isFileRequest({ origin, path }: Pick<HubLogEntry, "origin" | "path">): boolean {
  return origin === "cdn" || path.includes("/resolve");
}

/** Body bytes of files that left a hub since its last reset; what redirects say is not counted. */
export function fileBytes(hub: Hub): number {
  return hub.servedBytes((entry) => isFileRequest(entry) && entry.status < 300);
}

/** In a home, beside the records. */
const CLEARED = new Set(["models", "config.toml"]);
/** For each answer of the hub: no silence, and so little that no file ends while a test looks at it. */
const TRICKLE_BYTES_PER_SEC = 16 * 1024;
/** Of what never comes. */
const DEADLINE_MS = 60_000;

/** From now on bytes only trickle: nobody gets done before `behave` sets another rate. */
export function hold(hub: Pick<Hub, "behave">): void {
  hub.behave({ rateBytesPerSec: TRICKLE_BYTES_PER_SEC });
}

/** Resolves when so many bytes of files went out since the last reset; from then on they trickle. */
export async function heldAfter(hub: Hub, sizeBytes: number): Promise<void> {
  await hub.whenServed(sizeBytes, { filter: isFileRequest, signal: AbortSignal.timeout(DEADLINE_MS) });
  hold(hub);
}

/**
 * Resolves when so many bytes went out and running installs say that they have at least `leastBytes`, unfinished: what was served
 * may lie in a socket for long. From then on bytes trickle.
 */
export async function arrivedAfter(
  stage: Stage,
  { servedBytes, leastBytes }: { readonly servedBytes: number; readonly leastBytes: number },
): Promise<void> {
  await heldAfter(stage.hub, servedBytes);
  await until(`${leastBytes} bytes have arrived`, async () => {
    const run = await stage.luci(["ps", "--json"]);
    const jobs = (resultOf(run)["jobs"] ?? []) as { doneBytes: number }[];
    return jobs.some(({ doneBytes }) => doneBytes >= leastBytes);
  });
}

/**
 * The same, and the journals vouch for so many bytes: an interrupted run has a second for its last checkpoint, and a busy disk may
 * need longer. From then on everything is paused.
 */
export async function keptAfter(
  stage: Stage,
  bytes: { readonly servedBytes: number; readonly leastBytes: number },
): Promise<void> {
  await arrivedAfter(stage, bytes);
  const { exitCode, stderr } = await stage.luci(["pause", "--all"]);
  if (exitCode !== 0) throw new Error(`luci pause: ${stderr}`);
  await until("it is kept", async () => (await vouchedBytes(stage.models)) >= bytes.leastBytes);
}

/** Several connections help each other where it is slow, and then bytes come twice: where every byte is counted, one fetches them. */
export const ONE_BY_ONE: readonly string[] = ["--connections", "1"];

/** A model of a catalog file, pinned to what a hub has. */
export interface CatalogLine {
  readonly name: string;
  readonly repo: string;
  readonly files: readonly string[];
  readonly aliases?: readonly string[];
  readonly tier?: number;
  /** What the catalog says of every file, where that is not the truth. */
  readonly claim?: { readonly size?: number; readonly sha256?: string };
}

/** Writes a catalog file for `LUCI_CATALOG` and answers the environment that names it. */
export async function writeCatalog(
  stage: Pick<Stage, "home" | "hub">,
  lines: readonly CatalogLine[],
): Promise<{ LUCI_CATALOG: string }> {
  const models = lines.map(({ name, repo, files, aliases = [], tier = 0, claim = {} }) => {
    const known = stage.hub.filesOf(repo);
    const pinned = files.map((path) => {
      const { sizeBytes: size = 0, sha256 = "0".repeat(64) } = known.get(path)?.content ?? {};
      return { path, size, sha256, ...claim };
    });
    const source = { hub: "huggingface", repo, revision: stage.hub.commitOf(repo), files: pinned };
    return { name, aliases, tier, source };
  });
  const path = join(stage.home, "catalog.json");
  const core = lines.map(({ name }) => name);
  await writeFile(path, JSON.stringify({ version: 1, groups: { core }, models }));
  return { LUCI_CATALOG: path };
}

/** The `result` that a `--json` run ended with. @throws Error when its last line is something else */
export function resultOf(run: Pick<LuciRun, "stdout" | "stderr">): Record<string, unknown> {
  const last = parseEvents(run.stdout).at(-1);
  if (last?.["type"] !== "result") throw new Error(`no result:\n${run.stdout}\n${run.stderr}`);
  return last["result"] as Record<string, unknown>;
}

/** The error object on the last line of standard error of a `--json` run. */
export function errorOf(run: Pick<LuciRun, "stderr">): Record<string, unknown> {
  return JSON.parse(run.stderr.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
}

/** Every file below a folder, relative, with forward slashes; empty if there is no such folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .toSorted();
}

/** Files under a final name. */
export async function finalsBelow(models: string): Promise<string[]> {
  return (await filesBelow(models)).filter((path) => !path.startsWith(".luci/"));
}

/** What files are: path → size, modification time and bytes, to see that nothing changed. */
export async function snapshot(folder: string): Promise<Record<string, string>> {
  const entries = await Promise.all(
    (await filesBelow(folder)).map(async (path) => {
      const full = join(folder, path);
      const { size, mtimeNs, ino } = await stat(full, { bigint: true });
      const digest = new Bun.CryptoHasher("sha256").update(await readFile(full)).digest("hex");
      return [path, `${size} ${mtimeNs} ${ino} ${digest}`] as const;
    }),
  );
  return Object.fromEntries(entries);
}

/** Makes a folder with files in it. */
export async function writeTree(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}
