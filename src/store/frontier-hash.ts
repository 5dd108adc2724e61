// The hash of an unfinished file: follows the frontier in a worker and reads what is on disk.
// Knows the piece fingerprints and the last hash state that may go into the journal.

import { type LuciError, toLuciError } from "../domain/errors.ts";
import type { HasherChoice } from "../domain/settings.ts";
import { PIECE_BYTES } from "../platform/hash.ts";
import type { HashJob, HashJobOptions, HashPool } from "../platform/hash-pool.ts";
import type { Engine } from "../platform/hash-protocol.ts";

/** A link that is this far ahead of hash-wasm outruns it: the native engine starts again from byte 0. */
const OUTRUN_BYTES = 256 * 1024 * 1024;
/** With the download done, waiting for this much of hash-wasm is longer than a native second pass. */
const TAIL_BYTES = 64 * 1024 * 1024;
/** The link is watched for this much or this long before an engine is chosen: hashing twice costs more. */
const TRIAL_BYTES = 64 * 1024 * 1024;
const TRIAL_MS = 1_000;
/** What hash-wasm keeps up with while the rest of luci works on the same cores (it measures 95 MB/s alone here). */
const WASM_BYTES_PER_MS = 64 * 1024;

export interface HashCheckpoint {
  readonly hashedBytes: number;
  readonly state: Uint8Array;
}

export interface Digests {
  readonly sha256: string;
  readonly gitSha1: string | null;
}

export interface FrontierHashOptions {
  readonly pool: HashPool;
  readonly path: string;
  readonly choice: HasherChoice;
  readonly sizeBytes: number | null;
  /** Bytes already there: decides the engine at the start. */
  readonly presentBytes: number;
  readonly checkpoint: HashCheckpoint | null;
  /** Fingerprints to hold the pieces against. */
  readonly expected: readonly (string | null)[];
  readonly gitBlob: boolean;
  /** A clock in milliseconds. */
  now(): number;
  /** A piece on disk is not what it was: its bytes must be fetched again. */
  onBadPiece(piece: number): void;
}

/** Which engine to begin with, given how the link does; null while that is not known yet. */
function pickEngine(
  options: FrontierHashOptions,
  seen: { frontierBytes: number; elapsedMs: number; whole: boolean },
): Engine | null {
  const { choice, sizeBytes, gitBlob, checkpoint, presentBytes } = options;
  if (choice !== "auto") return choice;
  // A state worth keeping saves less than a tenth of a second of native hashing in a small file.
  if (gitBlob || (sizeBytes !== null && sizeBytes <= TAIL_BYTES)) return "native";
  if (presentBytes - (checkpoint?.hashedBytes ?? 0) > OUTRUN_BYTES) return "native";
  if (checkpoint) return "wasm";
  if (seen.whole) return "native";
  const arrivedBytes = seen.frontierBytes - presentBytes;
  if (arrivedBytes < TRIAL_BYTES && seen.elapsedMs < TRIAL_MS) return null;
  return arrivedBytes > WASM_BYTES_PER_MS * seen.elapsedMs ? "native" : "wasm";
}

/** The hash of one file that is still being written. Close it when the file is done with. */
export class FrontierHash {
  readonly #options: FrontierHashOptions;
  readonly #startedMs: number;
  readonly #pieces: (string | null)[];
  #job: HashJob | null = null;
  #onWasm = false;
  #hashedBytes = 0;
  #checkpoint: HashCheckpoint | null;
  #digests: Digests | null = null;
  #failure: LuciError | null = null;
  #foundBad = false;
  /** Whole pieces the worker knows of; infinite for the whole file, -1 for nothing. */
  #told = -1;
  #wake: () => void = () => undefined;

  constructor(options: FrontierHashOptions) {
    this.#options = options;
    this.#startedMs = options.now();
    // git's hash has no state to continue from: it needs every byte from the first on.
    this.#checkpoint = options.choice !== "native" && !options.gitBlob ? options.checkpoint : null;
    this.#hashedBytes = this.#checkpoint?.hashedBytes ?? 0;
    this.#pieces = [...options.expected];
  }

