// Speed from absolute counters: a sliding window of samples. Pure; the time comes with each sample.

/** What a counter stood at. */
export interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Oldest first; never empty once a counter has been seen. */
export type SpeedWindow = readonly Sample[];

/** Long enough to be calm, short enough to show a change while one looks. */
const WINDOW_MS = 5_000;
/** Samples closer than this replace each other, so that a window stays small at any event rate. */
const SPACING_MS = 250;
/** Before this much time no speed is told: the first packets say nothing. */
const SETTLING_MS = 500;

/** The window with one more reading of the counter; a reading earlier than the last one is taken as of then. */
export function observe(window: SpeedWindow, sample: Sample): SpeedWindow {
  const last = window.at(-1);
  if (last === undefined) return [sample];
  const reading = { atMs: Math.max(sample.atMs, last.atMs), bytes: sample.bytes };
  const previous = window.at(-2);
  const replaces = previous !== undefined && last.atMs - previous.atMs < SPACING_MS;
  const samples = [...(replaces ? window.slice(0, -1) : window), reading];
  // One sample older than the window stays: it is where the window begins.
  const firstInside = samples.findIndex((one) => one.atMs > reading.atMs - WINDOW_MS);
  return samples.slice(Math.max(0, firstInside - 1));
}

/** Bytes per second over the window that ends at a moment; sinks to 0 when nothing arrives any more. */
export function speedAt(window: SpeedWindow, atMs: number): number {
  const last = window.at(-1);
  if (last === undefined) return 0;
  const endMs = Math.max(atMs, last.atMs);
  const start = window.findLast((one) => one.atMs <= endMs - WINDOW_MS) ?? window[0] ?? last;
  const spanMs = endMs - start.atMs;
  if (spanMs < SETTLING_MS) return 0;
  return ((last.bytes - start.bytes) * 1000) / spanMs;
}
