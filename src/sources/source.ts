// What every source offers, so that the rest of luci need not know where a model comes from.

import type { LuciError } from "../domain/errors.ts";
import type { Located, Origin, Plan, Validator } from "../domain/plan.ts";
import type { Ref } from "../domain/ref.ts";
import type { Hop } from "../platform/http-redirect.ts";

export interface SourceOptions {
  readonly signal: AbortSignal;
}

export interface Source {
  /**
   * Pins a ref: revision, files, sizes, digests.
   * @throws LuciError E_NOT_FOUND, E_GATED, E_AUTH, E_UNSAFE_PATH, E_UNSAFE_FILE, E_MALFORMED, network
   *   codes; the signal's reason
   */
  resolve(ref: Ref, options: SourceOptions): Promise<Plan>;
  /** How to ask for a file now. Asked before each attempt, since signed addresses expire. */
  locate(origin: Origin, options: SourceOptions): Promise<Located>;
  /** What the origin's own answer (the first hop, not a CDN's) says of the file's version. */
  validatorOf(hop: Hop): Validator;
  /** The same error with advice that fits this source: the page with the terms, the token to set. */
  explain(error: LuciError, origin: Origin): LuciError;
}
