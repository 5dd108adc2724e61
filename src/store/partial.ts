// An unfinished file: sparse data written at its offsets, the journal of what is durable, the hash behind it.
// Invariant: the journal claims only what fdatasync returned for; the final name appears only through `seal`.

import { LuciError, toLuciError } from "../domain/errors.ts";
import type { Partial, Verdict } from "../domain/partial.ts";
import type { Validator } from "../domain/plan.ts";
import type { Range } from "../domain/range.ts";
import { addRange, frontierBytes, missingRanges, totalSize } from "../domain/range.ts";
import type { FileFacts } from "../platform/files.ts";
import type { ReadBack } from "../platform/hash-inline.ts";
import { cutEnd, emptyClaim, removeJournal, syncWhole, writeCheckpoint } from "./checkpoint.ts";
import { Checkpointer } from "./checkpointer.ts";
import { type Digests, FrontierHash } from "./frontier-hash.ts";
import { type Believed, believeJournal, readJournal, withoutPiece } from "./journal.ts";
import { type Claim, unclaimPartial } from "./partial-claim.ts";
import type { PartialOptions } from "./partial-options.ts";
import { ReadBackKeeper } from "./read-back.ts";
import type { Store } from "./store.ts";
import { compareVersion } from "./version.ts";

export class StorePartial implements Partial {
  readonly #store: Store;
  readonly #options: PartialOptions & { key: string; claim: Claim };
  #sizeBytes: number | null;
  #etag: string | null = null;
  #asked = false;
  #written: Range[] = [];
  #kept: Range[] = [];
  #hash: FrontierHash | null = null;
  readonly #readBack = new ReadBackKeeper();
  readonly #checkpointer = new Checkpointer(() => this.#saveJournal());

