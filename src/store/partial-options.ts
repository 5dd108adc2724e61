// What a partial is told when it is opened. Types only.

import type { PlanFile } from "../domain/plan.ts";

export interface PartialOptions {
  readonly file: PlanFile;
  /** For people: "model · file". */
  readonly label: string;
  /** Forget what an earlier run left. */
  readonly fresh: boolean;
  /** The tag of a process that has ended for certain, though it cannot be looked up from here: a lock told. */
  readonly ended?: string | null;
  /** Said once when the partial starts again from nothing, with the reason. */
  onRestart(reason: string): void;
}
