import { afterEach, describe, expect, jest, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import { Checkpointer } from "../../../src/store/checkpointer.ts";

const MIB = 1024 * 1024;
const wrote = async (): Promise<void> => undefined;

/** A save that is counted, and that takes as long as the test wants. */
function makeSave() {
  const saves: PromiseWithResolvers<void>[] = [];
  const save = (): Promise<void> => {
    const one = Promise.withResolvers<void>();
    saves.push(one);
    return one.promise;
  };
  return { saves, save };
}

/** Lets everything that is ready happen. */
async function breathe(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

afterEach(() => void jest.useRealTimers());

describe("a checkpoint begins", () => {
  test("with the 32nd MiB", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(31 * MIB, wrote);
    expect(saves).toHaveLength(0);
    await checkpointer.during(MIB, wrote);
    expect(saves).toHaveLength(1);
    saves[0]!.resolve();
    await checkpointer.stop();
  });

  test("five seconds after the first byte, and only once", async () => {
    jest.useFakeTimers();
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(1, wrote);
    jest.advanceTimersByTime(3_000);
    await checkpointer.during(1, wrote);
    jest.advanceTimersByTime(1_999);
    expect(saves).toHaveLength(0);
    jest.advanceTimersByTime(1);
    expect(saves).toHaveLength(1);
    saves[0]!.resolve();
    await breathe();
    jest.advanceTimersByTime(60_000);
    expect(saves).toHaveLength(1);
  });

  test("never while another is made", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(40 * MIB, wrote);
    await checkpointer.during(MIB, wrote);
    expect(saves).toHaveLength(1);
    const both = [checkpointer.now(), checkpointer.now()];
    expect(saves).toHaveLength(1);
    saves[0]!.resolve();
    await Promise.all(both);
  });

  test("for the last bytes too, written while another was made", async () => {
    jest.useFakeTimers();
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(32 * MIB, wrote);
    await checkpointer.during(MIB, wrote);
    saves[0]!.resolve();
    await breathe();
    expect(saves).toHaveLength(1);
    jest.advanceTimersByTime(5_000);
    expect(saves).toHaveLength(2);
    saves[1]!.resolve();
    await breathe();
    jest.advanceTimersByTime(60_000);
    expect(saves).toHaveLength(2);
  });

  test("at once when 32 MiB were written while another was made", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(MIB, wrote);
    const first = checkpointer.now();
    await checkpointer.during(32 * MIB, wrote);
    saves[0]!.resolve();
    await first;
    expect(saves).toHaveLength(2);
    saves[1]!.resolve();
    await checkpointer.stop();
  });

  test("after one that outlasted the timer", async () => {
    jest.useFakeTimers();
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(1, wrote);
    const first = checkpointer.now();
    await checkpointer.during(1, wrote);
    jest.advanceTimersByTime(5_000);
    saves[0]!.resolve();
    await first;
    await breathe();
    jest.advanceTimersByTime(5_000);
    expect(saves).toHaveLength(2);
    saves[1]!.resolve();
    await checkpointer.stop();
  });

  test("not for what a running one left over when it was stopped", async () => {
    jest.useFakeTimers();
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(32 * MIB, wrote);
    await checkpointer.during(1, wrote);
    const stopped = checkpointer.stop();
    saves[0]!.resolve();
    await stopped;
    jest.advanceTimersByTime(60_000);
    expect(saves).toHaveLength(1);
  });

  test("not after it was stopped", async () => {
    jest.useFakeTimers();
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(1, wrote);
    await checkpointer.stop();
    jest.advanceTimersByTime(60_000);
    expect(saves).toHaveLength(0);
  });
});

describe("writers", () => {
  test("wait when more than 48 MiB would be at risk, and go on after the checkpoint", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(40 * MIB, wrote);
    await checkpointer.during(8 * MIB, wrote);
    let written = false;
    const waiting = checkpointer.during(1, async () => void (written = true));
    await breathe();
    expect(written).toBe(false);
    // The first checkpoint covers 40 MiB: the rest is little enough.
    saves[0]!.resolve();
    await waiting;
    expect(written).toBe(true);
    expect(saves).toHaveLength(1);
  });

  test("count while they write", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    const slow = Promise.withResolvers<void>();
    await checkpointer.during(8 * MIB, wrote);
    const first = checkpointer.during(40 * MIB, () => slow.promise);
    const second = checkpointer.during(MIB, wrote);
    await breathe();
    // 8 MiB at risk and 40 in flight leave no room: the second waits for a checkpoint.
    expect(saves).toHaveLength(1);
    saves[0]!.resolve();
    await second;
    slow.resolve();
    await first;
    expect(saves).toHaveLength(2);
    saves[1]!.resolve();
    await checkpointer.stop();
  });

  test("hear of a checkpoint that failed behind their back", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(32 * MIB, wrote);
    saves[0]!.reject(new LuciError("E_IO", "the disk is gone"));
    await breathe();
    let written = false;
    const next = checkpointer.during(1, async () => void (written = true));
    expect(await next.catch((error: unknown) => error)).toMatchObject({ code: "E_IO" });
    expect(written).toBe(false);
  });

  test("that fail are not counted", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    const failed = checkpointer.during(40 * MIB, () => Promise.reject(new LuciError("E_NO_SPACE", "full")));
    expect(await failed.catch((error: unknown) => error)).toMatchObject({ code: "E_NO_SPACE" });
    await checkpointer.during(31 * MIB, wrote);
    expect(saves).toHaveLength(0);
    await checkpointer.stop();
  });
});

describe("making all of it durable", () => {
  test("asks for nothing when nothing is at risk", async () => {
    const { saves, save } = makeSave();
    await new Checkpointer(save).all();
    expect(saves).toHaveLength(0);
  });

  test("does not take a running checkpoint for one that covers what came later", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(32 * MIB, wrote);
    await checkpointer.during(1, wrote);
    const all = checkpointer.all();
    saves[0]!.resolve();
    await breathe();
    expect(saves).toHaveLength(2);
    saves[1]!.resolve();
    await all;
    expect(saves).toHaveLength(2);
  });

  test("fails as the checkpoint fails", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(1, wrote);
    const all = checkpointer.all();
    saves[0]!.reject(new LuciError("E_IO", "gone"));
    expect(await all.catch((error: unknown) => error)).toMatchObject({ code: "E_IO" });
  });

  test("what was dropped is not at risk", async () => {
    const { saves, save } = makeSave();
    const checkpointer = new Checkpointer(save);
    await checkpointer.during(20 * MIB, wrote);
    checkpointer.reset();
    await checkpointer.all();
    expect(saves).toHaveLength(0);
  });
});
