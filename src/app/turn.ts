// Whose turn it is to write a file. Large files are waited for under a lock; for small ones owning the partial
// is enough: a lock would cost more than their bytes. Who waits has no place among those that fetch: whoever has
// the file may need it.

import { LuciError } from "../domain/errors.ts";
import { isSmall } from "../domain/plan.ts";
import { sleep } from "../platform/clock.ts";
import { describeHolder, lockFile } from "../store/file-lock.ts";
import { partialKey } from "../store/layout.ts";
import { openPartial } from "../store/open-partial.ts";
import type { StorePartial } from "../store/partial.ts";
import type { CarryOptions, CarryRun } from "./carry-run.ts";
import type { FileNeed } from "./need.ts";

/** How often a file that somebody else owns is tried again. */
const POLL_MS = 200;

export interface Turn {
  readonly key: string;
  /** Whether somebody else may have had the file before us. */
  readonly mayHaveWaited: boolean;
  /** The file's partial; null after waiting for somebody who owned it: look first whether it is finished. */
  open(): Promise<StorePartial | null>;
  release(): void;
}

/** Waits for a file's turn, without its place, and says for whom. @throws E_LOCKED with `--no-wait`; the signal's reason */
export async function takeTurn(
  run: CarryRun,
  need: FileNeed,
  options: CarryOptions & { label: string; damage: unknown },
): Promise<Turn> {
  const { context } = run;
  const { file } = need.placement;
  const key = partialKey(file);
  const { model, place } = options;
  const stepAside = (why: string): void => {
    context.emit({ type: "notice", level: "info", model, message: `${file.path}: ${why}` });
    place.leave();
  };
  // `--no-wait` is about other processes: another model of this very run is always waited for.
  const mayWait = (): boolean => run.wait || context.store.claimed.has(key);
  const wantsLock = !isSmall(file) || options.damage !== null;
  const lock = wantsLock
    ? await lockFile(context.store, key, {
        wait: mayWait(),
        label: options.label,
        signal: options.signal,
        onWait: (holder) => stepAside(`waiting for ${describeHolder(holder)}`),
      }).finally(() => place.comeBack())
    : null;
  // Only of a file that is never written without its lock.
  const ended = isSmall(file) ? null : (lock?.ended ?? null);
  let told = false;
  return {
    key,
    mayHaveWaited: wantsLock,
    release: () => {
      lock?.release();
      place.comeBack();
    },
    open: async () => {
      try {
        const partial = await openNow(run, need, { ...options, ended });
        place.comeBack();
        return partial;
      } catch (error) {
        if (!(error instanceof LuciError) || error.code !== "E_LOCKED" || !mayWait()) throw error;
        if (!told) stepAside(`waiting: ${error.message}`);
        told = true;
        // Two that yielded to each other must not meet again.
        await sleep(POLL_MS * (0.5 + Math.random()), options.signal);
        return null;
      }
    },
  };
}

function openNow(
  run: CarryRun,
  need: FileNeed,
  options: CarryOptions & { label: string; ended: string | null },
): Promise<StorePartial> {
  const { file } = need.placement;
  return openPartial(run.context.store, {
    file,
    label: options.label,
    fresh: !run.resume,
    ended: options.ended,
    onRestart: (reason) =>
      run.context.emit({ type: "file.restarted", model: options.model, file: file.path, reason }),
  });
}
