// One request for bytes of a file: judge the answer, stream the body into the partial. No retries here.

import { LuciError } from "../domain/errors.ts";
import type { Partial } from "../domain/partial.ts";
import type { Located, Validator } from "../domain/plan.ts";
import type { Range } from "../domain/range.ts";
import { type Answer, isWebPage } from "../platform/http-answer.ts";
import { statusError } from "../platform/http-errors.ts";
import type { Http } from "../platform/http.ts";
import type { Allowance } from "./allowance.ts";
import type { Limiter } from "./limiter.ts";
import { writeMissing } from "./missing.ts";
import { countRefused, tooMuch, tooOften } from "./refusal.ts";
import type { Span } from "./spans.ts";

/** Small writes cost more than the copy-free gathering of what the network brings. */
const WRITE_BYTES = 512 * 1024;
/** On a slow link bytes are written after this long all the same, so that progress is seen and kept. */
const SHOW_MS = 1_000;

/** A server that answers with less than this, and would have to be asked so often again, is in trouble. */
const CRUMB_BYTES = 64 * 1024;
const MOST_CRUMBS = 16;

/** Why bytes of an unknown version are not continued. */
export const NOT_TOLD_APART = "its server gives no strong ETag to tell whether it is still the same file";

export interface AttemptOptions {
  readonly http: Http;
  readonly located: Located;
  /** What to ask for; null asks for the whole file. Its end may move closer while its bytes come. */
  readonly span: Span | null;
  readonly file: string;
  readonly partial: Partial;
  readonly limiter: Limiter;
  readonly allowance: Allowance;
  readonly signal: AbortSignal;
  validatorOf(answer: Answer): Validator;
  /** The server accepted: others may follow. Called before the first byte is written. */
  onAccepted(accepted: { ranges: boolean; answer: Answer }): void;
  /** All of the file is sent, whatever was asked for, and will be read. */
  onWhole?(): void;
  onBytes(sizeBytes: number): void;
  /** The body was not read for this long, because the disk or the speed limit asked for it. */
  onBlocked(waitMs: number): void;
}

/** Asks once and writes what comes. @throws LuciError for every answer that is not what was asked for */
export async function runAttempt(options: AttemptOptions): Promise<void> {
  const { http, located, span, signal } = options;
  const range = span && { startBytes: span.startBytes, endBytes: span.endBytes };
  const answer = await http.open(located.url, {
    headers: located.headers,
    signal,
    ...(range ? { range, ifRange: options.partial.etag } : {}),
  });
  try {
    refusePage(answer, options.file);
    if (answer.status === 206 && range) await receiveRange(answer, range, options);
    else if (answer.status === 200) await receiveWhole(answer, options);
    else if (answer.status === 416) receiveNothing(answer, options);
    else throw unexpected(answer, options.file);
  } catch (error) {
    throw signal.aborted ? error : await countRefused(answer, error, options.allowance);
  } finally {
    await answer.discard();
  }
}

/** A network that wants a login first answers for everybody, in the right length if it must. */
function refusePage({ status, headers }: Answer, file: string): void {
  if (status >= 300 || !isWebPage(headers, file)) return;
  throw new LuciError("E_MALFORMED", `${file}: the server sent a web page instead of the file`, {
    hint: "Does this network or the server want a login? What arrived before is kept",
  });
}

function unexpected(answer: Answer, file: string): LuciError {
  // What a redirect target refuses (a signature that ran out on the way) the origin may still grant.
  if (answer.hops.length > 1 && [400, 401, 403, 404, 410].includes(answer.status)) {
    return new LuciError("E_SERVER", `${file}: the server it was redirected to answered ${answer.status}`);
  }
  if (answer.status >= 400) return statusError(answer, { what: file });
  return new LuciError(
    "E_SERVER",
    `${file}: the server answered ${answer.status}, which makes no sense here`,
  );
}

async function receiveRange(answer: Answer, range: Range, options: AttemptOptions): Promise<void> {
  const got = answer.contentRange;
  const fits = got && got.startBytes === range.startBytes && got.endBytes <= range.endBytes;
  if (!fits)
    throw new LuciError(
      "E_MALFORMED",
      `${options.file}: the server sent another range than the one asked for`,
    );
  if (got.totalBytes === null && options.partial.sizeBytes === null) {
    throw new LuciError(
      "E_MALFORMED",
      `${options.file}: the server sent a range without saying the whole size`,
    );
  }
  accept(answer, { ranges: true, sizeBytes: got.totalBytes, options });
  // Another connection may take over the end of the span while its bytes come.
  const endBytes = (): number => Math.min(got.endBytes, options.span?.endBytes ?? got.endBytes);
  const receivedBytes = await pour(answer, {
    startBytes: got.startBytes,
    endBytes,
    lastBytes: got.endBytes,
    reservedBytes: got.endBytes - got.startBytes,
    isWhole: false,
    options,
  });
  if (receivedBytes < endBytes() - got.startBytes) throw endedEarly(options.file);
  const restBytes = (options.span?.endBytes ?? 0) - endBytes();
  if (receivedBytes < CRUMB_BYTES && restBytes > MOST_CRUMBS * receivedBytes) {
    throw new LuciError(
      "E_SERVER",
      `${options.file}: the server sends only ${receivedBytes} bytes at a time`,
    );
  }
}

