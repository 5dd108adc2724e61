// Asks another luci of this user, over its local socket. No proxy and no redirect comes in between.

import { LuciError } from "../domain/errors.ts";
import { createWatchdog } from "./http-watchdog.ts";

/**
 * Another luci answers at once, or as soon as its disk lets it; one that does not is stopped, or busy dying. Time in
 * which this process did not run is none of its.
 */
const ANSWER_MS = 5_000;
/** What the system says where nobody listens. */
const NOBODY = new Set(["ECONNREFUSED", "ENOENT", "ECONNRESET", "FailedToOpenSocket", "ConnectionRefused"]);

export interface LocalRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/**
 * One question to whoever listens on a socket; null where nobody does (any more). The data is not validated.
 * @throws LuciError E_NETWORK when no answer comes; the signal's reason
 */
export async function askLocal(
  socketPath: string,
  request: LocalRequest,
): Promise<{ status: number; data: unknown } | null> {
  const { signal } = request;
  const peer = { host: "a running luci", proxy: null };
  const watchdog = createWatchdog({ signal, stallMs: ANSWER_MS, peer });
  try {
    return await watchdog.wait(exchange(socketPath, { ...request, signal: watchdog.signal }));
  } catch (thrown) {
    signal.throwIfAborted();
    throw new LuciError("E_NETWORK", "A running luci does not answer", { cause: thrown });
  } finally {
    watchdog.close();
  }
}

async function exchange(
  socketPath: string,
  { method, path, body, signal }: LocalRequest,
): Promise<{ status: number; data: unknown } | null> {
  try {
    const response = await fetch(`http://luci${path}`, {
      unix: socketPath,
      method,
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, data: await response.json() };
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== undefined && NOBODY.has(code)) return null;
    throw thrown;
  }
}

/** One server-sent event, its data not validated. */
export interface LocalEvent {
  readonly event: string;
  readonly data: unknown;
}

/** What a socket streams (server-sent events), until the other side ends, or the signal aborts. Never throws for either. */
export async function* followLocal(
  socketPath: string,
  { path, signal }: Pick<LocalRequest, "path" | "signal">,
): AsyncGenerator<LocalEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    const response = await fetch(`http://luci${path}`, { unix: socketPath, signal, timeout: false });
    for await (const chunk of chunksOf(response)) {
      const records = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
      rest = records.pop() ?? "";
      for (const record of records) {
        const parsed = parseRecord(record);
        if (parsed) yield parsed;
      }
    }
  } catch {
    // Whoever listened here has ended, or we have.
  }
}

/** A record of a stream; null for a comment, and for what was cut off. */
function parseRecord(record: string): LocalEvent | null {
  const fields = new Map(
    record.split("\n").map((line) => {
      const [name = "", ...rest] = line.split(": ");
      return [name, rest.join(": ")] as const;
    }),
  );
  const [event, data] = [fields.get("event"), fields.get("data")];
  return event === undefined || data === undefined ? null : { event, data: JSON.parse(data) as unknown };
}

function chunksOf({ body }: Response): AsyncIterable<Uint8Array> | Uint8Array[] {
  return body ?? [];
}
