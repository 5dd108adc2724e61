// Cleanup: plan, show, execute. Nothing that a finished model or a living process needs is ever an item.

import { reportError } from "../domain/errors.ts";
import type { CleanupItem, CleanupResult } from "../domain/results.ts";
import type { Leftover } from "../store/leftover.ts";
import { deleteLeftover, findLeftovers } from "../store/leftovers.ts";
import { readRecords } from "../store/manifest.ts";
import { assertRecordsReadable } from "../store/removal.ts";
import type { Context } from "./context.ts";
import { recordsOf } from "./models.ts";

export interface CleanupOptions {
  readonly dryRun: boolean;
  /** Only what is at least this old; null for everything. */
  readonly olderThanMs: number | null;
  /** Models that a running luci is going to go on with, moving or not: what is unfinished of them is kept. */
  awaited(): Promise<readonly string[]>;
  confirm(items: readonly CleanupItem[]): Promise<boolean>;
}

/** Finds what interrupted and crashed runs left, and deletes it if told to. @throws E_DAMAGED while a record is unreadable */
export async function cleanup(context: Context, options: CleanupOptions): Promise<CleanupResult> {
  await recordsOf(context);
  const found = await findAwaited(context, options);
  const isDue = (item: Leftover): boolean => !item.isAlive && item.ageMs >= (options.olderThanMs ?? 0);
  const due = found.filter(isDue);
  const kept = found.filter((item) => !isDue(item));
  const plan = { command: "cleanup", items: due.map(plain), kept: kept.map(plain) } as const;
  const nothing = { executed: false, freedBytes: 0, failed: [] };
  if (due.length === 0 || options.dryRun || !(await options.confirm(plan.items)))
    return { ...plan, ...nothing };
  context.signal.throwIfAborted();
  // The question may have stood open for long: installs went on meanwhile.
  assertRecordsReadable(await readRecords(context.store));
  const isAwaited = awaitedBy(await options.awaited());
  const executed = await execute(
    context,
    due.filter((item) => !isAwaited(item)),
  );
  return { ...plan, executed: true, ...executed };
}

async function findAwaited({ store }: Context, options: CleanupOptions): Promise<Leftover[]> {
  const isAwaited = awaitedBy(await options.awaited());
  return (await findLeftovers(store)).map((item) =>
    !item.isAlive && isAwaited(item)
      ? { ...item, isAlive: true, reason: "a running luci is going on with it" }
      : item,
  );
}

/** A partial's journal begins with its model's name. */
function awaitedBy(models: readonly string[]): (item: Leftover) => boolean {
  return ({ of }) => of !== null && models.some((model) => of.startsWith(`${model} · `));
}

async function execute(
  context: Context,
  items: readonly Leftover[],
): Promise<Pick<CleanupResult, "freedBytes" | "failed">> {
  const failed: { path: string; reason: string }[] = [];
  let freedBytes = 0;
  for (const item of items) {
    context.signal.throwIfAborted();
    try {
      if (await deleteLeftover(context.store, item)) freedBytes += item.sizeBytes;
    } catch (error) {
      failed.push({ path: item.path, reason: reportError(error).message });
    }
  }
  return { freedBytes, failed };
}

function plain({ kind, path, sizeBytes, ageMs, of, reason }: Leftover): CleanupItem {
  return { kind, path, sizeBytes, ageMs, of, reason };
}
