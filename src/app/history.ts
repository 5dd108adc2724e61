// The history of downloads, on this machine only: written when a model's turn is over, read, summed up, cleared. That
// it cannot be written is nobody's failure.

import { reportError } from "../domain/errors.ts";
import type {
  HistoryClearResult,
  HistoryResult,
  InstallRecord,
  PastInstall,
  UsageHistoryResult,
} from "../domain/history.ts";
import type { HistoryQuery, HistoryStore } from "../store/history.ts";
import type { Context } from "./context.ts";

/** Remembers installs. @throws LuciError the disk's, E_CONFIG, E_LOCKED */
export async function remember(context: Context, installs: readonly InstallRecord[]): Promise<void> {
  await withStore(context, (history) => history.add(...installs));
}

/** What was installed, the latest first. */
export async function readHistory(context: Context, query: HistoryQuery): Promise<HistoryResult> {
  const none: readonly PastInstall[] = [];
  const installs = (await ifThere(context, (history) => history.read(query))) ?? none;
  return { command: "history", name: query.name, installs, keepsHistory: context.settings.keepsHistory };
}

/** What came from where in these days, today included. */
export async function usageHistory(
  context: Context,
  { days, now }: { readonly days: number; readonly now: Date },
): Promise<UsageHistoryResult> {
  const midnightMs = new Date(now.getFullYear(), now.getMonth(), now.getDate() - days + 1).getTime();
  const entries = (await ifThere(context, (history) => history.days(midnightMs))) ?? [];
  const dates = Array.from({ length: days }, (_, at) =>
    localDay(new Date(now.getFullYear(), now.getMonth(), now.getDate() - days + 1 + at)),
  );
  return { command: "usage-history", days: dates, entries };
}

/** Forgets everything, if the caller says yes to how much that is. */
export async function clearHistory(
  context: Context,
  { confirm }: { confirm(installs: number): Promise<boolean> },
): Promise<HistoryClearResult> {
  const everything = { name: null, limit: Number.MAX_SAFE_INTEGER, withTransfers: false };
  const { length: known } = (await readHistory(context, everything)).installs;
  if (known === 0 || !(await confirm(known)))
    return { command: "history-clear", installs: known, executed: known === 0 };
  const installs = await withStore(context, (history) => history.clear());
  return { command: "history-clear", installs, executed: true };
}

/** 2026-11-21, by the local calendar. */
function localDay(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Nothing is made where nothing was remembered. */
async function ifThere<T>(context: Context, act: (history: HistoryStore) => T): Promise<T | null> {
  const { historyPath } = await import("../store/history.ts");
  const isThere = (await context.files.facts(historyPath(context.settings.homeFolder))) !== null;
  return isThere ? withStore(context, act) : null;
}

/** Opened for one act: others may write in between, and a file that was taken away is made anew. */
async function withStore<T>({ settings, emit }: Context, act: (history: HistoryStore) => T): Promise<T> {
  const { openHistory } = await import("../store/history.ts");
  const history = openHistory({
    homeFolder: settings.homeFolder,
    nowMs: Date.now(),
    onDamaged: (path) => {
      const message = `The history was damaged and begins anew; the old one is at ${path}`;
      emit({ type: "notice", level: "warn", message });
    },
  });
  try {
    return act(history);
  } finally {
    history.close();
  }
}

/** What is told when the history could not be written. */
export function unwrittenNotice(thrown: unknown): string {
  return `The history could not be written (the models are not concerned): ${reportError(thrown).message}`;
}
