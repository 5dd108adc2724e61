import { describe, expect, test } from "bun:test";
import { createEventFeed } from "../../../src/control/event-feed.ts";
import { EventLog } from "../../../src/control/event-log.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import type { Job } from "../../../src/domain/job.ts";
import { until } from "../../support/until.ts";

/** Knows how many clients wait for its next event. */
class CountingLog extends EventLog {
  waiting = 0;

  override onEvent(listener: () => void): () => void {
    const stop = super.onEvent(listener);
    this.waiting += 1;
    return () => {
      this.waiting -= 1;
      stop();
    };
  }
}

/** A log that numbers what it is told, and a feed over it. */
function stand() {
  const log = new CountingLog();
  let seq = 0;
  let jobs: Job[] = [];
  const feed = createEventFeed({ log, list: () => jobs });
  const say = (body: LuciEventBody): void => {
    seq += 1;
    log.add({ v: 1, seq, atMs: seq, ...body });
  };
  const show = (list: readonly Partial<Job>[]): void => {
    jobs = list as Job[];
  };
  const progress = (doneBytes: number): void =>
    say({ type: "file.progress", model: "m", file: "f", doneBytes, hashedBytes: 0, connections: 1 });
  return { log, feed, say, show, progress };
}

interface Told {
  readonly id: number | null;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** What a client reads, one text at a time; it goes when it wants no more. */
async function* textsOf({ body }: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const bytes of body!) yield decoder.decode(bytes);
}

/** Reads a stream until something was told. */
async function readUntil(answer: Response, isEnough: (told: Told[]) => boolean): Promise<Told[]> {
  const told: Told[] = [];
  for await (const text of textsOf(answer)) {
    for (const record of text.split("\n\n").filter((one) => one.includes("data:"))) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(record)?.[1];
      const id = field("id");
      told.push({
        id: id ? Number(id) : null,
        event: field("event")!,
        data: JSON.parse(field("data")!) as Told["data"],
      });
    }
    if (isEnough(told)) return told;
  }
  return told;
}

describe("a feed", () => {
  test("replays what came after an event, each with its number", async () => {
    const { feed, say } = stand();
    for (const model of ["a", "b", "c"]) say({ type: "model.paused", model });
    const told = await readUntil(feed.stream(1), (all) => all.length === 2);
    expect(told.map(({ id, event, data }) => [id, event, data["model"]])).toEqual([
      [2, "model.paused", "b"],
      [3, "model.paused", "c"],
    ]);
  });

  test("begins with every job, and tells those that change", async () => {
    const { feed, show, progress } = stand();
    show([{ id: "1", doneBytes: 1 }, { id: "2" }]);
    const source = textsOf(feed.stream(null));
    const downloads = async (): Promise<string[]> => {
      const text = String((await source.next()).value);
      return [...text.matchAll(/^event: download\ndata: (.*)$/gm)].map(
        ([, data]) => (JSON.parse(data!) as Job).id,
      );
    };
    expect(await downloads()).toEqual([]);
    expect(await downloads()).toEqual(["1", "2"]);
    show([{ id: "1", doneBytes: 2 }, { id: "2" }]);
    progress(2);
    expect(await downloads()).toEqual(["1"]);
    await source.return(undefined);
  });

  test("tells progress twice a second at most, and only the latest, whatever else happens", async () => {
    const { feed, progress, say } = stand();
    const startedMs = performance.now();
    const timer = setInterval(() => {
      progress(Math.round(performance.now()));
      say({ type: "model.paused", model: "m" });
    }, 5);
    const isProgress = ({ event }: Told): boolean => event === "file.progress";
    const told = await readUntil(feed.stream(null), (all) => all.filter(isProgress).length === 3);
    clearInterval(timer);
    expect(performance.now() - startedMs).toBeGreaterThan(990);
    expect(told.filter(isProgress).every(({ id }) => id === null)).toBe(true);
  });

  test("tells of the gap to whoever comes after the ring has turned", async () => {
    const { feed, say } = stand();
    for (let count = 0; count < 1_500; count += 1) say({ type: "model.paused", model: String(count) });
    const told = await readUntil(feed.stream(3), (all) => all.length >= 1_001);
    expect(told[0]).toMatchObject({ event: "gap", data: { seq: 1_500 } });
    expect(told.slice(1).map(({ id }) => id)).toEqual(Array.from({ length: 1_000 }, (_, at) => 501 + at));
  });

  test("makes nothing for a client that does not read", async () => {
    const { feed, say, log } = stand();
    const { body } = feed.stream(0);
    const reader = body!.getReader();
    await reader.read();
    for (let count = 0; count < 100_000; count += 1) say({ type: "model.paused", model: "x".repeat(100) });
    await Bun.sleep(20);
    // What the client gets when it reads again: the gap and the ring, however much there was in between.
    let sizeBytes = 0;
    for (let seq = 0; seq < log.lastSeq;) {
      const text = new TextDecoder().decode((await reader.read()).value);
      sizeBytes += text.length;
      seq = Number(/id: (\d+)\n(?!.*id: )/s.exec(text)?.[1] ?? seq);
    }
    expect(sizeBytes).toBeLessThan(500_000);
    await reader.cancel();
  });

  test("ends its streams when it closes, and with a client's own end", async () => {
    const { feed, log } = stand();
    const gone = feed.stream(null).body!.getReader();
    const end = readUntil(feed.stream(null), () => false);
    await gone.read();
    await until("both clients to wait", () => log.waiting === 2);
    await gone.cancel();
    // At once, and not with the next sign of life.
    await Bun.sleep(0);
    expect(log.waiting).toBe(1);
    await feed.close();
    expect(await end).toEqual([]);
    expect(log.waiting).toBe(0);
  });

  test("tells what is left before it closes, and does not wait for who never reads", async () => {
    const { feed, say } = stand();
    const [reader, idler] = [feed.stream(null).body!.getReader(), feed.stream(null).body!.getReader()];
    await reader.read();
    await idler.read();
    say({ type: "model.failed", model: "m", error: { code: "E_SERVER", message: "x", hint: "y", exit: 5 } });
    const closed = feed.close();
    let text = "";
    for (let next = await reader.read(); !next.done; next = await reader.read())
      text += new TextDecoder().decode(next.value);
    expect(text).toContain("event: model.failed");
    await closed;
    await idler.cancel();
  });
});

test("time in which nothing ran is not held against a client that takes its last words", async () => {
  const { feed, say } = stand();
  const reader = feed.stream(null).body!.getReader();
  await reader.read();
  say({ type: "model.failed", model: "m", error: { code: "E_SERVER", message: "x", hint: "y", exit: 5 } });
  let isClosed = false;
  const closed = feed.close().then(() => (isClosed = true));
  Bun.sleepSync(500);
  await Bun.sleep(1);
  expect(isClosed).toBe(false);
  while (!(await reader.read()).done);
  await closed;
});

test("a log forgets the progress of a file that has ended", () => {
  const { log, progress, say } = stand();
  progress(1);
  expect(log.progressAfter(0)).toHaveLength(1);
  say({ type: "file.cancelled", model: "m", file: "f", keptBytes: 0 });
  expect(log.progressAfter(0)).toEqual([]);
});
