// What is remembered of downloads, and what they come to by day and source. Pure.

import type { ErrorCode } from "./errors.ts";
import type { FileHow } from "./plan.ts";

/** How an install or a transfer ended. */
export type Outcome = "ready" | "failed" | "cancelled" | "interrupted";

interface Measured {
  /** When it ended, ISO 8601. */
  readonly at: string;
  /** Host the bytes came from; empty where nobody was asked for any. */
  readonly source: string;
  /** Fetched from the network. */
  readonly fetchedBytes: number;
  /** Without pauses. */
  readonly elapsedMs: number;
  readonly meanBytesPerSec: number;
  readonly peakBytesPerSec: number;
  readonly retries: number;
  readonly outcome: Outcome;
}

/** One file that was fetched, or tried to be. */
export interface TransferRecord extends Measured {
  readonly file: string;
  /** Null where it did not come into place. */
  readonly how: FileHow | null;
}

/** One model that was installed or repaired, or tried to be: also where it failed before the first byte. */
export interface InstallRecord extends Measured {
  readonly model: string;
  readonly ref: string;
  readonly how: "installed" | "repaired";
  /** Why it failed; null where it did not, or nobody remembers. */
  readonly error: ErrorCode | null;
  /** Files that were fetched, or tried to be. */
  readonly transfers: readonly TransferRecord[];
}

/** An install as it is read back; its files only where they were asked for. */
export interface PastInstall extends InstallRecord {
  readonly transferCount: number;
}

/** What came from one source on one day. */
export interface HistoryDay {
  /** Local: 2026-11-21. */
  readonly day: string;
  readonly source: string;
  readonly fetchedBytes: number;
  /** Models that became ready; the bytes are those of all that were tried. */
  readonly installs: number;
}

/** What was installed, the latest first. */
export interface HistoryResult {
  readonly command: "history";
  /** The one that was asked about. */
  readonly name: string | null;
  readonly installs: readonly PastInstall[];
  /** False where nothing is remembered any more. */
  readonly keepsHistory: boolean;
}

/** A history that was forgotten, or would be. */
export interface HistoryClearResult {
  readonly command: "history-clear";
  readonly installs: number;
  readonly executed: boolean;
}

/** What came from where, day by day. */
export interface UsageHistoryResult {
  readonly command: "usage-history";
  /** Every local day that was looked at, the earliest first: 2026-11-21. */
  readonly days: readonly string[];
  /** Those with downloads, the latest first. */
  readonly entries: readonly HistoryDay[];
}
