// What a renderer returns: lines, sorted by where they go. Every line is escaped and complete.

export interface Rendered {
  /** What was asked for: standard output. */
  readonly data: readonly string[];
  /** What happened, one by one: standard error. */
  readonly details: readonly string[];
  /** What went wrong, each with its advice: standard error, in quiet mode too. */
  readonly failures: readonly string[];
  /** The last word: standard error. */
  readonly summary: readonly string[];
}

/** A rendering with what it has, and nothing else. */
export function rendered(parts: Partial<Rendered>): Rendered {
  return { data: [], details: [], failures: [], summary: [], ...parts };
}

/** `1 file`, `3 files`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
