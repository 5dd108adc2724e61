import { expect, test } from "bun:test";
import { Steering } from "../../../src/app/steering.ts";
import { createDaemonJobs } from "../../../src/control/daemon-jobs.ts";
import type { JobSettings, SingleJobs } from "../../../src/control/jobs.ts";
import { RoomLedger } from "../../../src/control/room-ledger.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import type { Job } from "../../../src/domain/job.ts";

const job = (totalBytes: number | null, doneBytes: number): Job => ({ totalBytes, doneBytes }) as Job;

test("what one takes counts for the others, as it took it, then as far as it is", () => {
  const ledger = new RoomLedger();
  let jobs: Job[] = [];
  const one = ledger.open(() => jobs);
  const other = ledger.open(() => []);
  one.take(60);
  expect([one.othersBytes(), other.othersBytes()]).toEqual([0, 60]);
  jobs = [job(100, 70)];
  expect(other.othersBytes()).toBe(30);
  // Nobody knows how large it becomes.
  jobs = [job(null, 20)];
  expect(other.othersBytes()).toBe(60);
  jobs = [job(100, 120)];
  expect(other.othersBytes()).toBe(0);
});

test("who is done frees what it took, and those who wait are told; who took nothing frees nothing", () => {
  const ledger = new RoomLedger();
  let told = 0;
  ledger.onFreed(() => (told += 1));
  const [one, other, third] = [ledger.open(() => []), ledger.open(() => []), ledger.open(() => [])];
  one.take(60);
  one.close();
  one.close();
  other.close();
  expect([third.othersBytes(), told]).toEqual([0, 1]);
});

test("a repair takes its room where downloads take theirs", () => {
  const ledger = new RoomLedger();
  const download = ledger.open(() => []);
  let seq = 0;
  const all = createDaemonJobs({
    queue: { list: () => [] } as unknown as SingleJobs,
    settings: {} as JobSettings,
    steering: new Steering({ limitBytesPerSec: null, connections: null, pid: 7, emit: () => undefined }),
    pid: 7,
    ledger,
    nowMs: () => 1_000,
    publish: (body: LuciEventBody) => ({ v: 1, seq: (seq += 1), atMs: 1_000, ...body }),
  });
  const repair = all.begin();
  download.take(50);
  repair.room.take(40);
  expect([repair.room.othersBytes(), download.othersBytes()]).toEqual([50, 40]);
  const counts = { files: 1, totalBytes: 100, presentBytes: 70, priority: 0, limitBytesPerSec: null };
  repair.emit({ type: "model.queued", model: "alpha", id: "7-1", ref: "alpha", ...counts });
  expect(download.othersBytes()).toBe(30);
  repair.forget();
  expect(download.othersBytes()).toBe(0);
});
