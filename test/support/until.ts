// Waiting for a condition, with an end.

const DEADLINE_MS = 10_000;
const POLL_MS = 10;

/** Resolves once the condition holds. @throws Error naming it when it does not within ten seconds */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const endMs = performance.now() + DEADLINE_MS; performance.now() < endMs; await Bun.sleep(POLL_MS)) {
    if (await holds()) return;
  }
  throw new Error(`waited in vain: ${what}`);
}
