// A download as `luci ps` sees it, for tests of who shows and steers it.

import type { Job } from "../../src/domain/job.ts";

/** One that runs, a quarter of it done. */
export function sampleJob(change: Partial<Job> = {}): Job {
  return {
    id: "7-1",
    ref: "mistral",
    model: "mistral",
    state: "running",
    priority: 0,
    limitBytesPerSec: null,
    files: 1,
    doneFiles: 0,
    totalBytes: 4_000_000_000,
    doneBytes: 1_000_000_000,
    hashedBytes: 0,
    bytesPerSec: 48_100_000,
    etaMs: 62_000,
    connections: 4,
    pid: 7,
    startedAt: "2026-01-01T00:00:00.000Z",
    endedAt: null,
    error: null,
    path: null,
    ...change,
  };
}
