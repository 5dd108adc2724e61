// Waiting for a condition, with an end.

/** Of what never comes: a busy machine may take its time. */
const DEADLINE_MS = 60_000;
const POLL_MS = 20;

/** Resolves once the condition holds. @throws Error naming it when it does not within a minute */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + DEADLINE_MS; performance.now() < endMs; await Bun.sleep(POLL_MS)) {
    if (await holds()) return;
  }
  throw new Error(`waited in vain: ${what}`);
}
