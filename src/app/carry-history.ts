// Counts what the models of one run come to, and has it remembered as soon as each has ended.

import type { LuciError } from "../domain/errors.ts";
import type { InstallRecord, Outcome } from "../domain/history.ts";
import type { Origin } from "../domain/plan.ts";
import type { Receipt } from "../domain/results.ts";
import type { CarryRun } from "./carry-run.ts";
import type { Context } from "./context.ts";
import { remember, unwrittenNotice } from "./history.ts";
import type { ModelNeed } from "./need.ts";
import { isTriedAgain } from "./job-allowances.ts";
import { TransferTally, meanOf } from "./transfer-tally.ts";

/** A model whose turn is over. */
export interface EndedModel {
  readonly need: ModelNeed;
  readonly receipt: Receipt | null;
  readonly failure: LuciError | null;
  readonly started: boolean;
}

export interface CountedRun {
  /** The same run, its events counted on their way. */
  readonly run: CarryRun;
  /** Remembers a model, the first time it is called for it. Never rejects. */
  remember(model: EndedModel): Promise<void>;
}

/** Lets a run be counted, where a history is kept. */
export function countRun(plain: CarryRun): CountedRun {
  const { context } = plain;
  if (!context.settings.keepsHistory) return { run: plain, remember: async () => undefined };
  const tally = new TransferTally();
  const emit: Context["emit"] = (event) => {
    tally.hear(event, Date.now());
    context.emit(event);
  };
  const run = { ...plain, context: { ...context, emit } };
  const remembered = new Set<string>();
  let isTold = false;
  return {
    run,
    remember: async (model) => {
      const { name } = model.need.plan;
      if (remembered.has(name) || !(model.started || model.receipt)) return;
      remembered.add(name);
      const record = recordOf(run, model, tally);
      if (record.fetchedBytes === 0 && isTriedAgain(plain.job, model.failure)) return;
      try {
        await remember(context, [record]);
      } catch (thrown) {
        if (!isTold) context.emit({ type: "notice", level: "warn", message: unwrittenNotice(thrown) });
        isTold = true;
      }
    },
  };
}

function recordOf({ context, isRepair }: CarryRun, model: EndedModel, tally: TransferTally): InstallRecord {
  const nowMs = Date.now();
  const { plan, files } = model.need;
  const counted = tally.take(plan.name, nowMs);
  const outcome = outcomeOf(model);
  const sources = new Map(
    files.map(({ placement: { file } }) => [file.path, sourceOf(file.origin, context.settings.hubEndpoint)]),
  );
  const transfers = counted.transfers.map((transfer) => ({
    ...transfer,
    source: sources.get(transfer.file) ?? "",
    outcome: outcome === "cancelled" && transfer.outcome === "interrupted" ? outcome : transfer.outcome,
  }));
  const fetchedBytes = transfers.reduce((sum, transfer) => sum + transfer.fetchedBytes, 0);
  const meanBytesPerSec = meanOf(fetchedBytes, counted.elapsedMs);
  return {
    model: plan.name,
    ref: plan.ref,
    how: isRepair ? "repaired" : "installed",
    error: outcome === "failed" ? (model.failure?.code ?? null) : null,
    at: new Date(nowMs).toISOString(),
    source: [...sources.values()][0] ?? "",
    fetchedBytes,
    elapsedMs: counted.elapsedMs,
    meanBytesPerSec,
    peakBytesPerSec: Math.max(meanBytesPerSec, counted.peakBytesPerSec),
    retries: transfers.reduce((sum, { retries }) => sum + retries, 0),
    outcome,
    transfers,
  };
}

function outcomeOf({ receipt, failure }: EndedModel): Outcome {
  if (receipt) return "ready";
  if (failure) return failure.code === "E_CANCELLED" ? "cancelled" : "failed";
  return "interrupted";
}

/** Only the host: an address may be signed. */
function sourceOf(origin: Origin, hubEndpoint: string): string {
  return new URL(origin.kind === "url" ? origin.url : hubEndpoint).host;
}
