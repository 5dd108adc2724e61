// Several files at once: tasks start in their order, at most `jobs` run together.

/** One task; it reports its own failure and rejects only to stop the whole queue. */
export type Task = () => Promise<void>;

/**
 * Runs the tasks in order, at most `jobs` at once. The first rejection stops new ones from starting
 * and is thrown after the running ones have ended.
 */
export async function runQueue(
  tasks: readonly Task[],
  options: { jobs: number; signal: AbortSignal },
): Promise<void> {
  const waiting = [...tasks];
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task; task = waiting.shift()) {
      if (failures.length > 0 || options.signal.aborted) return;
      await task().catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, tasks.length) }, work));
  if (failures.length > 0) throw failures[0];
  options.signal.throwIfAborted();
}