  get hashedBytes(): number {
    return this.#hashedBytes;
  }

  /** Fingerprints known so far, by piece. */
  get pieces(): readonly (string | null)[] {
    return this.#pieces;
  }

  /** The newest state a later run could continue from; null on the native engine. */
  get checkpoint(): HashCheckpoint | null {
    return this.#checkpoint;
  }

  /** Says how much of the file may be read, and its whole size if known. */
  advance(frontierBytes: number, sizeBytes: number | null): void {
    this.#foundBad = false;
    const whole = sizeBytes !== null && frontierBytes >= sizeBytes;
    if (this.#job) this.#goNativeIfOutrun(frontierBytes, whole);
    else this.#begin({ frontierBytes, elapsedMs: this.#options.now() - this.#startedMs, whole });
    // The worker reads whole pieces: until there is another one, it has no use for a message.
    const told = whole ? Number.POSITIVE_INFINITY : Math.floor(frontierBytes / PIECE_BYTES);
    if (!this.#job || told === this.#told) return;
    this.#told = told;
    this.#job.advance(frontierBytes, sizeBytes);
  }

  #begin(seen: { frontierBytes: number; elapsedMs: number; whole: boolean }): void {
    const engine = pickEngine({ ...this.#options, checkpoint: this.#checkpoint }, seen);
    if (engine === null) return;
    this.#onWasm = engine === "wasm";
    if (!this.#onWasm) {
      this.#checkpoint = null;
      this.#hashedBytes = 0;
    }
    this.#job = this.#options.pool.open(this.#jobOptions(engine), {
      onPiece: (piece, mark) => this.#notePiece(piece, mark),
      onBad: (piece) => this.#noteBad(piece),
      onDigest: (digests) => this.#noteEnd({ digests, failure: null }),
      onFailed: (failure) => this.#noteEnd({ digests: null, failure }),
    });
  }

  /** Resolves when the whole file is hashed, or with null when a bad piece turned up on the way. */
  async finish(signal: AbortSignal): Promise<Digests | null> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#failure) throw this.#failure;
      if (this.#foundBad) return null;
      if (this.#digests) return this.#digests;
      await this.#nextNews(signal);
    }
  }

  close(): void {
    this.#job?.close();
  }

  #jobOptions(engine: Engine): HashJobOptions {
    return {
      path: this.#options.path,
      engine,
      fromPiece: this.#hashedBytes / PIECE_BYTES,
      state: this.#checkpoint?.state ?? null,
      expected: this.#options.expected,
      gitBlob: this.#options.gitBlob,
    };
  }

  #goNativeIfOutrun(frontierBytes: number, whole: boolean): void {
    const backlogBytes = frontierBytes - this.#hashedBytes;
    if (!this.#onWasm || this.#options.choice !== "auto") return;
    if (backlogBytes <= OUTRUN_BYTES && !(whole && backlogBytes > TAIL_BYTES)) return;
    this.#onWasm = false;
    this.#checkpoint = null;
    this.#hashedBytes = 0;
    this.#told = -1;
    this.#job?.goNative();
  }

  #notePiece(
    piece: number,
    mark: { fingerprint: string; hashedBytes: number; state: Uint8Array | null },
  ): void {
    this.#pieces[piece] = mark.fingerprint;
    this.#hashedBytes = mark.hashedBytes;
    if (mark.state && this.#onWasm && !this.#options.gitBlob)
      this.#checkpoint = { hashedBytes: mark.hashedBytes, state: mark.state };
    this.#wake();
  }

  #noteBad(piece: number): void {
    this.#pieces[piece] = null;
    this.#foundBad = true;
    this.#told = -1;
    this.#job?.forget(piece);
    this.#options.onBadPiece(piece);
    this.#wake();
  }

  #noteEnd(end: { digests: Digests | null; failure: LuciError | null }): void {
    this.#digests = end.digests;
    this.#failure = end.failure;
    this.#wake();
  }

  async #nextNews(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(toLuciError(signal.reason));
      signal.addEventListener("abort", abort, { once: true });
      this.#wake = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
    });
  }
}
