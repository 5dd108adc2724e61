// One at a time changes which models there are: publishing a model and taking one away both look at what
// the other records need, and act on it. Where locks do not work, `verify` and `install` mend what a race left.

import { toLuciError } from "../domain/errors.ts";
import { sleep } from "../platform/clock.ts";
import { type Lock, tryLock } from "../platform/lock.ts";
import { lockPath } from "./layout.ts";
import type { Store } from "./store.ts";

const KEY = "records";
const POLL_MS = 20;
/** Longer than any removal takes: whoever holds it then was stopped, and may stay so for good. */
const PATIENCE_MS = 60_000;

export interface ChangeOptions {
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  /** After so long it is done all the same: locks are politeness. */
  readonly patienceMs?: number;
}

/** Runs `act` while no other process changes the records. @throws the signal's reason while it waits; what `act` throws */
export async function changeRecords<Value>(
  store: Store,
  options: ChangeOptions,
  act: () => Promise<Value>,
): Promise<Value> {
  const lock = await waitForLock(store, options);
  try {
    return await act();
  } finally {
    lock?.release();
  }
}

async function waitForLock(store: Store, options: ChangeOptions): Promise<Lock | null> {
  const { signal = new AbortController().signal, patienceMs = PATIENCE_MS } = options;
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const lock = await takeLock(store);
    if (lock !== "taken") return lock;
    if (performance.now() > untilMs) return null;
    await sleep(POLL_MS, signal);
  }
}

/** Null where the disk takes no lock: a model must be removable from a full one. */
async function takeLock(store: Store): Promise<Lock | "taken" | null> {
  try {
    await store.files.makeFolder(store.layout.locksFolder);
    const lock = await tryLock(lockPath(store.layout, KEY));
    return "release" in lock ? lock : "taken";
  } catch (error) {
    const { code } = toLuciError(error);
    if (code === "E_NO_SPACE" || code === "E_PERMISSION") return null;
    throw error;
  }
}
