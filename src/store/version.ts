// Do the bytes we have and the bytes a server offers belong to one version of the file? Pure.

import { LuciError } from "../domain/errors.ts";
import type { Verdict } from "../domain/partial.ts";
import type { PlanFile, Validator } from "../domain/plan.ts";

/** What is known of the version the partial's bytes belong to. */
export interface KnownVersion {
  readonly hasBytes: boolean;
  readonly sizeBytes: number | null;
  readonly etag: string | null;
  /** True once a server answered in this run, bytes or not; before that the knowledge is a journal's. */
  readonly asked: boolean;
}

/**
 * Holds what a server says against what was asked for and what is there. "other" and "unprovable" mean that
 * the bytes written so far cannot be continued: they belong to another version, or nothing tells.
 * @throws LuciError E_CHANGED, E_SIZE when the server offers something else than the plan pinned
 */
export function compareVersion(file: PlanFile, known: KnownVersion, offered: Validator): Verdict {
  const sha256 = file.digest?.algorithm === "sha256" ? file.digest.hex : null;
  if (sha256 !== null && offered.sha256 !== null && offered.sha256 !== sha256) {
    const names = `${offered.sha256.slice(0, 12)}… instead of ${sha256.slice(0, 12)}…`;
    throw new LuciError("E_CHANGED", `${file.path}: the source announces another SHA-256, ${names}`);
  }
  const sizeBytes = file.sizeBytes ?? (known.asked ? known.sizeBytes : null);
  if (file.sizeBytes !== null && offered.sizeBytes !== null && offered.sizeBytes !== file.sizeBytes) {
    throw new LuciError(
      "E_SIZE",
      `${file.path}: the server offers ${offered.sizeBytes} bytes where ${file.sizeBytes} were announced`,
    );
  }
  // A published digest decides at the end, whatever servers say of their copies.
  if (file.digest !== null || (!known.hasBytes && !known.asked)) return "same";
  if (sizeBytes !== null && offered.sizeBytes !== null && offered.sizeBytes !== sizeBytes) return "other";
  const isTold = offered.etag !== null && known.etag !== null;
  if (offered.etag === known.etag && (isTold || known.asked)) return "same";
  return isTold ? "other" : "unprovable";
}
