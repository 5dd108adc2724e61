// Server-sent events (WHATWG HTML §9.2): what happens, as it happens, to any number of clients. Nothing is made for a client
// before it can take it, so one that does not keep up costs no memory: it is told the latest, and of the gap.

import type { LuciEvent } from "../domain/events.ts";
import type { Job } from "../domain/job.ts";
import { jsonLine } from "../domain/text.ts";
import { afterTurns } from "../platform/clock.ts";
import type { EventLog } from "./event-log.ts";

/** Progress is told this often at most, where a client does not ask for something else. */
const PROGRESS_MS = 500;
/** A sign of life, before anybody between takes the silence for an end. */
const PING_MS = 5_000;
/** A client may take this long to take what is left at the end. */
const LAST_WORDS_MS = 200;
/** Events in one go. */
const MOST_EVENTS = 200;

/** One thing a client is told; `id` is the number of an event, to go on from there. */
export interface FeedRecord {
  readonly id: number | null;
  readonly event: string;
  readonly data: LuciEvent | Job | { readonly seq: number };
}

export interface EventFeed {
  readonly lastSeq: number;
  /**
   * A stream of what comes after an event; of what comes from now on where it is null. Both begin with every job.
   * Progress comes every so many milliseconds at most.
   */
  stream(sinceSeq: number | null, everyMs?: number): Response;
  /** What a stream carries as data, for other ways to send it; an empty list is a sign of life. */
  records(
    sinceSeq: number | null,
    options: { readonly signal: AbortSignal; readonly everyMs?: number },
  ): AsyncGenerator<readonly FeedRecord[]>;
  /** Ends every stream with what is left to tell; resolves when all that keep up have been told. */
  close(): Promise<void>;
}

export interface FeedOptions {
  readonly log: EventLog;
  list(): readonly Job[];
}

/** The feed of a log and of the jobs it tells of. */
export function createEventFeed({ log, list }: FeedOptions): EventFeed {
  const closing = new AbortController();
  const streams = new Set<Promise<void>>();
  const records: EventFeed["records"] = (sinceSeq, { signal: gone, everyMs = PROGRESS_MS }) => {
    const signal = AbortSignal.any([gone, closing.signal]);
    return tell({ log, list, sinceSeq: sinceSeq ?? log.lastSeq, everyMs, gone, signal });
  };
  return {
    get lastSeq() {
      return log.lastSeq;
    },
    records,
    stream: (sinceSeq, everyMs) => {
      const gone = new AbortController();
      const source = textsOf(records(sinceSeq, { signal: gone.signal, ...(everyMs ? { everyMs } : {}) }));
      const encoder = new TextEncoder();
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      streams.add(ended);
      void ended.then(() => streams.delete(ended));
      const body = new ReadableStream<Uint8Array>(
        {
          pull: async (controller) => {
            const next = await source.next();
            if (next.done !== true) return controller.enqueue(encoder.encode(next.value));
            controller.close();
            end();
          },
          cancel: () => {
            gone.abort();
            end();
          },
        },
        { highWaterMark: 1 },
      );
      const headers = { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store" };
      return new Response(body, { headers });
    },
    close: async () => {
      closing.abort();
      const { promise: patience, resolve } = Promise.withResolvers<void>();
      afterTurns(LAST_WORDS_MS, resolve);
      await Promise.race([Promise.all(streams), patience]);
    },
  };
}

interface Telling {
  readonly log: EventLog;
  list(): readonly Job[];
  readonly sinceSeq: number;
  readonly everyMs: number;
  /** The client's own end. */
  readonly gone: AbortSignal;
  /** That, or the feed's. */
  readonly signal: AbortSignal;
}

async function* textsOf(source: AsyncGenerator<readonly FeedRecord[]>): AsyncGenerator<string> {
  // A client sees at once that it is connected, and is told how soon to come back.
  yield "retry: 1000\n\n";
  for await (const records of source)
    yield records.length === 0 ? ": still here\n\n" : records.map(formatRecord).join("");
}

async function* tell({
  log,
  list,
  sinceSeq,
  everyMs,
  gone,
  signal,
}: Telling): AsyncGenerator<readonly FeedRecord[]> {
  const told = new Map<string, string>();
  let seq = sinceSeq;
  let progressSeq = sinceSeq;
  let progressAtMs = Number.NEGATIVE_INFINITY;
  while (!gone.aborted) {
    const isLast = signal.aborted;
    const { events, isGap } = log.after(seq, MOST_EVENTS);
    const news = isGap ? [record("gap", { seq: log.lastSeq })] : [];
    news.push(...events.map((event) => record(event.type, event, event.seq)));
    seq = events.at(-1)?.seq ?? (isGap ? log.lastSeq : seq);
    const isDue = isLast || performance.now() - progressAtMs >= everyMs;
    if (isDue) {
      const progress = log.progressAfter(progressSeq);
      news.push(...progress.map((event) => record(event.type, event)), ...changedJobs(list(), told));
      progressAtMs = performance.now();
      progressSeq = log.lastSeq;
    }
    if (news.length > 0) yield news;
    if (isLast) return;
    if (news.length > 0) continue;
    if ((await idle(log, { seq, progressSeq, progressAtMs, everyMs, signal })) === "silence") yield [];
  }
}

function record(event: string, data: FeedRecord["data"], id: number | null = null): FeedRecord {
  return { id, event, data };
}

function formatRecord({ id, event, data }: FeedRecord): string {
  return `${id === null ? "" : `id: ${id}\n`}event: ${event}\ndata: ${jsonLine(data)}\n\n`;
}

/** The jobs that are not as this client knows them. */
function changedJobs(jobs: readonly Job[], told: Map<string, string>): FeedRecord[] {
  const ids = new Set(jobs.map(({ id }) => id));
  for (const id of told.keys()) if (!ids.has(id)) told.delete(id);
  return jobs
    .filter((job) => told.get(job.id) !== jsonLine(job))
    .map((job) => {
      told.set(job.id, jsonLine(job));
      return record("download", job);
    });
}

interface Idle {
  readonly seq: number;
  readonly progressSeq: number;
  readonly progressAtMs: number;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

/** Waits for something worth telling, or until it has been silent for long. */
async function idle(
  log: EventLog,
  { seq, progressSeq, progressAtMs, everyMs, signal }: Idle,
): Promise<"news" | "silence"> {
  const { promise, resolve } = Promise.withResolvers<"news" | "silence">();
  const look = (): void => {
    if (log.after(seq, 1).events.length > 0) return resolve("news");
    if (log.lastSeq <= progressSeq) return;
    timer ??= setTimeout(() => resolve("news"), Math.max(0, progressAtMs + everyMs - performance.now()));
  };
  let timer: ReturnType<typeof setTimeout> | null = null;
  const silence = setTimeout(() => resolve("silence"), PING_MS);
  const end = (): void => resolve("news");
  signal.addEventListener("abort", end, { once: true });
  const stop = log.onEvent(look);
  look();
  const outcome = await promise;
  stop();
  signal.removeEventListener("abort", end);
  clearTimeout(silence);
  if (timer) clearTimeout(timer);
  return outcome;
}
