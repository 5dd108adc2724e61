// That a model is ready: who was told, and who waited for it. Plain data.

/** How it went to tell somebody that a model is ready. */
export interface HookOutcome {
  readonly kind: "command" | "webhook";
  readonly ok: boolean;
  /** What went wrong; empty otherwise. */
  readonly detail: string;
}

/** Models that are ready now. */
export interface WaitResult {
  readonly command: "wait";
  readonly ready: readonly { readonly model: string; readonly ref: string; readonly path: string }[];
}
