// Fetching one file: lock, partial, transfer, seal; and what becomes of the bytes when it does not end well.

import { LuciError, reportError, toLuciError } from "../domain/errors.ts";
import type { Finding } from "../domain/finding.ts";
import { isSmall } from "../domain/plan.ts";
import { type ManifestFile, installedPath } from "../store/manifest.ts";
import type { StorePartial } from "../store/partial.ts";
import { salvageFile } from "../store/salvage.ts";
import type { Allowance } from "../transfer/allowance.ts";
import { transferFile } from "../transfer/transfer.ts";
import { tellBegun, tellLost } from "./begin-again.ts";
import {
  CarryError,
  type CarryOptions,
  type CarryRun,
  type Carried,
  type Kept,
  PROGRESS_MS,
  emitDone,
  policyOf,
  reuseFile,
} from "./carry-run.ts";
import { JobAllowances } from "./job-allowances.ts";
import type { FileNeed } from "./need.ts";
import type { JobHandle } from "./steering.ts";
import { proveFile } from "./prove.ts";
import { isPlaceTaken, sealFile } from "./seal-file.ts";
import { takeTurn } from "./turn.ts";

/** Fetches one file in its turn, beginning with what of a damaged one is still good. @throws CarryError */
export async function fetchFile(
  run: CarryRun,
  need: FileNeed,
  options: CarryOptions & { damage: Finding | null },
): Promise<Carried> {
  const label = `${options.model} · ${need.placement.file.path}`;
  const turn = await takeTurn(run, need, { ...options, label });
  try {
    const badPieces = options.damage?.badPieces ?? [];
    if (need.record && badPieces.length > 0)
      await salvageFile(run.context.store, turn.key, { record: need.record, badPieces, label });
    // Whoever we waited for may have finished it.
    for (let hasWaited = turn.mayHaveWaited; ; hasWaited = true) {
      options.signal.throwIfAborted();
      const found = hasWaited ? await lookAgain(run, need, options) : "absent";
      if (typeof found !== "string") return reuseFile(run, need, { record: found, model: options.model });
      const partial = await turn.open();
      if (!partial) continue;
      if (found === "wrong" || !(await isFinishedNow(run, need, { ...options, partial })))
        return await fetchClaimed(run, need, { ...options, label, partial });
      await partial.release();
    }
  } finally {
    turn.release();
  }
}

type Wanted = CarryOptions & { readonly damage: Finding | null };

/** Whether a file stands at the final name that was not there when the need was seen. */
async function isFinished(
  { force, context }: CarryRun,
  need: FileNeed,
  { damage }: Wanted,
): Promise<boolean> {
  if (need.state === "unproved" || damage || force) return false;
  return (await context.files.facts(installedPath(context.store, need.placement))) !== null;
}

/** The same question once the partial is ours: whoever had it before may have sealed it just then. */
async function isFinishedNow(
  run: CarryRun,
  need: FileNeed,
  options: Wanted & { partial: StorePartial },
): Promise<boolean> {
  try {
    return await isFinished(run, need, options);
  } catch (error) {
    await options.partial.release().catch(() => undefined);
    throw error;
  }
}

/** What stands at the final name now: nothing new, the file itself, or something that is not it. */
async function lookAgain(
  run: CarryRun,
  need: FileNeed,
  options: Wanted,
): Promise<ManifestFile | "absent" | "wrong"> {
  if (!(await isFinished(run, need, options))) return "absent";
  try {
    return (await proveFile(run, need, options)).sound ?? "wrong";
  } catch (error) {
    // It came after the plan was made, and this file has another place.
    if (isPlaceTaken(error) && options.aside !== null) return "wrong";
    throw error;
  }
}

interface FetchOptions extends CarryOptions {
  readonly label: string;
  readonly damage: Finding | null;
  readonly partial: StorePartial;
}

async function fetchClaimed(run: CarryRun, need: FileNeed, options: FetchOptions): Promise<Carried> {
  const { context } = run;
  const { partial } = options;
  const { file } = need.placement;
  const event = { model: options.model, file: file.path };
  const resumedBytes = partial.doneBytes;
  context.emit({ type: "file.started", ...event, sizeBytes: partial.sizeBytes, resumedBytes });
  const allowances = run.job?.allowances ?? new JobAllowances();
  const allowance = allowances.open(file.path, () => partial.sizeBytes);
  const state = { fetchedBytes: 0, sealing: false, sendsWhole: false, allowance };
  try {
    const record = await transferAndSeal(run, { need, options, partial, state });
    const how = options.damage ? "repaired" : "fetched";
    emitDone(run, need, { model: options.model, record, how });
    return { record, how, fetchedBytes: state.fetchedBytes };
  } catch (error) {
    const { job } = options;
    const isStopped = isStop(error) && policyOf(run, job) === "resume";
    if (isStopped)
      tellLost(context, { ...event, partial, hasDigest: file.digest !== null, sendsWhole: state.sendsWhole });
    const kept = await letGo(run, partial, { error, file: file.path, sealing: state.sealing, job });
    const { fetchedBytes } = state;
    throw new CarryError(toLuciError(error), kept, {
      fetchedBytes,
      lostSync: partial.claim.file.hasLostSync(),
    });
  }
}

