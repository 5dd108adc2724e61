// Seeded choices for tests: the same seed, the same run. Print the seed when something fails.

/** Numbers in [0, 1) and what is made of them. */
export interface Prng {
  readonly seed: number;
  /** In [0, 1). */
  next(): number;
  /** An integer in [low, high). */
  integer(low: number, high: number): number;
  pick<T>(choices: readonly T[]): T;
}

/** A small generator (mulberry32). `LUCI_TEST_SEED` replaces the seed, to repeat a failure. */
export function prng(defaultSeed: number): Prng {
  return prngOf(Number(process.env["LUCI_TEST_SEED"] ?? defaultSeed));
}

/** The same of exactly this seed: for what is derived from another one. */
export function prngOf(anySeed: number): Prng {
  const seed = anySeed | 0;
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low));
  return {
    seed,
    next,
    integer,
    pick: <T>(choices: readonly T[]): T => {
      const choice = choices[integer(0, choices.length)];
      if (choice === undefined) throw new RangeError("nothing to pick from");
      return choice;
    },
  };
}
