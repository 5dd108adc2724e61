// What an audit sees of one file. Plain data.

import type { Range } from "./range.ts";

/**
 * `ok`: every byte read and its SHA-256 is the recorded one (with `quick`: only size and time looked at).
 * `digest`: bytes differ; `badPieces` says where, if the piece map knows. `size`: wrong length.
 * `missing`: no such file. `unreadable`: the disk refused. `foreign`: a file no model owns.
 * `unverifiable`: intact as first installed, but nobody published a digest to hold it against.
 */
export type FindingKind = "ok" | "digest" | "size" | "missing" | "unreadable" | "foreign" | "unverifiable";

export interface Finding {
  readonly kind: FindingKind;
  /** Model name; null for foreign files. */
  readonly model: string | null;
  /** Path relative to the models folder. */
  readonly file: string;
  /** What is there; the recorded size where no file was found. */
  readonly sizeBytes: number;
  /** For `digest`: the damaged byte ranges, piece by piece; empty when no piece map tells. */
  readonly badPieces: readonly Range[];
  /** Number of pieces in the file, for "3 of 25 pieces". */
  readonly pieces: number;
  /** One sentence of detail: the reason of the disk, the size found, the digest found. */
  readonly detail: string;
  /** Only size and modification time were looked at. */
  readonly quick: boolean;
}

/** Whether every byte of the file was read for a finding. */
export function isRead({ kind, quick }: Pick<Finding, "kind" | "quick">): boolean {
  return !quick && ["ok", "digest", "unverifiable"].includes(kind);
}

/** Whether a finding means that a model is not as it should be. */
export function isDamage(finding: Finding): boolean {
  return ["digest", "size", "missing", "unreadable"].includes(finding.kind);
}
