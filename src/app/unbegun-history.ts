// Has the history remember what failed before its first byte: nobody knows it, the hub refuses it, there is no room.

import { ERROR_TABLE, type LuciError, toLuciError } from "../domain/errors.ts";
import type { InstallRecord } from "../domain/history.ts";
import type { Context } from "./context.ts";
import { remember, unwrittenNotice } from "./history.ts";
import { isTriedAgain } from "./job-allowances.ts";
import { isSameRef } from "./models.ts";
import type { PlannedBatch } from "./plan.ts";
import type { QueuedJob } from "./steering.ts";
import type { Target } from "./targets.ts";

export interface UnbegunHistory {
  /** Remembers those whose plan failed; of these, and of those that are there already, nothing more is to be said. Never rejects. */
  planned(plans: Pick<PlannedBatch, "already" | "failed">): Promise<void>;
  /** The rest is carried now: how that ends is others' to remember. */
  begun(): void;
  /** Remembers all of whom nothing was said as failed for one reason. Never rejects. */
  failed(thrown: unknown): Promise<void>;
}

export interface UnbegunOptions {
  readonly targets: readonly Target[];
  readonly dryRun: boolean;
  /** Whose queue it is for, where it is for one. */
  readonly job?: QueuedJob;
}

/** For the models of one run. */
export function openUnbegunHistory(
  context: Context,
  { targets, dryRun, job }: UnbegunOptions,
): UnbegunHistory {
  const startedMs = performance.now();
  let open: readonly Target[] = targets;
  const tell = async (failures: readonly Failure[]): Promise<void> => {
    const worth = failures.filter(({ reason }) => isWorth(reason) && !isTriedAgain(job, reason));
    if (dryRun || !context.settings.keepsHistory || worth.length === 0) return;
    const elapsedMs = performance.now() - startedMs;
    try {
      await remember(
        context,
        worth.map((failure) => recordOf(context, { ...failure, elapsedMs })),
      );
    } catch (thrown) {
      context.emit({ type: "notice", level: "warn", message: unwrittenNotice(thrown) });
    }
  };
  return {
    planned: async ({ already, failed }) => {
      const reasons = new Map(failed.map(({ model, reason }) => [model, reason]));
      const failures = open.flatMap((target): Failure[] => {
        const reason = reasons.get(target.label);
        return reason ? [{ target, reason }] : [];
      });
      const isThere = ({ ref }: Target): boolean => already.some((receipt) => isSameRef(receipt.ref, ref));
      open = open.filter((target) => !reasons.has(target.label) && !isThere(target));
      await tell(failures);
    },
    begun: () => {
      open = [];
    },
    failed: async (thrown) => {
      const reason = toLuciError(thrown);
      await tell(open.map((target) => ({ target, reason })));
    },
  };
}

interface Failure {
  readonly target: Target;
  readonly reason: LuciError;
}

/** Not worth a word is what was asked for wrongly: nothing was tried. */
function isWorth({ code }: LuciError): boolean {
  return ERROR_TABLE[code].exit !== ERROR_TABLE.E_USAGE.exit;
}

function recordOf(
  { settings: { hubEndpoint } }: Context,
  { target, reason, elapsedMs }: Failure & { elapsedMs: number },
): InstallRecord {
  const { label, ref, asks } = target;
  const nothing = { fetchedBytes: 0, meanBytesPerSec: 0, peakBytesPerSec: 0, retries: 0, transfers: [] };
  return {
    ...nothing,
    model: label,
    ref,
    how: "installed",
    error: reason.code,
    outcome: "failed",
    at: new Date().toISOString(),
    source: asks === null ? "" : new URL(asks === "url" ? ref : hubEndpoint).host,
    elapsedMs,
  };
}
