// A store on a real temporary folder, and files to put into it.

import { join } from "node:path";
import type { PlanFile } from "../../src/domain/plan.ts";
import type { HasherChoice } from "../../src/domain/settings.ts";
import type { Files } from "../../src/platform/files.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { type Journal, formatJournal, parseJournal } from "../../src/store/journal.ts";
import { journalPath, partialFileName, partialKey } from "../../src/store/layout.ts";
import type { ManifestFile } from "../../src/store/manifest.ts";
import { openPartial } from "../../src/store/open-partial.ts";
import type { StorePartial } from "../../src/store/partial.ts";
import type { PartialOptions } from "../../src/store/partial-options.ts";
import { type Store, openStore } from "../../src/store/store.ts";
import { tempHome } from "./temp-home.ts";

/** The path of the one file most tests need. */
const WEIGHTS = "weights.safetensors";

export interface StoreRoom extends AsyncDisposable {
  readonly store: Store;
  /** The models folder. */
  readonly folder: string;
}

/** A store in a temporary folder, gone with its workers at the end of the block. */
export async function storeRoom(options: { files?: Files; hasher?: HasherChoice } = {}): Promise<StoreRoom> {
  const home = await tempHome();
  const { files = nodeFiles(), hasher = "auto" } = options;
  const store = openStore({ files, modelsFolder: home.models, hasher });
  return {
    store,
    folder: home.models,
    [Symbol.asyncDispose]: async () => {
      store.hashes.close();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** A file of a plan; without a digest it is one that only its address knows. */
export function planFile(change: Partial<PlanFile> = {}): PlanFile {
  return {
    path: WEIGHTS,
    sizeBytes: 1_000,
    digest: null,
    authority: "none",
    origin: { kind: "url", url: "https://example.com/weights" },
    ...change,
  };
}

/** The record of an installed file. */
export function manifestFile(change: Partial<ManifestFile> = {}): ManifestFile {
  return {
    path: WEIGHTS,
    sizeBytes: 1_000,
    sha256: "ab".repeat(32),
    gitSha1: null,
    authority: "hub",
    modifiedNs: "1",
    pieces: [],
    origin: { kind: "url", url: "https://example.com/weights" },
    ...change,
  };
}

/** What was said while a partial was open. */
export interface OpenedPartial {
  readonly partial: StorePartial;
  readonly restarts: string[];
}

/** Opens a file's partial. */
export async function openRoomPartial(
  store: Store,
  file: PlanFile,
  change: Partial<PartialOptions> = {},
): Promise<OpenedPartial> {
  const restarts: string[] = [];
  const options = { file, label: "model · file", fresh: false, ...change };
  const partial = await openPartial(store, { ...options, onRestart: (reason) => void restarts.push(reason) });
  return { partial, restarts };
}

/** The path of a file's data at rest. */
export function restPath(store: Store, file: PlanFile): string {
  return join(store.layout.partialsFolder, partialFileName({ key: partialKey(file), tag: null }));
}

/** The journal on disk; null for none or a bad one. */
export async function journalOf(store: Store, file: PlanFile): Promise<Journal | null> {
  const key = partialKey(file);
  const text = await store.files.readText(journalPath(store.layout, key), { maxBytes: 1e8 });
  return text === null ? null : parseJournal(text, key);
}

/** Replaces the journal on disk by a changed one that still proves itself. */
export async function changeJournal(
  store: Store,
  file: PlanFile,
  change: (journal: Journal) => Journal,
): Promise<void> {
  const journal = await journalOf(store, file);
  if (!journal) throw new Error("there is no journal to change");
  await store.files.replaceText(journalPath(store.layout, partialKey(file)), formatJournal(change(journal)));
}
