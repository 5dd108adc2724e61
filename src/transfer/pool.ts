// How many connections a host gets: few at first, more while the total grows, fewer when it does not or when
// the server pushes back. One pool for all files of a run, so that they share fairly and learn from each other.

/**
 * No host gets more connections than this, whatever they would bring. Each file has one connection at least;
 * whoever runs the files keeps them to sixteen.
 */
const MOST_CONNECTIONS = 16;
const FIRST_CONNECTIONS = 4;
/** A step is judged by the bytes of at least this long. */
const WINDOW_MS = 200;
const TICK_MS = 50;
/** A step must bring this much more, or it is taken back. */
const WORTH_RATIO = 1.25;
/** Connections that wait for our own disk more than this share of their time need no company. */
const BLOCKED_SHARE = 0.25;
/** A step has so many windows to bring it … */
const MOST_MISSES = 3;
/** … and so many in which the disk held it up, which says nothing of the link. */
const MOST_BLOCKED = 6;
/** After a step that brought nothing, the next one waits this long. */
const HOLD_MS = 5_000;
/** … unless the link gives much less than when it was measured: what it taught was a burst. */
const CHANGED_RATIO = 0.6;
/** After the server pushed back, it waits this long. */
const PUSHED_BACK_MS = 10_000;
const SAME_TROUBLE_MS = 1_000;

export interface PoolOptions {
  /** A fixed number of connections for each file, or null to adapt. */
  readonly fixed: number | null;
  /** A clock in milliseconds. */
  readonly now: () => number;
  /** Calls `tick` again and again; answers how to stop. Must not keep the process alive. */
  every(waitMs: number, tick: () => void): () => void;
}

/** A file's place at a host. */
export interface Seat {
  /** How many connections the file may have open now; at least one, even where the server pushed back. */
  share(): number;
  /** Bytes arrived. */
  moved(sizeBytes: number): void;
  /** A connection waited this long for something other than the network: the disk, the limit. */
  blocked(waitMs: number): void;
  /** A connection was opened or closed. */
  opened(change: 1 | -1): void;
  /** The server answered 429 or 503, or cut the connection. */
  pushedBack(): void;
  /** The file asks for nothing now: its share is the others'. */
  rest(): void;
  /** It does again. */
  back(): void;
  leave(): void;
}

export interface ConnectionPool {
  /** A file begins at a host; `onRoom` is called when its share may have grown. */
  join(host: string, onRoom: () => void): Seat;
}

/** The pool of one run. */
export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const hosts = new Map<string, HostPool>();
  return {
    join: (host, onRoom) => {
      const pool = hosts.get(host) ?? new HostPool(options);
      hosts.set(host, pool);
      return pool.join(onRoom);
    },
  };
}

/** The connections of one host. What it learned outlives the files. */
class HostPool {
  readonly #options: PoolOptions;
  readonly #seats: (() => void)[] = [];
  #stop: (() => void) | null = null;
  #target = FIRST_CONNECTIONS;
  #open = 0;
  #windowBytes = 0;
  #blockedMs = 0;
  #windowStartMs = 0;
  #bestTarget = FIRST_CONNECTIONS;
  #bestRate = 0;
  #misses = 0;
  #blocked = 0;
  #holdUntilMs = 0;
  #restUntilMs = 0;
  #pushedBackMs = Number.NEGATIVE_INFINITY;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  join(onRoom: () => void): Seat {
    const sit = (): void => {
      if (this.#seats.includes(onRoom)) return;
      this.#seats.push(onRoom);
      this.#watch();
    };
    const stand = (): void => {
      const index = this.#seats.indexOf(onRoom);
      if (index < 0) return;
      this.#seats.splice(index, 1);
      if (this.#seats.length === 0) this.#rest();
      else this.#tell();
    };
    sit();
    return {
      share: () => this.#shareOf(this.#seats.indexOf(onRoom)),
      moved: (sizeBytes) => {
        this.#windowBytes += sizeBytes;
      },
      blocked: (waitMs) => {
        this.#blockedMs += waitMs;
      },
      opened: (change) => {
        this.#open += change;
      },
      pushedBack: () => this.#pushedBack(),
      rest: stand,
      back: () => {
        sit();
        onRoom();
      },
      leave: stand,
    };
  }

  #shareOf(index: number): number {
    if (index < 0) return 1;
    const { fixed } = this.#options;
    const seats = this.#seats.length;
    if (fixed !== null) return Math.min(fixed, Math.max(1, Math.floor(MOST_CONNECTIONS / seats)));
    const extra = index < this.#target % seats ? 1 : 0;
    return Math.max(1, Math.floor(this.#target / seats) + extra);
  }

  #watch(): void {
    if (this.#stop || this.#options.fixed !== null) return;
    this.#windowBytes = 0;
    this.#windowStartMs = this.#options.now();
    this.#stop = this.#options.every(TICK_MS, () => this.#tick());
  }

  #rest(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** Judges the last step once enough time has passed. */
  #tick(): void {
    const nowMs = this.#options.now();
    const windowMs = nowMs - this.#windowStartMs;
    if (windowMs < WINDOW_MS) return;
    const rate = this.#windowBytes / windowMs;
    const isBlocked = this.#blockedMs > BLOCKED_SHARE * windowMs * Math.max(1, this.#open);
    this.#windowBytes = 0;
    this.#blockedMs = 0;
    this.#windowStartMs = nowMs;
    // With fewer connections than allowed (no work for more) a window says nothing of the step.
    if (rate === 0 || nowMs < this.#restUntilMs || this.#open < this.#target) return;
    if (rate < this.#bestRate * CHANGED_RATIO && this.#target === this.#bestTarget) this.#holdUntilMs = 0;
    if (nowMs < this.#holdUntilMs) return;
    if (this.#target > this.#bestTarget) this.#judge(rate, { isBlocked, nowMs });
    else this.#probe(rate, isBlocked);
  }

  /** At rest: this is what the link gives now; would more connections bring more? */
  #probe(rate: number, isBlocked: boolean): void {
    this.#bestRate = rate;
    this.#misses = 0;
    this.#blocked = 0;
    if (!isBlocked) this.#allow(this.#target * 2);
  }

  #judge(rate: number, { isBlocked, nowMs }: { isBlocked: boolean; nowMs: number }): void {
    if (!isBlocked && rate >= this.#bestRate * WORTH_RATIO) {
      this.#bestTarget = this.#target;
      return this.#probe(rate, isBlocked);
    }
    if (isBlocked) this.#blocked += 1;
    else this.#misses += 1;
    if (this.#misses < MOST_MISSES && this.#blocked < MOST_BLOCKED) return;
    this.#target = this.#bestTarget;
    this.#holdUntilMs = nowMs + HOLD_MS;
  }

  #allow(connections: number): void {
    this.#target = Math.min(MOST_CONNECTIONS, connections);
    this.#tell();
  }

  #pushedBack(): void {
    const nowMs = this.#options.now();
    // One trouble cuts several connections: it counts once.
    if (nowMs - this.#pushedBackMs < SAME_TROUBLE_MS) return;
    this.#pushedBackMs = nowMs;
    this.#target = Math.max(1, Math.floor(this.#target / 2));
    this.#bestTarget = this.#target;
    this.#bestRate = 0;
    this.#restUntilMs = nowMs + PUSHED_BACK_MS;
  }

  #tell(): void {
    for (const onRoom of this.#seats) onRoom();
  }
}