  constructor(store: Store, options: PartialOptions & { key: string; claim: Claim }) {
    this.#store = store;
    this.#options = options;
    this.#sizeBytes = options.file.sizeBytes;
  }

  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  get doneBytes(): number {
    return totalSize(this.#written);
  }

  get hashedBytes(): number {
    return this.#hash?.hashedBytes ?? 0;
  }

  get etag(): string | null {
    return this.#options.file.digest === null && this.#written.length > 0 ? this.#etag : null;
  }

  /** Bytes the next run will find: those the journal claims. */
  get keptBytes(): number {
    return totalSize(this.#kept);
  }

  /** The data file as it is ours: whether it has a journal, and whether a sync of it failed. */
  get claim(): Claim {
    return this.#options.claim;
  }

  /** Where the data lies, for people. */
  get path(): string {
    return this.#options.claim.path;
  }

  /** The data as it lies on the disk: of a small file, as it was read back to be hashed. */
  get data(): ReadBack {
    return this.#readBack.last ?? this.#options.claim.file;
  }

  get pieces(): readonly (string | null)[] {
    return this.#hash?.pieces ?? [];
  }

  /** Believes the journal as far as it proves itself, and starts the hash. */
  async load(): Promise<void> {
    const { claim, fresh } = this.#options;
    if (claim.fresh && !claim.hasJournal) return this.#startHash();
    const hasDigest = this.#options.file.digest !== null;
    const journal = fresh || claim.fresh ? null : await readJournal(this.#store, this.#options.key);
    const facts = await claim.file.facts();
    const believed = journal && believeJournal(journal, { facts, sizeBytes: this.#sizeBytes, hasDigest });
    if (!journal || !believed) {
      await emptyClaim(this.#store, claim, this.#options.key);
      return this.#startHash();
    }
    this.#written = believed.written;
    this.#kept = believed.written;
    this.#sizeBytes ??= journal.sizeBytes;
    this.#etag = journal.etag;
    this.#startHash(believed);
  }

  missing(): Range[] {
    return this.#sizeBytes === null ? [] : missingRanges(this.#written, this.#sizeBytes);
  }

  async write(offsetBytes: number, chunks: readonly Uint8Array[]): Promise<void> {
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    await this.#checkpointer.during(sizeBytes, async () => {
      await this.#options.claim.file.write(offsetBytes, chunks);
      this.#written = addRange(this.#written, { startBytes: offsetBytes, endBytes: offsetBytes + sizeBytes });
    });
    this.#advanceHash();
  }

  pin(validator: Validator): Verdict {
    const known = {
      hasBytes: this.#written.length > 0,
      sizeBytes: this.#sizeBytes,
      etag: this.#etag,
      asked: this.#asked,
    };
    const verdict = compareVersion(this.#options.file, known, validator);
    if (verdict !== "same") return verdict;
    // The first answer decides the version; those that follow only have to agree.
    if (!this.#asked) this.#etag = validator.etag;
    this.#asked = true;
    this.#sizeBytes ??= validator.sizeBytes;
    this.#advanceHash();
    return verdict;
  }

  async restart(reason: string): Promise<void> {
    this.#options.onRestart(reason);
    await this.#checkpointer.stop();
    this.#checkpointer.reset();
    this.#hash?.close();
    this.#written = [];
    this.#sizeBytes = this.#options.file.sizeBytes;
    this.#etag = null;
    this.#asked = false;
    await emptyClaim(this.#store, this.#options.claim, this.#options.key);
    this.#kept = [];
    this.#startHash();
  }

  end(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
    this.#advanceHash();
  }

  async checkpoint(): Promise<void> {
    await this.#checkpointer.all();
  }

  async settle(signal: AbortSignal): Promise<void> {
    if (this.#sizeBytes !== null && this.missing().length === 0) await this.#hash?.finish(signal);
  }

  /** The digests of the whole file as it is on disk. @throws E_INTERNAL when bytes are missing */
  async digests(signal: AbortSignal): Promise<Digests> {
    const digests = this.missing().length === 0 ? await this.#hash?.finish(signal) : null;
    if (!digests) throw new LuciError("E_INTERNAL", `${this.path}: sealed before it was whole`);
    return digests;
  }

  /** Makes the data durable for good, and answers its facts; the journal no longer matters after this. */
  async sync(): Promise<FileFacts> {
    await this.#checkpointer.stop();
    return syncWhole(this.#options.claim.file, this.#sizeBytes);
  }

  /** Lets go with everything kept for the next run. */
  async release(): Promise<void> {
    const { key, claim } = this.#options;
    await this.#letGo(async () => {
      try {
        await this.#checkpointer.all().catch((error: unknown) => this.#makeRoom(error));
      } finally {
        await this.#close();
        if (this.doneBytes > 0) await unclaimPartial(this.#store, { path: claim.path, key });
        else await this.#store.files.remove(claim.path);
      }
    });
  }

  /** Lets go after the data file got its final name: only the journal is left to remove. */
  async finishPublished(): Promise<void> {
    await this.#letGo(async () => {
      await this.#close();
      await removeJournal(this.#store, this.#options);
    });
  }

  /** Deletes every byte. The journal goes first: data without a journal is worth nothing to the next run. */
  async discard(): Promise<void> {
    await this.#letGo(async () => {
      await this.#close();
      await removeJournal(this.#store, this.#options);
      await this.#store.files.remove(this.#options.claim.path);
    });
  }

  async #letGo(act: () => Promise<void>): Promise<void> {
    this.#hash?.close();
    this.#readBack.drop();
    try {
      await act();
      this.#store.tagged.delete(this.#options.key);
    } finally {
      this.#store.claimed.delete(this.#options.key);
    }
  }

  #startHash(known: Pick<Believed, "checkpoint" | "expected"> = { checkpoint: null, expected: [] }): void {
    this.#hash = new FrontierHash({
      ...known,
      pool: this.#readBack.hashes(this.#store, this.#sizeBytes),
      path: this.#options.claim.path,
      choice: this.#store.hasher,
      sizeBytes: this.#sizeBytes,
      presentBytes: frontierBytes(this.#written),
      now: () => performance.now(),
      gitBlob: this.#options.file.digest?.algorithm === "git-sha1",
      onBadPiece: (piece) => this.#dropPiece(piece),
    });
    this.#advanceHash();
  }

  #advanceHash(): void {
    this.#hash?.advance(frontierBytes(this.#written), this.#sizeBytes);
  }

  #dropPiece(piece: number): void {
    this.#written = withoutPiece(this.#written, piece);
  }

  /** Called once at a time. What is written meanwhile is not claimed. */
  async #saveJournal(): Promise<void> {
    const { claim, key, label } = this.#options;
    const durable = this.#written;
    await writeCheckpoint(this.#store, claim, {
      key,
      label,
      sizeBytes: this.#sizeBytes,
      etag: this.#etag,
      durable,
      pieces: [...this.pieces],
      checkpoint: this.#hash?.checkpoint ?? null,
    });
    this.#kept = durable;
  }

  /** A full disk has no room for the journal either: the last bytes make way for it, or all would be lost. */
  async #makeRoom(reason: unknown): Promise<void> {
    if (this.#written.length === 0 || toLuciError(reason).code !== "E_NO_SPACE") throw reason;
    this.#written = await cutEnd(this.#options.claim.file, { written: this.#written, kept: this.#kept });
    await this.#checkpointer.all();
  }

  async #close(): Promise<void> {
    await this.#checkpointer.stop();
    await this.#options.claim.file.close();
  }
}
