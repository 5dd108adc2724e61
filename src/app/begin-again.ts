// Telling of downloads that cannot be continued: what is kept of them saves nothing of the next download.

import type { StorePartial } from "../store/partial.ts";
import type { Context } from "./context.ts";

interface Fetched {
  readonly model: string;
  /** Its path in the model. */
  readonly file: string;
  readonly partial: StorePartial;
}

const NO_RANGES = "its server cannot continue a download";

/** A server that was asked for the rest sends all of it. */
export function tellBegun({ emit }: Context, { model, file, partial }: Fetched): void {
  if (partial.doneBytes === 0) return;
  emit({ type: "notice", level: "info", model, message: `${file}: ${NO_RANGES}: it begins again` });
}

/** Before a stopped download is let go: whether the next run will have to begin it again. */
export function tellLost(
  { emit }: Context,
  { model, file, partial, hasDigest, sendsWhole }: Fetched & { hasDigest: boolean; sendsWhole: boolean },
): void {
  const isUntold = !hasDigest && partial.etag === null;
  if (partial.doneBytes === 0 || !(sendsWhole || isUntold)) return;
  const reason = sendsWhole ? NO_RANGES : "its server gives no strong ETag to tell its versions apart";
  emit({ type: "notice", level: "warn", model, message: `${file}: ${reason}: the next run begins it again` });
}
