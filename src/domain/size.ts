// Sizes, rates and durations: from what people type, and to what they read.
// Decimal units (kB, MB, GB) throughout, as hubs, disks and network links count.

import ms from "ms";
import prettyBytes from "pretty-bytes";
import prettyMilliseconds from "pretty-ms";
import { LuciError } from "./errors.ts";
import { shorten } from "./text.ts";

const SIZE = /^(?<amount>\d+(?:\.\d+)?|\.\d+) ?(?:(?<prefix>[kmgt])(?<binary>i)?)?b?$/i;
const NO_LIMIT: ReadonlySet<string> = new Set(["0", "off", "none"]);
const POWERS = { k: 1, m: 2, g: 3, t: 4 } as const;
/** A bare number of milliseconds is what `ms` would take it for, never what a person means by "7". */
const DURATION = /^\d*\.?\d+ ?[a-z]+$/i;

/**
 * Bytes of a size as people type it: `20M`, `1.5GiB`, `64k`, `500kB`, `4096`.
 * k, M, G, T (with or without B) are decimal; Ki, Mi, Gi, Ti (with or without B) binary; case does not matter.
 * @throws LuciError E_USAGE when it is not a size or too large to count
 */
export function parseSize(text: string): number {
  const groups = SIZE.exec(text.trim())?.groups;
  const prefix = groups?.["prefix"]?.toLowerCase() as keyof typeof POWERS | undefined;
  const base = groups?.["binary"] === undefined ? 1000 : 1024;
  const bytes = Math.round(Number(groups?.["amount"]) * base ** (prefix === undefined ? 0 : POWERS[prefix]));
  if (!Number.isSafeInteger(bytes)) {
    throw new LuciError("E_USAGE", `Not a size: "${shorten(text, 80)}"`, {
      hint: "Sizes look like 20M, 500kB or 1.5GiB",
    });
  }
  return bytes;
}

/**
 * Bytes per second of a speed limit as people type it: a size, with or without `/s`; null for `off`, `none` and `0`.
 * @throws LuciError E_USAGE when it is not a rate
 */
export function parseRate(text: string): number | null {
  const typed = text.trim().toLowerCase().replace(/\/s$/, "");
  if (NO_LIMIT.has(typed)) return null;
  const bytesPerSec = sizeOrZero(typed);
  if (bytesPerSec > 0) return bytesPerSec;
  throw new LuciError("E_USAGE", `Not a speed limit: "${shorten(text, 80)}"`, {
    hint: "A speed limit is bytes per second like 500k, 20M or 1.5MiB, or off",
  });
}

function sizeOrZero(text: string): number {
  try {
    return parseSize(text);
  } catch {
    return 0;
  }
}

/**
 * Milliseconds of a duration as people type it: `7d`, `12h`, `30m`, `1.5 hours`.
 * @throws LuciError E_USAGE when it is not a duration or has no unit
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  const milliseconds =
    DURATION.test(trimmed) && trimmed.length <= 100 ? ms(trimmed as ms.StringValue) : undefined;
  if (milliseconds === undefined || !Number.isSafeInteger(Math.round(milliseconds))) {
    throw new LuciError("E_USAGE", `Not a duration: "${shorten(text, 80)}"`, {
      hint: "Durations look like 7d, 12h or 30m",
    });
  }
  return Math.round(milliseconds);
}

/** Bytes for people, three significant digits: `2.02 GB`. */
export function formatBytes(bytes: number): string {
  return prettyBytes(Math.round(bytes));
}

/** Bytes per second for people: `48.1 MB/s`. */
export function formatRate(bytesPerSec: number): string {
  return `${formatBytes(bytesPerSec)}/s`;
}

/** A duration for people, at most two units: `420ms`, `4.2s`, `37s`, `4m 5s`, `3d 4h`. */
export function formatDuration(milliseconds: number): string {
  const secondsDecimalDigits = milliseconds < 10_000 ? 1 : 0;
  return prettyMilliseconds(Math.round(milliseconds), { unitCount: 2, secondsDecimalDigits });
}

/** What is left, in whole seconds so that it counts down calmly: `37s`, `4m 5s`. */
export function formatRemaining(milliseconds: number): string {
  return formatDuration(Math.max(1, Math.ceil(milliseconds / 1000)) * 1000);
}
