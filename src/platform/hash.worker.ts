// The hash worker: follows the frontier of several files, piece by piece, and reads what is on disk.
// One buffer for all files: a piece is read, fingerprinted and hashed before the next one is looked at.

import { closeSync, constants, openSync, readSync } from "node:fs";
import {
  PIECE_BYTES,
  type StreamingSha256,
  checkEngine,
  createNativeSha256,
  createWasmSha256,
  fingerprint,
} from "./hash.ts";
import type { Engine, HashOrder, HashReport } from "./hash-protocol.ts";

interface Job {
  readonly id: number;
  readonly fd: number;
  readonly expected: (string | null)[];
  readonly gitBlob: boolean;
  hasher: StreamingSha256;
  gitHasher: Bun.CryptoHasher | null;
  nextPiece: number;
  frontierBytes: number;
  sizeBytes: number | null;
  /**
   * Bad: a piece is not what was expected, and nothing is read until it is forgotten; news of the frontier may be
   * older than that. Finished: the digest is out, an engine gives it once. Failed: until the frontier moves.
   */
  state: "following" | "bad" | "finished" | "failed";
}

const jobs = new Map<number, Job>();
const buffer = new Uint8Array(PIECE_BYTES);
let running = false;
let orders = Promise.resolve();

function report(message: HashReport): void {
  postMessage(message);
}

declare const self: Worker;

self.onmessage = (event: MessageEvent<HashOrder>) => {
  // Opening is asynchronous (the wasm module compiles): orders are obeyed strictly one after the other.
  orders = orders.then(() => obey(event.data)).then(wake, (error: unknown) => fail(event.data.id, error));
};

async function obey(order: HashOrder): Promise<void> {
  if (order.type === "open") return open(order);
  const job = jobs.get(order.id);
  if (!job) return;
  if (order.type === "advance") {
    job.frontierBytes = order.frontierBytes;
    job.sizeBytes = order.sizeBytes;
    if (job.state === "failed") job.state = "following";
  } else if (order.type === "native") {
    job.hasher = createNativeSha256();
    job.nextPiece = 0;
    if (job.state !== "bad") job.state = "following";
  } else if (order.type === "forget") {
    job.expected[order.piece] = null;
    // What was said of the frontier before counted the piece.
    job.frontierBytes = Math.min(job.frontierBytes, order.piece * PIECE_BYTES);
    if (job.state === "bad") job.state = "following";
  } else {
    jobs.delete(order.id);
    closeSync(job.fd);
  }
}

async function open(order: Extract<HashOrder, { type: "open" }>): Promise<void> {
  checkEngine(await newEngine(order.engine), order.engine);
  const continued = order.engine === "wasm" ? await continueWasm(order.state) : null;
  jobs.set(order.id, {
    id: order.id,
    fd: openSync(order.path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)),
    expected: [...order.expected],
    gitBlob: order.gitBlob,
    hasher: continued ?? (await newEngine(order.engine)),
    gitHasher: null,
    nextPiece: continued ? order.fromPiece : 0,
    frontierBytes: 0,
    sizeBytes: null,
    state: "following",
  });
}

async function newEngine(engine: Engine): Promise<StreamingSha256> {
  return engine === "wasm" ? createWasmSha256(null) : createNativeSha256();
}

/** The engine at a saved state; null when there is none or another version of the engine wrote it. */
async function continueWasm(state: Uint8Array | null): Promise<StreamingSha256 | null> {
  if (!state) return null;
  try {
    return await createWasmSha256(state);
  } catch {
    return null;
  }
}

function wake(): void {
  if (running) return;
  running = true;
  setImmediate(turn);
}

/** One piece of every file that has one, then back to the messages. */
function turn(): void {
  let worked = false;
  for (const job of jobs.values()) {
    try {
      worked = advance(job) || worked;
    } catch (error) {
      fail(job.id, error);
    }
  }
  running = worked;
  if (worked) setImmediate(turn);
}

function advance(job: Job): boolean {
  if (job.state !== "following") return false;
  const startBytes = job.nextPiece * PIECE_BYTES;
  const whole = job.sizeBytes !== null && job.frontierBytes >= job.sizeBytes;
  const readableBytes = Math.min(PIECE_BYTES, job.frontierBytes - startBytes);
  if (whole && readableBytes <= 0) return finish(job);
  if (readableBytes < PIECE_BYTES && !whole) return false;
  const piece = readPiece(job, startBytes, readableBytes);
  const mark = fingerprint(piece);
  const expected = job.expected[job.nextPiece] ?? null;
  if (expected !== null && expected !== mark) {
    job.state = "bad";
    report({ type: "bad", id: job.id, piece: job.nextPiece });
    return false;
  }
  hashPiece(job, piece);
  job.nextPiece += 1;
  report({
    type: "piece",
    id: job.id,
    piece: job.nextPiece - 1,
    fingerprint: mark,
    hashedBytes: startBytes + piece.length,
    state: piece.length === PIECE_BYTES ? (job.hasher.save?.() ?? null) : null,
  });
  return true;
}

function readPiece(job: Job, startBytes: number, sizeBytes: number): Uint8Array {
  let filledBytes = 0;
  while (filledBytes < sizeBytes) {
    const count = readSync(job.fd, buffer, filledBytes, sizeBytes - filledBytes, startBytes + filledBytes);
    if (count === 0)
      throw Object.assign(new Error("the file is shorter than it should be"), { code: "ESHORT" });
    filledBytes += count;
  }
  return buffer.subarray(0, sizeBytes);
}

function hashPiece(job: Job, piece: Uint8Array): void {
  job.hasher.update(piece);
  if (!job.gitBlob || job.sizeBytes === null) return;
  // git hashes "blob <size>\0" before the content (git-hash-object).
  job.gitHasher ??= new Bun.CryptoHasher("sha1").update(`blob ${job.sizeBytes}\0`);
  job.gitHasher.update(piece);
}

function finish(job: Job): boolean {
  job.state = "finished";
  const empty = job.gitBlob ? (job.gitHasher ?? new Bun.CryptoHasher("sha1").update("blob 0\0")) : null;
  report({
    type: "digest",
    id: job.id,
    sha256: job.hasher.digestHex(),
    gitSha1: empty?.digest("hex") ?? null,
  });
  return false;
}

function fail(id: number, error: unknown): void {
  const job = jobs.get(id);
  if (job) job.state = "failed";
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? null) : null;
  report({ type: "failed", id, code, message: error instanceof Error ? error.message : String(error) });
}
