import { expect, test } from "bun:test";
import { EventLog } from "../../../src/control/event-log.ts";

test("a log that begins late knows what it cannot tell: neither what was before nor what another life told", () => {
  const log = new EventLog({ startSeq: 100 });
  expect(log.lastSeq).toBe(100);
  log.add({ v: 1, seq: 101, atMs: 0, type: "notice", level: "info", message: "x" });
  const seqsAfter = (seq: number) => log.after(seq, 10).events.map((event) => event.seq);
  expect([99, 100, 101, 102].map((seq) => log.after(seq, 10).isGap)).toEqual([true, false, false, true]);
  expect([99, 100, 101].map(seqsAfter)).toEqual([[101], [101], []]);
});
