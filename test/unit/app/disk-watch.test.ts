import { expect, test } from "bun:test";
import { DiskWatch } from "../../../src/app/disk-watch.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import { Gate } from "../../../src/transfer/gate.ts";
import { until } from "../../support/until.ts";

const GIB = 1024 ** 3;

/** A watch over a disk without room; `answer` says when the disk tells so. */
function watchFullDisk(waitMs: number, answer: () => Promise<void> = async () => undefined) {
  const gate = new Gate();
  const told: LuciEventBody["type"][] = [];
  const looks = { count: 0 };
  const watch = new DiskWatch({
    folder: "/models",
    gate,
    waitMs,
    emit: ({ type }) => void told.push(type),
    freeBytes: async () => {
      looks.count += 1;
      await answer();
      return 0;
    },
  });
  return { gate, told, looks, watch };
}

test.each([0, 60_000])(
  "a look that is answered after the end changes nothing, patience %d ms",
  async (waitMs) => {
    const disk = Promise.withResolvers<void>();
    const { gate, told, looks, watch } = watchFullDisk(waitMs, () => disk.promise);
    const stop = watch.start(GIB, { isIdle: () => false });
    await until("it looks", () => looks.count > 0);
    stop();
    disk.resolve();
    await Bun.sleep(0);
    expect([told, gate.isOpen, watch.signal.aborted]).toEqual([[], true, false]);
  },
);

test("nobody's patience ends while somebody has everything wait", async () => {
  const { gate, told, looks, watch } = watchFullDisk(1_500);
  let isIdle = true;
  const stop = watch.start(GIB, { isIdle: () => isIdle });
  try {
    await until("it has looked", () => looks.count > 1);
    expect(told).toEqual([]);
    isIdle = false;
    await until("the disk pauses it", () => !gate.isOpen);
    isIdle = true;
    const before = looks.count;
    await until("it has looked for longer than the patience", () => looks.count > before + 3);
    expect(watch.signal.aborted).toBe(false);
    isIdle = false;
    await until("the patience ends", () => watch.signal.aborted);
    expect(watch.signal.reason).toMatchObject({ code: "E_NO_SPACE" });
  } finally {
    stop();
  }
});
