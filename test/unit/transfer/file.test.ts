import { describe, expect, spyOn, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import type { Located } from "../../../src/domain/plan.ts";
import { type Range, totalSize } from "../../../src/domain/range.ts";
import type { Answer } from "../../../src/platform/http-answer.ts";
import type { Http } from "../../../src/platform/http.ts";
import { Allowance } from "../../../src/transfer/allowance.ts";
import { Gate } from "../../../src/transfer/gate.ts";
import { transferFile } from "../../../src/transfer/transfer.ts";
import { createLimiter } from "../../../src/transfer/limiter.ts";
import {
  LOCATED,
  type MemoryPartialOptions,
  fixedPool,
  memoryPartial,
  rangeAnswer,
  transferOptions,
} from "../../support/transfer-parts.ts";

const SIZE = 10;
const MIB = 1024 * 1024;
const SPAN = 8 * MIB;
const stop = new LuciError("E_INTERRUPTED", "stop");

/** A server that gives at most four bytes at a time. */
function fakeHttp() {
  const opened: Range[] = [];
  const open: Http["open"] = async (url, { range }) => {
    const startBytes = range?.startBytes ?? 0;
    const endBytes = Math.min(startBytes + 4, range?.endBytes ?? SIZE);
    opened.push({ startBytes, endBytes });
    return rangeAnswer(url, { range: { startBytes, endBytes }, totalBytes: SIZE });
  };
  return { opened, http: { open } as Http };
}

/** A server whose requests the test answers itself, one by one. */
function scriptedHttp(sizeBytes: number | null) {
  type Body = () => AsyncGenerator<Uint8Array>;
  const opened: {
    range: Range | undefined;
    signal: AbortSignal;
    reply: (body: Body, whole?: boolean) => void;
  }[] = [];
  const open: Http["open"] = (url, { range, signal }) => {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const totalBytes = sizeBytes ?? Number.MAX_SAFE_INTEGER;
    const all = { startBytes: 0, endBytes: totalBytes };
    const reply = (body: Body, whole = false): void =>
      resolve({
        ...rangeAnswer(url, { range: whole ? all : (range ?? all), totalBytes, body }),
        ...(whole ? { status: 200, contentRange: null, contentLengthBytes: sizeBytes } : {}),
      });
    opened.push({ range, signal, reply });
    return promise;
  };
  return { opened, http: { open } as Http };
}

/** A body of so many bytes, whose last chunk comes when the gate opens. */
const bodyOf = (sizeBytes: number, gate: Promise<void> = Promise.resolve()) =>
  async function* () {
    yield new Uint8Array(sizeBytes - 1);
    await gate;
    yield new Uint8Array(1);
  };

/** Until it is so; the test's own time is the limit: some of these tests set the clock. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(1);
}

const partialOf = (change: Partial<MemoryPartialOptions> = {}) =>
  memoryPartial({ sizeBytes: SIZE, ...change });

describe("a transfer", () => {
  test("asks until nothing is missing", async () => {
    const { http, opened } = fakeHttp();
    const partial = partialOf();
    await transferFile("x", partial, transferOptions(http));
    expect(partial.doneBytes).toBe(SIZE);
    expect(opened.map(({ startBytes }) => startBytes)).toEqual([0, 4, 8]);
  });

  test("asks for nothing when nothing is missing", async () => {
    const { http, opened } = fakeHttp();
    const partial = { ...partialOf(), missing: () => [] };
    await transferFile("x", partial, transferOptions(http));
    expect(opened).toEqual([]);
  });

  test("ends with an interrupt that came before it began", async () => {
    const { http, opened } = fakeHttp();
    const pending = transferFile(
      "x",
      partialOf(),
      transferOptions(http, { signal: AbortSignal.abort(stop) }),
    );
    expect(await pending.catch((error: unknown) => error)).toBe(stop);
    expect(opened).toEqual([]);
  });

  test("ends with an interrupt that comes while the last bytes of a request are written", async () => {
    const { http } = fakeHttp();
    const interrupt = new AbortController();
    const partial = partialOf({ onWrite: () => interrupt.abort(stop) });
    const pending = transferFile("x", partial, transferOptions(http, { signal: interrupt.signal }));
    expect(await pending.catch((error: unknown) => error)).toBe(stop);
    expect(partial.doneBytes).toBe(4);
  });
});

describe("several connections", () => {
  test("take nothing from one that still waits for its address", async () => {
    const { http, opened } = scriptedHttp(2 * SPAN);
    const address = Promise.withResolvers<Located>();
    let asked = 0;
    // The first question is for the host, the second for the first span, the third for the other connection's.
    const locate = async () => ((asked += 1) === 3 ? address.promise : LOCATED);
    let skippedMs = 0;
    let connections = 0;
    const onConnections = (count: number) => void (connections = count);
    const now = performance.now.bind(performance);
    using clock = spyOn(performance, "now").mockImplementation(() => now() + skippedMs);
    const partial = partialOf({ sizeBytes: 2 * SPAN });
    const options = transferOptions(http, { pool: fixedPool(2), locate, onConnections });
    const pending = transferFile("x", partial, options);
    await until(() => opened.length === 1);
    opened[0]!.reply(bodyOf(SPAN));
    const waiting = { startBytes: SPAN, endBytes: SPAN * 1.5 };
    let replied = 1;
    await until(() => {
      for (const { range, reply } of opened.slice(replied)) {
        reply(bodyOf(range!.endBytes - range!.startBytes));
        replied += 1;
      }
      return connections === 0 && totalSize(partial.missing()) === totalSize([waiting]);
    });
    skippedMs = 60_000;
    // From now on only the idle connection looks at the clock: whether somebody needs help.
    const before = clock.mock.calls.length;
    await until(() => clock.mock.calls.length > before);
    address.resolve(LOCATED);
    await until(() => opened.length === replied + 1);
    expect(opened[replied]!.range).toEqual(waiting);
    opened[replied]!.reply(bodyOf(SPAN / 2));
    await pending;
    expect(opened).toHaveLength(replied + 1);
  });

  test("read the whole file once when some of them get it instead of a range", async () => {
    const sizeBytes = 3 * SPAN;
    const { http, opened } = scriptedHttp(sizeBytes);
    const partial = partialOf({ sizeBytes });
    let connections = 0;
    const onConnections = (count: number) => void (connections = count);
    const options = transferOptions(http, { pool: fixedPool(3), onConnections });
    const [ranged, whole] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const pending = transferFile("x", partial, options);
    await until(() => opened.length === 1);
    opened[0]!.reply(bodyOf(SPAN, ranged.promise));
    await until(() => opened.length === 3);
    let second = 0;
    opened[1]!.reply(bodyOf(sizeBytes, whole.promise), true);
    opened[2]!.reply(async function* () {
      second += 1;
      yield new Uint8Array(sizeBytes);
    }, true);
    ranged.resolve();
    await until(() => connections === 1);
    whole.resolve();
    await pending;
    expect(opened).toHaveLength(3);
    expect(second).toBe(0);
    expect(partial.doneBytes).toBe(sizeBytes);
  });

  test("stop reading the whole file where nothing is missing any more", async () => {
    const { http, opened } = scriptedHttp(SIZE);
    const partial = partialOf({ has: [{ startBytes: 4, endBytes: SIZE }] });
    const pending = transferFile("x", partial, transferOptions(http));
    await until(() => opened.length === 1);
    let readBytes = 0;
    opened[0]!.reply(async function* () {
      for (; readBytes < SIZE; readBytes += 2) yield new Uint8Array(2);
    }, true);
    await pending;
    // The chunk that brings the last missing byte is the last one that is read.
    expect(readBytes).toBe(2);
    expect(opened).toHaveLength(1);
    expect(partial.doneBytes).toBe(SIZE);
  });
});

describe("a gate", () => {
  test("is open again when nobody has a reason any more, the gate above it included", async () => {
    const above = new Gate();
    const gate = new Gate(above);
    gate.shut("a");
    gate.shut("b");
    above.shut("c");
    const { signal } = new AbortController();
    let passed = false;
    const passing = gate.pass(signal).then(() => (passed = true));
    gate.reopen("a");
    above.reopen("c");
    await Promise.resolve();
    expect([gate.isOpen, passed]).toEqual([false, false]);
    gate.reopen("b");
    await passing;
    expect(gate.isOpen).toBe(true);
  });

  test("gives up the request under way when it shuts, and the transfer goes on where that stopped", async () => {
    const { http, opened } = scriptedHttp(SIZE);
    const partial = partialOf();
    const gate = new Gate(new Gate());
    const options = transferOptions(http, { gate });
    const done = transferFile("x", partial, options);
    await until(() => opened.length === 1);
    gate.shut("paused");
    opened[0]?.reply(async function* () {
      yield new Uint8Array(3);
      throw opened[0]?.signal.reason;
    });
    await Bun.sleep(20);
    expect(opened.length).toBe(1);
    gate.reopen("paused");
    await until(() => opened.length === 2);
    opened[1]?.reply(bodyOf((opened[1].range?.endBytes ?? 0) - (opened[1].range?.startBytes ?? 0)));
    await done;
    expect(opened[1]?.range?.startBytes).toBe(3);
  });

  test.each([2 * SPAN, null])(
    "may be shut again and again where a server of %p bytes knows no ranges",
    async (said) => {
      const sizeBytes = 2 * SPAN;
      const { http, opened } = scriptedHttp(said);
      const partial = partialOf({ sizeBytes: said });
      const gate = new Gate();
      const allowance = new Allowance(() => partial.sizeBytes);
      const done = transferFile("x", partial, transferOptions(http, { gate, allowance }));
      for (let pauses = 0; pauses < 6; pauses += 1) {
        await until(() => opened.length === pauses + 1);
        const { signal, reply } = opened[pauses]!;
        let readBytes = 0;
        reply(async function* () {
          for (; readBytes < sizeBytes - SPAN / 4; readBytes += SPAN / 4) yield new Uint8Array(SPAN / 4);
          gate.shut("paused");
          throw signal.reason;
        }, true);
        await until(() => !gate.isOpen);
        expect(readBytes).toBe(sizeBytes - SPAN / 4);
        gate.reopen("paused");
      }
      await until(() => opened.length === 7);
      opened[6]!.reply(bodyOf(sizeBytes), true);
      await done;
      expect(partial.doneBytes).toBe(sizeBytes);
      // Only the pauses were forgiven.
      allowance.wasted(sizeBytes + 5 * MIB);
      expect(allowance.isSpent).toBe(true);
    },
  );

  test("lets an interrupt through while it is shut", async () => {
    const { http, opened } = scriptedHttp(8);
    const controller = new AbortController();
    const gate = new Gate();
    gate.shut("paused");
    const done = transferFile("x", partialOf(), transferOptions(http, { signal: controller.signal, gate }));
    controller.abort(new LuciError("E_INTERRUPTED", "stop"));
    expect(done).rejects.toThrow("stop");
    await done.catch(() => undefined);
    expect(opened.length).toBe(0);
  });

  test("that shuts while the address is looked for lets no request out", async () => {
    const { http, opened } = scriptedHttp(SIZE);
    const gate = new Gate();
    const controller = new AbortController();
    const base = transferOptions(http, { signal: controller.signal });
    let asked = 0;
    const locate = async (): Promise<Located> => {
      asked += 1;
      if (asked === 1) gate.shut("paused");
      return LOCATED;
    };
    const done = transferFile("x", partialOf(), { ...base, gate, locate });
    await until(() => asked >= 1);
    await Bun.sleep(20);
    expect(opened.length).toBe(0);
    controller.abort(stop);
    expect(await done.catch((error: unknown) => error)).toBe(stop);
  });

  test("that is shut has what came made durable, once nothing is under way any more", async () => {
    const { http, opened } = scriptedHttp(SIZE);
    const gate = new Gate();
    const controller = new AbortController();
    const partial = partialOf();
    const durable: number[] = [];
    partial.checkpoint = async () => void durable.push(partial.doneBytes);
    const done = transferFile("x", partial, transferOptions(http, { signal: controller.signal, gate }));
    await until(() => opened.length === 1);
    gate.shut("paused");
    opened[0]?.reply(async function* () {
      yield new Uint8Array(3);
      throw opened[0]?.signal.reason;
    });
    await until(() => durable.length > 0);
    expect(durable).toEqual([3]);
    controller.abort(stop);
    expect(await done.catch((error: unknown) => error)).toBe(stop);
  });
});

describe("several connections behind a gate", () => {
  test("that shuts all end, and what came is made durable though the share has shrunk meanwhile", async () => {
    const { http, opened } = scriptedHttp(3 * SPAN);
    const gate = new Gate();
    const pool = fixedPool(3);
    const controller = new AbortController();
    const partial = partialOf({ sizeBytes: 3 * SPAN });
    const durable: number[] = [];
    partial.checkpoint = async () => void durable.push(partial.doneBytes);
    const done = transferFile("x", partial, transferOptions(http, { signal: controller.signal, gate, pool }));
    await until(() => opened.length === 1);
    const last = Promise.withResolvers<void>();
    const cut = (index: number, ends: Promise<void>) =>
      async function* () {
        yield new Uint8Array(index + 1);
        await ends;
        throw opened[index]!.signal.reason;
      };
    const shut = Promise.withResolvers<void>();
    opened[0]!.reply(cut(0, shut.promise));
    await until(() => opened.length === 3);
    opened[1]!.reply(cut(1, shut.promise));
    opened[2]!.reply(cut(2, last.promise));
    await Bun.sleep(20);
    gate.shut("paused");
    for (const { signal } of opened) expect(signal.aborted).toBe(true);
    shut.resolve();
    await Bun.sleep(20);
    expect(durable).toEqual([]);
    // Many more files take the connections before the last one has ended.
    for (let count = 0; count < 15; count += 1) pool.join("example.com", () => undefined);
    last.resolve();
    await until(() => durable.length > 0);
    expect(durable).toEqual([6]);
    controller.abort(stop);
    await done.catch(() => undefined);
  });
});

describe("a speed limit", () => {
  test("that is set while a request is under way has it asked again in small parts", async () => {
    const { http, opened } = scriptedHttp(SPAN);
    const controller = new AbortController();
    const limiter = createLimiter(null);
    const partial = partialOf({ sizeBytes: SPAN });
    const done = transferFile("x", partial, transferOptions(http, { signal: controller.signal, limiter }));
    await until(() => opened.length === 1);
    expect(opened[0]?.range).toEqual({ startBytes: 0, endBytes: SPAN });
    limiter.setRate(1_000_000);
    expect(opened[0]?.signal.aborted).toBe(true);
    opened[0]?.reply(async function* () {
      yield new Uint8Array(7);
      throw opened[0]?.signal.reason;
    });
    await until(() => opened.length === 2);
    expect(opened[1]?.range).toEqual({ startBytes: 7, endBytes: 7 + 250_000 });
    controller.abort(stop);
    opened[1]?.reply(bodyOf(1));
    await done.catch(() => undefined);
  });
});
