// What a loop of kills has seen so far: how many, what they cost, and every promise that broke.

/** What killing one run cost. */
export interface KillCost {
  readonly scene: string;
  /** Bytes the hub served that the next run cannot use. */
  readonly refetchedBytes: number;
  /** What it may cost at most. */
  readonly boundBytes: number;
}

export interface KillTally {
  kills: number;
  /** Runs that came to their end, killed ones not counted. */
  runs: number;
  /** Kills by marker event or `delay`, to see that all moments were met. */
  readonly moments: Map<string, number>;
  readonly kinds: Map<string, number>;
  readonly costs: KillCost[];
  /** Wrong files and records, as sentences. */
  readonly wrong: string[];
  /** What was said to be done and is not there. */
  readonly lost: string[];
  /** Runs that should have mended everything and did not. */
  readonly stuck: string[];
}

/** Nothing seen yet. */
export function emptyTally(): KillTally {
  const counts = { kills: 0, runs: 0, moments: new Map<string, number>(), kinds: new Map<string, number>() };
  return { ...counts, costs: [], wrong: [], lost: [], stuck: [] };
}

/** Adds one to a named count. */
export function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** Every promise that broke, as sentences; empty is what everybody wants. */
export function brokenPromises(tally: KillTally): string[] {
  const dear = tally.costs.filter(({ refetchedBytes, boundBytes }) => refetchedBytes > boundBytes);
  return [
    ...tally.wrong.map((text) => `wrong: ${text}`),
    ...tally.lost.map((text) => `acknowledged but lost: ${text}`),
    ...tally.stuck.map((text) => `did not recover: ${text}`),
    ...dear.map(
      ({ scene, refetchedBytes, boundBytes }) =>
        `a kill of ${scene} cost ${refetchedBytes} bytes, the bound is ${boundBytes}`,
    ),
  ];
}
