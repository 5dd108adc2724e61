// Reading what lies at a final place without proof, before anything is fetched: luci may have lost only the record.

import { type Finding, isDamage } from "../domain/finding.ts";
import { auditFile } from "../store/audit.ts";
import { inspectPath } from "../store/inspect.ts";
import { type ManifestFile, installedPath } from "../store/manifest.ts";
import { matchesDigest, recordOf, strangerError } from "../store/seal.ts";
import { hashWholeFile } from "../store/whole-hash.ts";
import type { CarryOptions, CarryRun } from "./carry-run.ts";
import type { FileNeed } from "./need.ts";
import { tellReading } from "./read-progress.ts";

/** What reading came to. */
interface Proof {
  readonly sound: ManifestFile | null;
  readonly damage: Finding | null;
}

/**
 * Reads a file that lies at the final place without proof: its record was lost, or it was touched.
 * Answers its record if it is the right one, else what is wrong with it; neither when it has gone meanwhile.
 * @throws E_DAMAGED when it belongs to nobody and is something else
 */
export async function proveFile(run: CarryRun, need: FileNeed, options: CarryOptions): Promise<Proof> {
  try {
    return await readThere(run, need, options);
  } catch (error) {
    options.signal.throwIfAborted();
    // A `luci remove` beside us may have been in the middle of taking it away.
    const path = installedPath(run.context.store, need.placement);
    if ((await run.context.files.facts(path)) === null) return { sound: null, damage: null };
    throw error;
  }
}

async function readThere(run: CarryRun, need: FileNeed, options: CarryOptions): Promise<Proof> {
  const { context } = run;
  const { placement, record } = need;
  const path = installedPath(context.store, placement);
  const facts = await context.files.facts(path);
  if (facts?.kind !== "file") throw strangerError(path);
  const { file } = placement;
  context.emit({ type: "file.verifying", model: options.model, file: file.path, sizeBytes: facts.sizeBytes });
  if (record) {
    const finding = await auditFile(
      context.store,
      { model: options.model, file: record },
      { ...audit(run, need, options), quick: false },
    );
    if (!isDamage(finding)) return { sound: { ...record, modifiedNs: facts.modifiedNs }, damage: null };
    return { sound: null, damage: finding };
  }
  if (file.sizeBytes === null || facts.sizeBytes === file.sizeBytes) {
    const found = await hashWholeFile(context.store, path, {
      ...audit(run, need, options),
      sizeBytes: facts.sizeBytes,
      gitBlob: file.digest?.algorithm === "git-sha1",
    });
    if (matchesDigest(file.digest, found) && (file.digest !== null || file.sizeBytes !== null)) {
      // However it came here: what a download may not bring is not taken over either.
      const { allowUnsafe } = run;
      await inspectPath(context.files, path, { name: file.path, sizeBytes: facts.sizeBytes, allowUnsafe });
      const sound = {
        ...recordOf(placement, found),
        sizeBytes: facts.sizeBytes,
        modifiedNs: facts.modifiedNs,
        pieces: [...found.pieces],
      };
      return { sound, damage: null };
    }
  }
  if (need.owned) return { sound: null, damage: null };
  throw strangerError(path);
}

function audit(
  { context }: CarryRun,
  need: FileNeed,
  { model, signal }: CarryOptions,
): { signal: AbortSignal; onProgress(hashedBytes: number): void } {
  const { path, sizeBytes } = need.placement.file;
  return { signal, onProgress: tellReading(context, { model, file: path, sizeBytes }) };
}
