// Hash workers as the rest of the program sees them: open a job on a file, move its frontier, hear its pieces.

import { availableParallelism } from "node:os";
import { LuciError } from "../domain/errors.ts";
import { diskError } from "./disk-error.ts";
import type { HashOrder, HashReport } from "./hash-protocol.ts";

/** What a job begins with: the worker's order, without what only the pool knows. */
export type HashJobOptions = Omit<Extract<HashOrder, { type: "open" }>, "type" | "id">;

/** What a job tells its owner. Called in the order of the file. */
export interface HashListener {
  onPiece(piece: number, mark: { fingerprint: string; hashedBytes: number; state: Uint8Array | null }): void;
  /** The piece on disk is not the one that was fingerprinted; the job waits until it is advanced again. */
  onBad(piece: number): void;
  onDigest(digest: { sha256: string; gitSha1: string | null }): void;
  onFailed(error: LuciError): void;
}

export interface HashJob {
  /** How far the file may be read; the digest comes once `sizeBytes` is known and reached. */
  advance(frontierBytes: number, sizeBytes: number | null): void;
  /** Starts again natively from byte 0. */
  goNative(): void;
  /** Drops what was expected of a piece that is being fetched again. */
  forget(piece: number): void;
  close(): void;
}

export interface HashPool {
  open(options: HashJobOptions, listener: HashListener): HashJob;
  /** Ends the workers at once. */
  close(): void;
}

interface Slot {
  readonly worker: Worker;
  readonly listeners: Map<number, { listener: HashListener; path: string }>;
}

/** A pool of at most one worker per core (four at most), started when first needed. */
export function createHashPool(): HashPool {
  const limit = Math.min(availableParallelism(), 4);
  const slots: Slot[] = [];
  let lastId = 0;
  return {
    open: (options, listener) => {
      const slot = pickSlot(slots, limit);
      const id = (lastId += 1);
      return openJob(slot, id, { options, listener });
    },
    close: () => {
      for (const slot of slots.splice(0)) slot.worker.terminate();
    },
  };
}

function pickSlot(slots: Slot[], limit: number): Slot {
  const idlest = slots.toSorted((a, b) => a.listeners.size - b.listeners.size)[0];
  if (idlest && (idlest.listeners.size === 0 || slots.length >= limit)) return idlest;
  const slot = startWorker();
  slots.push(slot);
  return slot;
}

function startWorker(): Slot {
  const worker = new Worker(new URL("./hash.worker.ts", import.meta.url).href);
  const listeners: Slot["listeners"] = new Map();
  worker.onmessage = (event: MessageEvent<HashReport>) => dispatch(listeners, event.data);
  worker.onerror = (event) => {
    for (const { listener } of listeners.values()) {
      listener.onFailed(new LuciError("E_INTERNAL", `the hash worker failed: ${event.message}`));
    }
  };
  worker.unref();
  return { worker, listeners };
}

function dispatch(listeners: Slot["listeners"], report: HashReport): void {
  const entry = listeners.get(report.id);
  if (!entry) return;
  const { listener, path } = entry;
  if (report.type === "piece") listener.onPiece(report.piece, report);
  else if (report.type === "bad") listener.onBad(report.piece);
  else if (report.type === "digest") listener.onDigest(report);
  else listener.onFailed(hashFailure(report, path));
}

/** What kept a file from being hashed, in words. */
export function hashFailure(report: { code: string | null; message: string }, path: string): LuciError {
  if (report.code === "ESHORT")
    return new LuciError("E_DAMAGED", `${path}: the file became shorter while it was read`);
  if (report.code === null) return new LuciError("E_INTERNAL", report.message);
  const error = diskError(Object.assign(new Error(report.message), { code: report.code }), path);
  return error instanceof LuciError ? error : new LuciError("E_IO", `${path}: ${report.message}`);
}

function openJob(slot: Slot, id: number, job: { options: HashJobOptions; listener: HashListener }): HashJob {
  const send = (order: HashOrder): void => slot.worker.postMessage(order);
  slot.listeners.set(id, { listener: job.listener, path: job.options.path });
  // A busy worker keeps the process alive, an idle one must not.
  slot.worker.ref();
  send({ type: "open", id, ...job.options });
  return {
    advance: (frontierBytes, sizeBytes) => send({ type: "advance", id, frontierBytes, sizeBytes }),
    goNative: () => send({ type: "native", id }),
    forget: (piece) => send({ type: "forget", id, piece }),
    close: () => {
      if (!slot.listeners.delete(id)) return;
      send({ type: "close", id });
      if (slot.listeners.size === 0) slot.worker.unref();
    },
  };
}