interface SealJob {
  readonly need: FileNeed;
  readonly options: FetchOptions;
  readonly partial: StorePartial;
  /** What the end of the job is judged by. */
  readonly state: {
    fetchedBytes: number;
    sealing: boolean;
    sendsWhole: boolean;
    readonly allowance: Allowance;
  };
}

/** Transfer, then seal; bytes that do not match the published digest are fetched once more, from the start. */
async function transferAndSeal(run: CarryRun, job: SealJob): Promise<ManifestFile> {
  const { need, options, partial } = job;
  for (let tries = 1; ; tries += 1) {
    job.state.sealing = false;
    await transfer(run, job);
    job.state.sealing = true;
    try {
      return await sealFile(run, need, options);
    } catch (error) {
      if (!(error instanceof LuciError) || error.code !== "E_DIGEST" || tries > 1) throw error;
      if (!job.state.allowance.beginAgain()) throw error;
      await partial.restart("its bytes do not match the published digest");
    }
  }
}

async function transfer(run: CarryRun, { need, options, partial, state }: SealJob): Promise<void> {
  const { context, sources } = run;
  const { file } = need.placement;
  const source = sources[file.origin.kind];
  const event = { model: options.model, file: file.path };
  const progress = tellProgress(run, { need, options, partial, state });
  try {
    await transferFile(file.path, partial, {
      http: context.http,
      limiter: options.job.limiter,
      pool: context.steering.pool,
      gate: options.gate,
      retries: context.settings.retries,
      allowance: state.allowance,
      signal: options.signal,
      locate: () => source.locate(file.origin, { signal: options.signal }),
      // A URL's last hop is the file itself; the hub's first hop knows more than its CDN.
      validatorOf: (answer) => {
        const hop = file.origin.kind === "url" ? answer.hops.at(-1) : answer.hops[0];
        return hop ? source.validatorOf(hop) : { etag: null, sizeBytes: null, sha256: null };
      },
      onBytes: (sizeBytes) => {
        state.fetchedBytes += sizeBytes;
      },
      onWhole: () => {
        state.sendsWhole = true;
        tellBegun(context, { ...event, partial });
      },
      onConnections: progress.onConnections,
      onRetry: ({ attempt, waitMs, error: { code, message } }) =>
        context.emit({ type: "file.retrying", ...event, attempt, waitMs, code, message }),
    });
    // Of a small file its end is told next, which says as much.
    if (!isSmall(partial)) progress.tell();
  } catch (error) {
    progress.tell();
    options.signal.throwIfAborted();
    throw source.explain(toLuciError(error), file.origin);
  } finally {
    progress.stop();
  }
}

/** Tells how far a file is, again and again, and once more at the end. */
function tellProgress(
  { context }: CarryRun,
  { need, options, partial }: SealJob,
): { onConnections: (count: number) => void; tell: () => void; stop: () => void } {
  const event = { model: options.model, file: need.placement.file.path };
  let connections = 0;
  let told = "";
  const tell = (): void => {
    const { doneBytes, hashedBytes } = partial;
    const now = `${doneBytes} ${hashedBytes} ${connections}`;
    // A pause may last for days.
    if (!options.gate.isOpen && now === told) return;
    told = now;
    context.emit({ type: "file.progress", ...event, doneBytes, hashedBytes, connections });
  };
  const timer = setInterval(tell, PROGRESS_MS);
  const onConnections = (count: number): void => {
    connections = count;
  };
  return { onConnections, tell, stop: () => clearInterval(timer) };
}

/** Whether somebody stopped it: nothing went wrong. */
function isStop(error: unknown): boolean {
  return ["E_INTERRUPTED", "E_CANCELLED"].includes(toLuciError(error).code);
}

/** Keeps or deletes what arrived, by the reason and the policy, and says which. */
async function letGo(
  run: CarryRun,
  partial: StorePartial,
  end: { error: unknown; file: string; sealing: boolean; job: JobHandle },
): Promise<Kept> {
  const { code } = toLuciError(end.error);
  // Whole, read, and judged wrong: no later run could make more of it.
  const worthless = end.sealing && ["E_DIGEST", "E_UNSAFE_FILE", "E_MALFORMED"].includes(code);
  const dropped = worthless || (isStop(end.error) && policyOf(run, end.job) === "delete");
  try {
    if (dropped) {
      await partial.discard();
      return { keptBytes: 0, deleted: end.file, undeleted: null };
    }
    await partial.release();
    return { keptBytes: partial.keptBytes, deleted: null, undeleted: null };
  } catch (error) {
    const undeleted = dropped ? { path: partial.path, reason: reportError(error).message } : null;
    return { keptBytes: partial.keptBytes, deleted: null, undeleted };
  }
}
