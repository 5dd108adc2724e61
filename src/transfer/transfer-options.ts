// What a transfer is given: the doors it goes through, and whom it tells. Types only.

import type { LuciError } from "../domain/errors.ts";
import type { Located, Validator } from "../domain/plan.ts";
import type { Answer } from "../platform/http-answer.ts";
import type { Http } from "../platform/http.ts";
import type { Allowance } from "./allowance.ts";
import type { Gate } from "./gate.ts";
import type { Limiter } from "./limiter.ts";
import type { ConnectionPool } from "./pool.ts";

export interface TransferOptions {
  readonly http: Http;
  readonly limiter: Limiter;
  readonly pool: ConnectionPool;
  /** Passed before every request; shutting it gives up those under way. */
  readonly gate: Gate;
  readonly retries: number;
  /** The file's own, for all that is fetched of it in a run. */
  readonly allowance: Allowance;
  readonly signal: AbortSignal;
  /** Fresh URL and headers from the source. */
  locate(): Promise<Located>;
  /** What an answer says of the file's version. */
  validatorOf(answer: Answer): Validator;
  onRetry(info: { attempt: number; waitMs: number; error: LuciError }): void;
  /** Bytes that arrived from the network. */
  onBytes(sizeBytes: number): void;
  /** The server sends all of the file, whatever is asked for; told before its bytes come. */
  onWhole?(): void;
  /** How many connections are open now. */
  onConnections(count: number): void;
}
