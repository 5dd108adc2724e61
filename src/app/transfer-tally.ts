// Counts, from a run's own events, what its history remembers of each file: bytes, time, speeds, attempts. Keeps what
// it counted of a model until that is taken.

import type { LuciEventBody } from "../domain/events.ts";
import type { TransferRecord } from "../domain/history.ts";
import { type SpeedWindow, observe, speedAt } from "../domain/speed.ts";

interface Count {
  readonly startedAtMs: number;
  doneBytes: number;
  fetchedBytes: number;
  peakBytesPerSec: number;
  retries: number;
  pausedMs: number;
  window: SpeedWindow;
  end: (Pick<TransferRecord, "outcome" | "how"> & { readonly atMs: number }) | null;
}

/** What was counted of one model. */
export interface ModelTally {
  readonly transfers: readonly Omit<TransferRecord, "source">[];
  readonly peakBytesPerSec: number;
  /** Since it was queued, without pauses. */
  readonly elapsedMs: number;
}

interface ModelCount {
  /** Null until something was heard of it. */
  startedAtMs: number | null;
  readonly files: Map<string, Count>;
  fetchedBytes: number;
  peakBytesPerSec: number;
  window: SpeedWindow;
  pausedAtMs: number | null;
  pausedMs: number;
}

export class TransferTally {
  readonly #models = new Map<string, ModelCount>();

  /** Counts an event. */
  hear(event: LuciEventBody, atMs: number): void {
    if (!("model" in event) || event.model === undefined) return;
    if (event.type === "model.queued") this.#model(event.model).startedAtMs = atMs;
    else if (event.type === "model.paused") this.#pause(this.#model(event.model), atMs);
    else if (event.type === "model.resumed") this.#resume(this.#model(event.model), atMs);
    else if ("file" in event) this.#hearFile(this.#model(event.model), event, atMs);
  }

  /** What was counted of a model that has ended, and forgets it. What of it had not ended is counted as interrupted. */
  take(name: string, atMs: number): ModelTally {
    const model = this.#model(name);
    this.#models.delete(name);
    this.#resume(model, atMs);
    const transfers = [...model.files].map(([file, count]) => recordOf(file, count, atMs));
    const elapsedMs = Math.max(0, atMs - (model.startedAtMs ?? atMs) - model.pausedMs);
    return { transfers, peakBytesPerSec: model.peakBytesPerSec, elapsedMs };
  }

  #model(name: string): ModelCount {
    const known = this.#models.get(name);
    if (known) return known;
    const counted = { fetchedBytes: 0, peakBytesPerSec: 0, pausedMs: 0 };
    const model: ModelCount = {
      ...counted,
      files: new Map(),
      window: [],
      startedAtMs: null,
      pausedAtMs: null,
    };
    this.#models.set(name, model);
    return model;
  }

  #pause(model: ModelCount, atMs: number): void {
    model.pausedAtMs ??= atMs;
  }

  /** The time in between counts for nobody, and says nothing of any speed. */
  #resume(model: ModelCount, atMs: number): void {
    if (model.pausedAtMs === null) return;
    const pausedMs = atMs - model.pausedAtMs;
    model.pausedAtMs = null;
    model.pausedMs += pausedMs;
    model.window = [{ atMs, bytes: model.fetchedBytes }];
    for (const count of model.files.values()) {
      if (count.end) continue;
      count.pausedMs += pausedMs;
      count.window = [{ atMs, bytes: count.fetchedBytes }];
    }
  }

  #hearFile(model: ModelCount, event: Extract<LuciEventBody, { file: string }>, atMs: number): void {
    if (event.type === "file.started") {
      const counted = { fetchedBytes: 0, peakBytesPerSec: 0, retries: 0, pausedMs: 0 };
      const window = [{ atMs, bytes: 0 }];
      if (model.window.length === 0) model.window = window;
      const { resumedBytes: doneBytes } = event;
      model.files.set(event.file, { ...counted, startedAtMs: atMs, doneBytes, window, end: null });
      return;
    }
    const count = model.files.get(event.file);
    if (!count || count.end) return;
    if (event.type === "file.progress") this.#progress(model, count, { doneBytes: event.doneBytes, atMs });
    if (event.type === "file.retrying") count.retries += 1;
    if (event.type === "file.restarted") count.doneBytes = 0;
    if (event.type === "file.done") {
      // A small file's end is told without a last progress before it.
      const isWhole = event.how === "fetched" || event.how === "repaired";
      if (isWhole)
        this.#progress(model, count, { doneBytes: Math.max(count.doneBytes, event.sizeBytes), atMs });
      count.end = { outcome: "ready", how: event.how, atMs };
    }
    if (event.type === "file.failed") count.end = { outcome: "failed", how: null, atMs };
    if (event.type === "file.cancelled") count.end = { outcome: "interrupted", how: null, atMs };
  }

  #progress(model: ModelCount, count: Count, { doneBytes, atMs }: { doneBytes: number; atMs: number }): void {
    const newBytes = Math.max(0, doneBytes - count.doneBytes);
    count.doneBytes = doneBytes;
    count.fetchedBytes += newBytes;
    model.fetchedBytes += newBytes;
    count.window = observe(count.window, { atMs, bytes: count.fetchedBytes });
    model.window = observe(model.window, { atMs, bytes: model.fetchedBytes });
    count.peakBytesPerSec = Math.max(count.peakBytesPerSec, speedAt(count.window, atMs));
    model.peakBytesPerSec = Math.max(model.peakBytesPerSec, speedAt(model.window, atMs));
  }
}

function recordOf(file: string, count: Count, nowMs: number): Omit<TransferRecord, "source"> {
  const { outcome, how, atMs } = count.end ?? { outcome: "interrupted", how: null, atMs: nowMs };
  const elapsedMs = Math.max(0, atMs - count.startedAtMs - count.pausedMs);
  const meanBytesPerSec = meanOf(count.fetchedBytes, elapsedMs);
  return {
    file,
    at: new Date(atMs).toISOString(),
    fetchedBytes: count.fetchedBytes,
    elapsedMs,
    meanBytesPerSec,
    peakBytesPerSec: Math.max(meanBytesPerSec, count.peakBytesPerSec),
    retries: count.retries,
    outcome,
    how,
  };
}

/** Bytes per second over a time; 0 for no time at all. */
export function meanOf(bytes: number, elapsedMs: number): number {
  return elapsedMs > 0 ? (bytes * 1000) / elapsedMs : 0;
}
