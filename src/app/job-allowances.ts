// What the files of a job may cost over all its attempts: one that is tried again by itself is granted nothing anew.

import type { LuciError } from "../domain/errors.ts";
import { Allowance } from "../transfer/allowance.ts";

/** One for each job of a queue, for as long as it is tried again by itself. */
export class JobAllowances {
  readonly #byFile = new Map<string, Allowance>();

  /** For another attempt at a file, by its path in the model. `sizeBytes` answers null while nobody has said it. */
  open(file: string, sizeBytes: () => number | null): Allowance {
    const allowance = new Allowance(sizeBytes, this.#byFile.get(file));
    this.#byFile.set(file, allowance);
    return allowance;
  }
}

/** Whether a failure is no end: a queue tries again what passes, for as long as it takes. */
export function isTriedAgain(
  job: { readonly allowances?: JobAllowances } | undefined,
  failure: LuciError | null,
): boolean {
  return job?.allowances !== undefined && failure?.retryable === true;
}
