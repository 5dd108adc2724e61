import { expect, test } from "bun:test";
import type { EventFeed } from "../../../src/control/event-feed.ts";
import { eventSocket } from "../../../src/control/event-socket.ts";

test("what goes wrong for one client closes that one's connection, and nobody hears of it as unhandled", async () => {
  const unhandled: unknown[] = [];
  const note = (thrown: unknown): void => void unhandled.push(thrown);
  process.on("unhandledRejection", note);
  const closed = Promise.withResolvers<number>();
  const feed: Pick<EventFeed, "records"> = {
    records: async function* () {
      yield [];
      throw new Error("broken");
    },
  };
  const hooks = eventSocket({
    feed: feed as EventFeed,
    sinceSeq: null,
    everyMs: 500,
    onEnd: () => undefined,
  });
  hooks.open({ send: () => true, close: (code) => closed.resolve(code) });
  expect(await closed.promise).toBe(1011);
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
