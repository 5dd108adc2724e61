// Stations four and five for one file: is it here already? If not, fetch it and seal it.

import { LuciError, toLuciError } from "../domain/errors.ts";
import { checkWay } from "../store/place.ts";
import {
  CarryError,
  type CarryOptions,
  type CarryRun,
  type Carried,
  policyOf,
  reuseFile,
} from "./carry-run.ts";
import { fetchFile } from "./fetch.ts";
import type { FileNeed } from "./need.ts";
import { proveFile } from "./prove.ts";

/**
 * Brings one file into place. A full disk is waited for; bytes that a failed sync lost are fetched once more.
 * @throws CarryError
 */
export async function carryFile(run: CarryRun, need: FileNeed, options: CarryOptions): Promise<Carried> {
  let fetchedBytes = 0;
  let mayRepeat = true;
  // `--no-resume` is about what an earlier run left, not about what this one brought.
  for (let now = run; ; now = { ...run, resume: true }) {
    try {
      const carried = await carryOnce(now, need, options);
      return { ...carried, fetchedBytes: carried.fetchedBytes + fetchedBytes };
    } catch (error) {
      if (!(error instanceof CarryError) || options.signal.aborted) throw error;
      fetchedBytes += error.fetchedBytes;
      if (error.reason.code === "E_NO_SPACE") await waitForRoom(run, error, { ...options, need });
      else if (error.lostSync && mayRepeat) tellLost(run, need, options);
      else throw error;
      if (error.lostSync) mayRepeat = false;
    }
  }
}

function tellLost({ context }: CarryRun, need: FileNeed, { model }: CarryOptions): void {
  const message = `${need.placement.file.path}: the disk failed to keep its last bytes, they are fetched once more`;
  context.emit({ type: "notice", level: "warn", model, message });
}

async function waitForRoom(
  run: CarryRun,
  { reason, kept }: CarryError,
  { job, signal, need }: CarryOptions & { readonly need: FileNeed },
): Promise<void> {
  try {
    await run.disk.waitForRoom(namedForPeople(run, { reason, need }), signal);
  } catch (error) {
    // Who deletes partials at an interrupt or a cancel finds this one at rest, and tells of it then.
    const isStopped = run.context.signal.aborted || job.isCancelled;
    const goes = isStopped && policyOf(run, job) === "delete";
    throw new CarryError(toLuciError(error), goes ? { ...kept, keptBytes: 0 } : kept);
  }
}

/** The name of a partial is luci's own: a person knows the models folder and the model's file. */
function namedForPeople(
  { context }: CarryRun,
  { reason, need }: { reason: LuciError; need: FileNeed },
): LuciError {
  const [, why] = /\.part: ([^:]+)$/.exec(reason.message) ?? [];
  if (why === undefined) return reason;
  const message = `${context.settings.modelsFolder}: ${need.placement.file.path} does not fit, ${why}`;
  const { code, hint, exit } = reason;
  return new LuciError(code, message, { hint, exit, cause: reason });
}

async function carryOnce(run: CarryRun, need: FileNeed, options: CarryOptions): Promise<Carried> {
  try {
    const { store } = run.context;
    await checkWay(store, need.placement.path);
    if (need.state === "present" && need.record)
      return reuseFile(run, need, { record: need.record, model: options.model });
    const proof =
      need.state === "unproved" ? await proveFile(run, need, options) : { sound: null, damage: need.damage };
    if (proof.sound) return reuseFile(run, need, { record: proof.sound, model: options.model });
    return await fetchFile(run, need, { ...options, damage: proof.damage });
  } catch (error) {
    if (error instanceof CarryError) throw error;
    throw new CarryError(toLuciError(error), { keptBytes: 0, deleted: null, undeleted: null });
  }
}
