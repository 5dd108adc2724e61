// The event feed over a WebSocket: one JSON object a message, `{"id", "event", "data"}`. A client that does not keep
// up is not sent anything until it does, so it costs no memory; what it missed it is told of by a `gap`.

import { jsonLine } from "../domain/text.ts";
import type { LocalSocket, SocketHooks } from "../platform/http-server.ts";
import type { EventFeed, FeedRecord } from "./event-feed.ts";

/** Going away (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001;
/** The server met something it did not expect. */
const INTERNAL_ERROR = 1011;

export interface EventSocketOptions {
  readonly feed: EventFeed;
  readonly sinceSeq: number | null;
  readonly everyMs: number;
  onEnd(): void;
}

/** What a WebSocket of events does in its life. Messages of the client mean nothing. */
export function eventSocket({ feed, sinceSeq, everyMs, onEnd }: EventSocketOptions): SocketHooks {
  const gone = new AbortController();
  let keepsUp: (() => void) | null = null;
  const pump = async (socket: LocalSocket): Promise<void> => {
    for await (const records of feed.records(sinceSeq, { signal: gone.signal, everyMs })) {
      for (const record of records) {
        if (gone.signal.aborted) return;
        if (socket.send(messageOf(record))) continue;
        const { promise, resolve } = Promise.withResolvers<void>();
        keepsUp = resolve;
        await promise;
      }
    }
    socket.close(GOING_AWAY, "luci serve has ended");
  };
  return {
    // What goes wrong with one client is told to that one, and ends nobody else.
    open: (socket) =>
      void pump(socket).catch(() => socket.close(INTERNAL_ERROR, "Something went wrong here")),
    message: () => undefined,
    drain: () => keepsUp?.(),
    close: () => {
      gone.abort();
      keepsUp?.();
      onEnd();
    },
  };
}

function messageOf({ id, event, data }: FeedRecord): string {
  return jsonLine({ id, event, data });
}
