// The lock of one file's partial: politeness between processes that want the same file.

import { LuciError } from "../domain/errors.ts";
import { sleep } from "../platform/clock.ts";
import { type Lock, type LockHolder, tryLock } from "../platform/lock.ts";
import { lockPath } from "./layout.ts";
import type { Store } from "./store.ts";

const POLL_MS = 200;

export interface LockOptions {
  /** Wait for the holder, or give up at once. */
  readonly wait: boolean;
  /** For messages. */
  readonly label: string;
  readonly signal: AbortSignal;
  /** Said once, when waiting begins. */
  onWait(holder: LockHolder | null): void;
}

/** Takes a file's lock, waiting for whoever has it. @throws E_LOCKED when told not to wait */
export async function lockFile(store: Store, key: string, options: LockOptions): Promise<Lock> {
  await store.files.makeFolder(store.layout.locksFolder);
  const path = lockPath(store.layout, key);
  for (let said = false; ;) {
    options.signal.throwIfAborted();
    const lock = await tryLock(path);
    if ("release" in lock) return lock;
    if (!options.wait)
      throw new LuciError("E_LOCKED", `${options.label}: ${describeHolder(lock.holder)} is working on it`);
    if (!said) options.onWait(lock.holder);
    said = true;
    await sleep(POLL_MS, options.signal);
  }
}

/** Who holds a lock, in words. */
export function describeHolder(holder: LockHolder | null): string {
  if (!holder) return "another luci";
  const since = new Date(holder.sinceMs).toISOString().slice(11, 19);
  return `another luci (pid ${holder.pid} on ${holder.host}, since ${since} UTC)`;
}
