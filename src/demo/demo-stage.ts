// What every step of the demo works with: the hub, the home, and luci itself as a child process.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Range, addRange, totalSize } from "../domain/range.ts";
import type { Files } from "../platform/files.ts";
import { startChild } from "./child.ts";
import type { ChildResult, RunningChild } from "./child.ts";
import type { Content } from "./content.ts";
import type { DemoModel, DemoModels } from "./demo-models.ts";
import type { Hub } from "./hub.ts";
import { parseRange } from "./hub-request.ts";

/** Of a child that hangs: a busy machine may take its time. */
const CHILD_TIMEOUT_MS = 60_000;
const READ_STEP_BYTES = 1024 * 1024;

export interface StageOptions {
  readonly executable: readonly string[];
  readonly homeFolder: string;
  readonly catalogFile: string;
  readonly files: Files;
  readonly hub: Hub;
  readonly models: DemoModels;
  readonly signal: AbortSignal;
}

export interface DemoStage extends StageOptions {
  readonly modelsFolder: string;
  /** Runs luci to its end. */
  luci(...args: string[]): Promise<ChildResult>;
  /** Starts luci, to be interrupted. */
  start(...args: string[]): RunningChild;
  /** File bytes that left the CDN since the last `hub.reset()`. */
  fetchedBytes(): number;
  /** How much of a model's file the CDN was asked for since then: what was asked for twice counts once. */
  askedBytes(model: DemoModel): number;
  /** Whether a file of the models folder holds exactly this content. */
  holds(file: string, content: Content): Promise<boolean>;
}

/** Sets the stage. The children get an environment of their own: no proxy, no token, no foreign setting. */
export function createStage(options: StageOptions): DemoStage {
  const { executable, homeFolder, catalogFile, hub, signal } = options;
  const modelsFolder = join(homeFolder, "models");
  const env = {
    ...inherited("PATH", "TMPDIR", "SystemRoot", "TEMP", "TMP"),
    HOME: homeFolder,
    USERPROFILE: homeFolder,
    LUCI_HOME: homeFolder,
    LUCI_MODELS: modelsFolder,
    LUCI_CATALOG: catalogFile,
    HF_ENDPOINT: hub.url,
    NO_COLOR: "1",
  };
  const start = (...args: string[]): RunningChild =>
    startChild([...executable, ...args], { env, cwd: homeFolder, timeoutMs: CHILD_TIMEOUT_MS, signal });
  return {
    ...options,
    modelsFolder,
    start,
    luci: (...args) => start(...args).ended,
    fetchedBytes: () => hub.servedBytes((entry) => entry.origin === "cdn"),
    askedBytes: (model) => askedBytes(hub, model),
    holds: (file, content) => holds(join(modelsFolder, file), { content, files: options.files }),
  };
}

function inherited(...names: string[]): Record<string, string> {
  const found = names.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

function askedBytes(hub: Hub, { content: { sizeBytes } }: DemoModel): number {
  const ranges = hub
    .log(({ origin }) => origin === "cdn")
    .map(({ range }) => parseRange(range, sizeBytes) ?? { startBytes: 0, endBytes: sizeBytes })
    .filter((range): range is Range => range !== "unsatisfiable");
  return totalSize(ranges.reduce<Range[]>(addRange, []));
}

async function holds(path: string, options: { content: Content; files: Files }): Promise<boolean> {
  const { content, files } = options;
  const facts = await files.facts(path);
  if (facts?.kind !== "file" || facts.sizeBytes !== content.sizeBytes) return false;
  const file = await files.open(path, "read");
  try {
    const hash = createHash("sha256");
    const buffer = new Uint8Array(READ_STEP_BYTES);
    for (let atBytes = 0; atBytes < content.sizeBytes; atBytes += READ_STEP_BYTES) {
      const readBytes = await file.read(buffer, atBytes);
      hash.update(buffer.subarray(0, readBytes));
    }
    return hash.digest("hex") === content.sha256;
  } finally {
    await file.close();
  }
}
