// Which connection fetches which part of a file: a board of spans in flight. The lowest missing bytes go
// first; when nothing is free any more, an idle connection takes over half of what the slowest has left.

import { type Range, rangeSize, subtractRange, totalSize } from "../domain/range.ts";

/** Spans end at multiples of this, so that they agree with the store's pieces. */
const GRAIN_BYTES = 8 * 1024 * 1024;
const LARGEST_SPAN_BYTES = 64 * 1024 * 1024;
/** A span lasts about this long, whatever the link: long enough to hide the round trip, short enough to steer. */
const SPAN_MS = 1_000;
/** Towards the end spans get shorter, so that all connections end together, but not shorter than this … */
const LAST_SPAN_MS = 250;
/** … or this. */
const LAST_SPAN_BYTES = 1024 * 1024;
/** Smaller rests are not worth a request of their own. */
const SMALLEST_STEAL_BYTES = 256 * 1024;
/** A connection that needs longer than this for its rest is helped; what it has under way is then sent twice. */
const HELP_MS = 3_000;
/** A connection without a byte for this long loses all of its rest, if another one is idle. */
const SILENT_MS = 5_000;

/** A part of the file that one connection is fetching. Its end may move closer while it runs. */
export interface Span extends Range {
  readonly startBytes: number;
  endBytes: number;
  /** How far its bytes have arrived. */
  positionBytes: number;
  startedMs: number;
  lastByteMs: number;
  /** Ends the request because somebody else took all of its rest; null while nobody has asked for it. */
  cancel: (() => void) | null;
}

export class SpanBoard {
  readonly #missing: () => Range[];
  readonly #now: () => number;
  readonly #busy = new Set<Span>();
  #spanBytes = GRAIN_BYTES;
  #lastSpanBytes = LAST_SPAN_BYTES;

  /** `missing` answers the parts that are not written yet; `now` a clock in milliseconds. */
  constructor(missing: () => Range[], now: () => number) {
    this.#missing = missing;
    this.#now = now;
  }

  /** A span for an idle connection: a free one, or with no bound on it what another one may not manage. */
  next(mostBytes: number | null): Span | null {
    return mostBytes === null ? (this.take() ?? this.steal()) : this.take(mostBytes);
  }

  /** The next span to ask for, or null when every missing byte is in somebody's hands. */
  take(mostBytes = LARGEST_SPAN_BYTES): Span | null {
    const free = [...this.#busy].reduce<Range[]>(subtractRange, this.#missing());
    const gap = free[0];
    if (!gap) return null;
    const { startBytes } = gap;
    const fairBytes = this.#fairBytes(totalSize(free));
    return this.#begin(
      startBytes,
      Math.min(gap.endBytes, this.#alignedEnd(startBytes), startBytes + Math.min(mostBytes, fairBytes)),
    );
  }

  /** What leaves enough for the others, so that none of them has to wait for this one at the end. */
  #fairBytes(freeBytes: number): number {
    if (this.#busy.size === 0) return freeBytes;
    const shareBytes = freeBytes / (this.#busy.size + 1);
    return Math.max(this.#lastSpanBytes, Math.ceil(shareBytes / LAST_SPAN_BYTES) * LAST_SPAN_BYTES);
  }

  /** Half of the slowest span's rest (all of it, if that one is silent), or null when nobody needs help. */
  steal(): Span | null {
    const nowMs = this.#now();
    const slowest = [...this.#busy]
      // Whoever still waits for an address or the speed limit is not slow: it has yet to say what it wants.
      .filter(({ cancel }) => cancel !== null)
      .map((span) => ({ span, restBytes: span.endBytes - span.positionBytes, restMs: restMs(span, nowMs) }))
      .filter(({ restBytes, restMs: ms }) => restBytes >= SMALLEST_STEAL_BYTES && ms >= HELP_MS)
      .toSorted((one, other) => other.restMs - one.restMs)[0];
    if (!slowest) return null;
    const { span, restBytes } = slowest;
    const { endBytes } = span;
    const silent = nowMs - span.lastByteMs >= SILENT_MS;
    span.endBytes = silent ? span.positionBytes : endBytes - Math.floor(restBytes / 2);
    if (silent) span.cancel?.();
    return this.#begin(span.endBytes, endBytes);
  }

  /** Whether nothing is missing and nobody is fetching. */
  get isDone(): boolean {
    return this.#busy.size === 0 && this.#missing().length === 0;
  }

  /** A span is asked for from now on: its pace counts, and idle connections may take of it. */
  asked(span: Span, cancel: () => void): void {
    span.cancel = cancel;
    span.startedMs = this.#now();
    span.lastByteMs = span.startedMs;
  }

  /** Bytes of a span arrived. */
  arrived(span: Span, sizeBytes: number): void {
    span.positionBytes += sizeBytes;
    span.lastByteMs = this.#now();
  }

  /** A connection is done with its span, however it ended; what it did not write is free again. */
  giveBack(span: Span): void {
    this.#busy.delete(span);
    const elapsedMs = this.#now() - span.startedMs;
    const movedBytes = span.positionBytes - span.startBytes;
    if (movedBytes === 0 || elapsedMs <= 0) return;
    const idealBytes = (movedBytes / elapsedMs) * SPAN_MS;
    this.#spanBytes = Math.min(LARGEST_SPAN_BYTES, Math.max(GRAIN_BYTES, idealBytes));
    const leastBytes = Math.ceil((idealBytes * LAST_SPAN_MS) / SPAN_MS);
    this.#lastSpanBytes = Math.min(GRAIN_BYTES, Math.max(LAST_SPAN_BYTES, leastBytes));
  }

  #begin(startBytes: number, endBytes: number): Span {
    const nowMs = this.#now();
    const span: Span = {
      startBytes,
      endBytes,
      positionBytes: startBytes,
      startedMs: nowMs,
      lastByteMs: nowMs,
      cancel: null,
    };
    this.#busy.add(span);
    return span;
  }

  #alignedEnd(startBytes: number): number {
    const aligned = Math.floor((startBytes + this.#spanBytes) / GRAIN_BYTES) * GRAIN_BYTES;
    return aligned > startBytes ? aligned : aligned + GRAIN_BYTES;
  }
}

/** How long a span's rest will take at its own pace; endless while nothing has come. */
function restMs(span: Span, nowMs: number): number {
  const movedBytes = span.positionBytes - span.startBytes;
  const elapsedMs = nowMs - span.startedMs;
  if (movedBytes === 0) return elapsedMs >= HELP_MS ? Number.MAX_SAFE_INTEGER : 0;
  return ((span.endBytes - span.positionBytes) * elapsedMs) / movedBytes;
}

/** Leaves out the parts of `[startBytes, startBytes + bytes.length)` that are not missing any more. */
export function missingParts(
  missing: readonly Range[],
  chunk: { startBytes: number; bytes: Uint8Array },
): { startBytes: number; bytes: Uint8Array }[] {
  const endBytes = chunk.startBytes + chunk.bytes.length;
  return missing
    .map((range) => ({
      startBytes: Math.max(range.startBytes, chunk.startBytes),
      endBytes: Math.min(range.endBytes, endBytes),
    }))
    .filter((range) => rangeSize(range) > 0)
    .map((range) => ({
      startBytes: range.startBytes,
      bytes: chunk.bytes.subarray(range.startBytes - chunk.startBytes, range.endBytes - chunk.startBytes),
    }));
}
