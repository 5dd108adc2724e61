// Several files at once: what waits starts by priority, as many together as their weights allow. A lane is what
// belongs together and is steered as one; a task that has begun may have to give its place back for a while.

import type { Gate } from "./gate.ts";

/** Why a queue shuts a task's gate. */
const NO_PLACE = "no place";

/** One task; it reports its own failure and rejects only to stop its batch. */
export interface Task {
  /** What it takes of the queue's capacity while it has a place. */
  readonly weight: number;
  readonly lane?: Lane;
  /** Shut while the task has begun and has no place. Without it a task that has begun keeps its place. */
  readonly gate?: Gate;
  run(place: Place): Promise<void>;
}

/** The place of a task that has begun. Both may be said twice, and mean nothing for a task without a gate. */
export interface Place {
  /** Others get it, while the task waits for what one of them may have to bring. */
  leave(): void;
  /** The task wants one again: its gate opens once it has. */
  comeBack(): void;
}

/** Tasks that are steered together. Higher priorities start first; those of a held lane have no place. */
export interface Lane {
  readonly priority: number;
  readonly isHeld: boolean;
  setPriority(priority: number): void;
  hold(): void;
  release(): void;
}

export interface QueueOptions {
  readonly capacity: number;
  /** Whether what waits may take the place of something less important that runs. */
  readonly preempt?: boolean;
}

interface Entry {
  readonly task: Task;
  readonly order: number;
  begin(): Promise<void>;
  hasBegun: boolean;
  hasLeft: boolean;
}

/** Runs batches of tasks together as long as their weights fit into the capacity (one always runs). */
export class TaskQueue {
  readonly #options: QueueOptions;
  readonly #placed = new Set<Entry>();
  /** What wants a place, the first first. */
  #waiting: Entry[] = [];
  #load = 0;
  #order = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  lane(priority = 0): Lane {
    const lane = { priority, isHeld: false };
    return {
      get priority() {
        return lane.priority;
      },
      get isHeld() {
        return lane.isHeld;
      },
      setPriority: (value) => {
        lane.priority = value;
        this.#sort();
        this.#admit();
      },
      hold: () => {
        lane.isHeld = true;
        for (const entry of this.#placed) if (entry.task.lane?.isHeld) this.#takePlace(entry);
        this.#admit();
      },
      release: () => {
        lane.isHeld = false;
        this.#admit();
      },
    };
  }

  /**
   * Runs a batch, in order within a priority. The first rejection stops those of its tasks that have not begun
   * and is thrown after the others have ended; so is the signal's reason.
   */
  async run(tasks: readonly Task[], { signal }: { signal: AbortSignal }): Promise<void> {
    const failures: unknown[] = [];
    const end = Promise.withResolvers<void>();
    const open = new Set<Entry>();
    const close = (entry: Entry): void => {
      this.#drop(entry);
      open.delete(entry);
      if (open.size === 0) end.resolve();
    };
    const stop = (): void => {
      for (const entry of open) if (!entry.hasBegun) close(entry);
    };
    const fail = (error: unknown): void => {
      failures.push(error);
      stop();
    };
    for (const task of signal.aborted ? [] : tasks) {
      const begin = (): Promise<void> =>
        task
          .run({ leave: () => this.#leave(entry), comeBack: () => this.#comeBack(entry) })
          .catch(fail)
          .finally(() => {
            close(entry);
            this.#admit();
          });
      const entry: Entry = { task, order: (this.#order += 1), begin, hasBegun: false, hasLeft: false };
      open.add(entry);
      this.#waiting.push(entry);
    }
    if (open.size === 0) end.resolve();
    signal.addEventListener("abort", stop, { once: true });
    this.#sort();
    this.#admit();
    await end.promise;
    signal.removeEventListener("abort", stop);
    if (failures.length > 0) throw failures[0];
    signal.throwIfAborted();
  }

  #sort(): void {
    this.#waiting.sort((one, other) => priorityOf(other) - priorityOf(one) || one.order - other.order);
  }

  /** Gives places to those that come first, until the next one does not fit. */
  #admit(): void {
    for (;;) {
      const next = this.#waiting.find(({ task }) => !task.lane?.isHeld);
      if (!next || !this.#makeRoom(next)) return;
      this.#givePlace(next);
    }
  }

  #fits({ task }: Entry, freedWeight = 0): boolean {
    return this.#placed.size === 0 || this.#load - freedWeight + task.weight <= this.#options.capacity;
  }

  /** Whether there is room now; what is less important may have to leave for it. */
  #makeRoom(next: Entry): boolean {
    if (this.#fits(next)) return true;
    if (!this.#options.preempt) return false;
    const lesser = [...this.#placed]
      .filter((entry) => entry.task.gate && priorityOf(entry) < priorityOf(next))
      .toSorted((one, other) => priorityOf(one) - priorityOf(other) || other.order - one.order);
    const all = lesser.reduce((sum, { task }) => sum + task.weight, 0);
    if (lesser.length < this.#placed.size && !this.#fits(next, all)) return false;
    for (const entry of lesser) if (!this.#fits(next)) this.#takePlace(entry);
    return true;
  }

  #givePlace(entry: Entry): void {
    this.#waiting.splice(this.#waiting.indexOf(entry), 1);
    this.#placed.add(entry);
    this.#load += entry.task.weight;
    entry.task.gate?.reopen(NO_PLACE);
    if (entry.hasBegun) return;
    entry.hasBegun = true;
    // It reports to its batch, which waits for it.
    void entry.begin();
  }

  #takePlace(entry: Entry): void {
    if (!entry.task.gate) return;
    this.#drop(entry);
    entry.task.gate.shut(NO_PLACE);
    this.#waiting.push(entry);
    this.#sort();
  }

  #leave(entry: Entry): void {
    if (!entry.task.gate || entry.hasLeft) return;
    entry.hasLeft = true;
    this.#drop(entry);
    entry.task.gate.shut(NO_PLACE);
    this.#admit();
  }

  #comeBack(entry: Entry): void {
    if (!entry.hasLeft) return;
    entry.hasLeft = false;
    this.#waiting.push(entry);
    this.#sort();
    this.#admit();
  }

  #drop(entry: Entry): void {
    const index = this.#waiting.indexOf(entry);
    if (index >= 0) this.#waiting.splice(index, 1);
    if (this.#placed.delete(entry)) this.#load -= entry.task.weight;
  }
}

function priorityOf({ task }: Entry): number {
  return task.lane?.priority ?? 0;
}

/** Runs tasks in a queue of their own. */
export function runQueue(
  tasks: readonly Task[],
  options: { capacity: number; signal: AbortSignal },
): Promise<void> {
  return new TaskQueue(options).run(tasks, options);
}
