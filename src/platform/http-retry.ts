// Trying an exchange again, by the one retry policy.

import { toLuciError } from "../domain/errors.ts";
import { decide } from "../domain/retry.ts";
import { sleep } from "./clock.ts";

export interface RetryInfo {
  readonly code: string;
  readonly waitMs: number;
  readonly message: string;
}

export interface RetryOptions {
  /** Attempts after the first. */
  readonly retries: number;
  readonly signal: AbortSignal;
  readonly onRetry?: ((info: RetryInfo) => void) | undefined;
}

/**
 * Runs an attempt until it succeeds, the policy says stop, or the signal aborts.
 * @throws what the last attempt threw, or the signal's reason
 */
export async function withRetries<Value>(
  attempt: () => Promise<Value>,
  options: RetryOptions,
): Promise<Value> {
  const { retries, signal, onRetry } = options;
  for (let failures = 1; ; failures += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (thrown) {
      signal.throwIfAborted();
      const decision = decide(thrown, { failures, retries, random: Math.random() });
      if (decision === "stop") throw thrown;
      const { code, message } = toLuciError(thrown);
      onRetry?.({ code, waitMs: decision.waitMs, message });
      await sleep(decision.waitMs, signal);
    }
  }
}
