// What each command returns: plain data. The terminal renders it, `--json` prints it as the last event.

import type { DoctorResult } from "./doctor.ts";
import type { ErrorReport } from "./errors.ts";
import type { Finding } from "./finding.ts";
import type { HistoryClearResult, HistoryResult, UsageHistoryResult } from "./history.ts";
import type { Job } from "./job.ts";
import type { Authority, Digest, FileHow } from "./plan.ts";
import type { HookOutcome, WaitResult } from "./ready.ts";

/** One file of an installed model. `path` is absolute. */
export interface ReceiptFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly how: FileHow;
  /** Who published the digest it was checked against; `none` means unverified. */
  readonly authority: Authority;
}

/** What an install returns for one model. */
export interface Receipt {
  readonly model: string;
  readonly ref: string;
  readonly revision: string | null;
  /** What to hand to an inference engine: the file, the first shard, or the folder. Absolute. */
  readonly path: string;
  readonly files: readonly ReceiptFile[];
  readonly totalBytes: number;
  readonly fetchedBytes: number;
  /** True when nothing had to be done. */
  readonly already: boolean;
  /** Who was told that it is ready. */
  readonly hooks: readonly HookOutcome[];
}

export interface FailedModel {
  readonly model: string;
  readonly error: ErrorReport;
}

export interface InstallResult {
  readonly command: "install";
  readonly installed: readonly Receipt[];
  readonly failed: readonly FailedModel[];
  readonly totalModels: number;
  /** Bytes fetched from the network in this run. */
  readonly fetchedBytes: number;
  readonly elapsedMs: number;
  /** With `--dry-run`: what would be done. Nothing was changed. */
  readonly dryRun: readonly PlannedModel[] | null;
  /** Only there when the person who was asked said no. Nothing was changed. */
  readonly declined?: true;
}

export interface PlannedModel {
  readonly model: string;
  readonly ref: string;
  readonly revision: string | null;
  readonly totalBytes: number;
  readonly missingBytes: number;
  readonly files: readonly {
    readonly path: string;
    readonly sizeBytes: number | null;
    readonly digest: Digest | null;
    readonly state: "present" | "partial" | "missing";
  }[];
}

export interface VerifyResult {
  readonly command: "verify";
  readonly quick: boolean;
  readonly findings: readonly Finding[];
  readonly checkedBytes: number;
  readonly elapsedMs: number;
  /** With `--repair`: models mended, and models that could not be. */
  readonly repaired: readonly Receipt[];
  readonly failed: readonly FailedModel[];
}

/** Something `cleanup` may delete. `path` is absolute. */
export interface CleanupItem {
  readonly kind: "partial" | "orphan" | "lock" | "temporary";
  readonly path: string;
  readonly sizeBytes: number;
  readonly ageMs: number;
  /** Model file the partial belongs to, where its journal says so. */
  readonly of: string | null;
  readonly reason: string;
}

export interface CleanupResult {
  readonly command: "cleanup";
  readonly items: readonly CleanupItem[];
  /** Items left alone because a running luci owns them or they are younger than `--older-than`. */
  readonly kept: readonly CleanupItem[];
  readonly executed: boolean;
  readonly freedBytes: number;
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

export interface UsageResult {
  readonly command: "usage";
  readonly modelsFolder: string;
  readonly models: readonly { readonly model: string; readonly sizeBytes: number; readonly files: number }[];
  readonly partials: readonly {
    readonly path: string;
    readonly of: string | null;
    readonly sizeBytes: number;
  }[];
  readonly others: readonly { readonly path: string; readonly sizeBytes: number }[];
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** A model of the catalog as `list --available` and `info` show it. */
export interface CatalogEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly tier: number;
  readonly params: string;
  readonly quant: string;
  readonly license: string | null;
  readonly kind: string;
  readonly description: string;
  readonly repo: string;
  readonly revision: string | null;
  readonly sizeBytes: number | null;
  readonly core: boolean;
}

export interface InstalledModel {
  readonly name: string;
  readonly ref: string;
  readonly source: string;
  readonly revision: string | null;
  readonly path: string;
  readonly sizeBytes: number;
  /** Only there where its files are not as recorded, by their sizes: none is there, or not every one is whole. */
  readonly damage?: "missing" | "incomplete";
  readonly installedAt: string;
  readonly files: readonly {
    readonly path: string;
    readonly sizeBytes: number;
    readonly sha256: string;
    readonly authority: Authority;
  }[];
}

export interface ListResult {
  readonly command: "list";
  readonly installed: readonly InstalledModel[];
  /** Null unless `--available` was asked for. */
  readonly available: readonly CatalogEntry[] | null;
}

export interface InfoResult {
  readonly command: "info";
  readonly name: string;
  readonly catalog: CatalogEntry | null;
  readonly installed: InstalledModel | null;
  /** Bytes kept of an unfinished download. */
  readonly partialBytes: number;
}

export interface PathResult {
  readonly command: "path";
  readonly model: string;
  readonly path: string;
}

export interface RemoveResult {
  readonly command: "remove";
  readonly models: readonly string[];
  /** Absolute paths deleted (or, with `--dry-run`, that would be). */
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
  /** Files left because another installed model uses them. */
  readonly shared: readonly string[];
  readonly executed: boolean;
  readonly freedBytes: number;
}

export interface VersionResult {
  readonly command: "version";
  readonly version: string;
  readonly runtime: string;
  readonly platform: string;
}

export interface DemoResult {
  readonly command: "demo";
  readonly steps: readonly { readonly title: string; readonly ok: boolean; readonly detail: string }[];
  readonly elapsedMs: number;
}

/** What every luci of this user is at. */
export interface PsResult {
  readonly command: "ps";
  readonly jobs: readonly Job[];
  /** Processes that run and do not answer. */
  readonly silent: readonly number[];
  /** Last words of `--watch`: the table has been shown. */
  readonly watched: boolean;
}

/** Jobs of other processes, as they are after somebody steered them. */
export interface SteerResult {
  readonly command: "pause" | "resume" | "cancel" | "limit" | "priority";
  readonly jobs: readonly Job[];
  /** `resume`: the ids of those that were not paused. */
  readonly unchanged?: readonly string[];
  /** `limit` without a name: the processes whose limit was set. */
  readonly runs: readonly { readonly pid: number; readonly limitBytesPerSec: number | null }[];
}

/** A daemon that was told to end, or what it printed instead of running. */
export interface ServeResult {
  readonly command: "serve";
  /** What was asked for: the token, or a service's definition. */
  readonly text: string | null;
  /** Where it listened; null when it did not. */
  readonly url: string | null;
  /** Downloads that go on when it is started again. */
  readonly openDownloads: number;
}

/** Downloads that were handed to a daemon. */
export interface DetachResult {
  readonly command: "detach";
  readonly downloads: readonly Job[];
  /** The daemon's. */
  readonly pid: number;
}

/** What a command ends with. */
export type CommandResult =
  | InstallResult
  | VerifyResult
  | CleanupResult
  | UsageResult
  | ListResult
  | InfoResult
  | PathResult
  | RemoveResult
  | PsResult
  | SteerResult
  | ServeResult
  | DetachResult
  | WaitResult
  | HistoryResult
  | HistoryClearResult
  | UsageHistoryResult
  | VersionResult
  | DemoResult
  | DoctorResult;