/** A 200 begins at byte 0 whatever was asked: written there, and only where bytes are missing. */
async function receiveWhole(answer: Answer, options: AttemptOptions): Promise<void> {
  const { partial } = options;
  // Where no size is told, the end of this body is the end of the file: nothing longer may lie beyond it.
  if (partial.sizeBytes === null && answer.contentLengthBytes === null && partial.doneBytes > 0) {
    if (!options.allowance.beginAgain()) throw tooOften(options.file);
    await partial.restart("its size is not known, so it cannot be continued");
  }
  accept(answer, { ranges: false, sizeBytes: answer.contentLengthBytes, options });
  options.onWhole?.();
  const expectedBytes = partial.sizeBytes;
  const lastBytes = expectedBytes ?? Number.MAX_SAFE_INTEGER;
  // Other connections may still bring the end of the file: what lies beyond the last gap is not read.
  const endBytes = (): number =>
    expectedBytes === null ? lastBytes : (partial.missing().at(-1)?.endBytes ?? 0);
  const receivedBytes = await pour(answer, {
    startBytes: 0,
    endBytes,
    lastBytes,
    reservedBytes: options.span ? options.span.endBytes - options.span.startBytes : 0,
    isWhole: true,
    options,
  });
  if (expectedBytes === null) partial.end(receivedBytes);
  else if (receivedBytes < endBytes()) throw endedEarly(options.file);
}

/** Nothing to send: only right for an empty file whose size nobody knew. */
function receiveNothing(answer: Answer, options: AttemptOptions): void {
  const totalBytes = answer.contentRange?.totalBytes ?? null;
  if (totalBytes === 0 && options.partial.sizeBytes === null) return options.partial.end(0);
  const has = totalBytes === null ? "" : `: it has ${totalBytes} bytes`;
  throw new LuciError("E_SIZE", `${options.file}: the server refuses the range${has}`);
}

function accept(
  answer: Answer,
  accepted: { ranges: boolean; sizeBytes: number | null; options: AttemptOptions },
): void {
  const { options, ranges, sizeBytes } = accepted;
  const said = options.validatorOf(answer);
  const validators = [said, { ...said, sizeBytes: sizeBytes ?? said.sizeBytes }];
  for (const validator of validators) {
    const verdict = options.partial.pin(validator);
    if (verdict === "other")
      throw new LuciError("E_CHANGED", `${options.file}: it changed at its source`, { retryable: true });
    if (verdict === "unprovable")
      throw new LuciError("E_UNVERIFIED", `${options.file}: ${NOT_TOLD_APART}`, { retryable: true });
  }
  options.onAccepted({ ranges, answer });
}

/** Only these are worth another try from the start; a source that contradicts the plan is not. */
export function isOtherVersion(error: LuciError): boolean {
  return (error.code === "E_CHANGED" || error.code === "E_UNVERIFIED") && error.retryable;
}

function endedEarly(file: string): LuciError {
  return new LuciError("E_NETWORK", `${file}: the connection ended before all bytes had arrived`);
}

interface Pour {
  readonly startBytes: number;
  /** Where to stop now: never beyond `lastBytes`. */
  readonly endBytes: () => number;
  /** Where the server said its bytes would end. */
  readonly lastBytes: number;
  /** The limiter has heard of so many bytes: a span is reserved before it is asked for. */
  readonly reservedBytes: number;
  /** Whether the next request begins at byte 0 again. */
  readonly isWhole: boolean;
  readonly options: AttemptOptions;
}

/** Streams the body to its offsets and returns how much came; never writes past `endBytes`. */
async function pour(
  answer: Answer,
  { startBytes, endBytes, lastBytes, reservedBytes, isWhole, options }: Pour,
): Promise<number> {
  const { partial, limiter, allowance, signal } = options;
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  let offsetBytes = startBytes;
  let leftBytes = reservedBytes;
  let flushedMs = performance.now();
  const flush = async (): Promise<void> => {
    const chunks = gathered;
    gathered = [];
    gatheredBytes = 0;
    flushedMs = performance.now();
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const writtenBytes = await writeMissing(partial, { startBytes: offsetBytes, chunks, sizeBytes });
    allowance.kept(writtenBytes);
    allowance.wasted(sizeBytes - writtenBytes);
    offsetBytes += sizeBytes;
    for (const chunk of chunks) free(chunk);
  };
  try {
    for await (const chunk of answer.body()) {
      const roomBytes = Math.max(0, endBytes() - offsetBytes - gatheredBytes);
      const wanted = chunk.length <= roomBytes ? chunk : chunk.subarray(0, roomBytes);
      gathered.push(wanted);
      gatheredBytes += wanted.length;
      options.onBytes(wanted.length);
      const arrivedMs = performance.now();
      const payBytes = Math.max(0, chunk.length - leftBytes);
      leftBytes = Math.max(0, leftBytes - chunk.length);
      if (payBytes > 0) await limiter.take(payBytes, signal);
      if (gatheredBytes >= WRITE_BYTES || arrivedMs - flushedMs > SHOW_MS) await flush();
      options.onBlocked(performance.now() - arrivedMs);
      if (allowance.isSpent) throw tooOften(options.file);
      if (wanted.length === chunk.length && offsetBytes + gatheredBytes < endBytes()) continue;
      if (offsetBytes + gatheredBytes < lastBytes) break;
      if (wanted.length < chunk.length) throw tooMuch(options.file);
    }
  } finally {
    // What arrived before a failure is worth keeping.
    await flush();
    // That a gate was shut is not the server's fault.
    if (isWhole && signal.aborted) allowance.forgive(offsetBytes - startBytes);
  }
  return offsetBytes - startBytes;
}

/** Gives a written chunk's memory back now: the collector would let gigabytes pass before it looks. */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
