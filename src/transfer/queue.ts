// Several files at once: tasks start in their order, as many together as their weights allow.

/** One task; it reports its own failure and rejects only to stop the whole queue. */
export interface Task {
  /** What it takes of the queue's capacity while it runs. */
  readonly weight: number;
  run(): Promise<void>;
}

/**
 * Runs the tasks in order, together as long as their weights fit into the capacity (one always runs). The
 * first rejection stops new ones from starting and is thrown after the running ones have ended.
 */
export async function runQueue(
  tasks: readonly Task[],
  options: { capacity: number; signal: AbortSignal },
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let load = 0;
  for (const task of tasks) {
    while (running.size > 0 && load + task.weight > options.capacity) await Promise.race(running);
    if (failures.length > 0 || options.signal.aborted) break;
    load += task.weight;
    const run: Promise<void> = task
      .run()
      .catch((error: unknown) => void failures.push(error))
      .finally(() => {
        load -= task.weight;
        running.delete(run);
      });
    running.add(run);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  options.signal.throwIfAborted();
}
