// Whose turn it is to write a file. Large files are waited for under a lock; for small ones owning the partial
// is enough: a lock would cost more than their bytes.

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
  /** The file's partial; null after waiting for somebody who owned it: look first whether it is finished. */
  open(): Promise<StorePartial | null>;
  release(): void;
}

/** Waits for a file's turn and says for whom. @throws E_LOCKED with `--no-wait`; the signal's reason */
export async function takeTurn(
  run: CarryRun,
  need: FileNeed,
  options: CarryOptions & { label: string; damage: unknown },
): Promise<Turn> {
  const { context } = run;
  const { file } = need.placement;
  const key = partialKey(file);
  const tell = (why: string): void => {
    context.emit({ type: "notice", level: "info", model: options.model, message: `${file.path}: ${why}` });
  };
  // `--no-wait` is about other processes: another model of this very run is always waited for.
  const mayWait = (): boolean => run.wait || context.store.claimed.has(key);
  const wantsLock = !isSmall(file) || options.damage !== null;
  const lock = wantsLock
    ? await lockFile(context.store, key, {
        wait: mayWait(),
        label: options.label,
        signal: options.signal,
        onWait: (holder) => tell(`waiting for ${describeHolder(holder)}`),
      })
    : null;
  let told = false;
  return {
    key,
    release: () => lock?.release(),
    open: async () => {
      try {
        return await openNow(run, need, options);
      } catch (error) {
        if (!(error instanceof LuciError) || error.code !== "E_LOCKED" || !mayWait()) throw error;
        if (!told) tell(`waiting: ${error.message}`);
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
  options: CarryOptions & { label: string },
): Promise<StorePartial> {
  const { file } = need.placement;
  return openPartial(run.context.store, {
    file,
    label: options.label,
    fresh: !run.resume,
    onRestart: (reason) =>
      run.context.emit({ type: "file.restarted", model: options.model, file: file.path, reason }),
  });
}
