import { describe, expect, test } from "bun:test";
import type { Job } from "../../../src/domain/job.ts";
import { widthOf } from "../../../src/ui/layout.ts";
import { renderPs, renderSteer, steeringSentence } from "../../../src/ui/render-jobs.ts";
import { createPaint } from "../../../src/ui/style.ts";
import { sampleJob } from "../../support/sample-job.ts";

const JOB = sampleJob({ id: "1234567-1", pid: 1234567 });
const style = (columns: number) => ({ paint: createPaint(false), columns });
const ps = (jobs: readonly Job[], columns = 80) =>
  renderPs({ command: "ps", jobs, silent: [], watched: false }, style(columns));

describe("ps", () => {
  test("is a table, with a second line for what is out of the ordinary", () => {
    const paused = {
      ...JOB,
      id: "9-12",
      model: "nomic-embed",
      state: "paused" as const,
      bytesPerSec: 0,
      etaMs: null,
    };
    const { data } = ps([
      JOB,
      { ...paused, files: 3, doneFiles: 1, priority: 10, limitBytesPerSec: 5e5, totalBytes: null },
    ]);
    expect(data).toEqual([
      "mistral      1234567-1  running   25%  48.1 MB/s  1m 2s",
      "  1 GB of 4 GB",
      "nomic-embed  9-12       paused   1 GB",
      "  1 of 3 files, priority high, limit 500 kB/s",
    ]);
  });

  test("says why something waits, and what failed and why, in lines that fit", () => {
    const idle = { bytesPerSec: 0, etaMs: null };
    const error = { code: "E_NO_SPACE", message: "/models: only 1 MB free", hint: "", exit: 8 } as const;
    const missing = {
      code: "E_NOT_FOUND",
      message: "There is no such thing at https://hub.example/org/model/of/a/long/name",
      hint: "",
      exit: 7,
    } as const;
    const { data } = ps(
      [
        { ...JOB, ...idle, state: "waiting", error },
        { ...JOB, ...idle, state: "failed", error: missing, priority: 10 },
        { ...JOB, ...idle, state: "waiting", error: missing },
      ],
      50,
    );
    expect(data).toEqual([
      "mistral  1234567-1  no room  25%",
      "  /models: only 1 MB free, 1 GB of 4 GB",
      "mistral  1234567-1  failed   25%",
      "  There is no such thing at",
      "    https://hub.example/org/model/of/a/long/name",
      "    (E_NOT_FOUND)",
      "mistral  1234567-1  waiting  25%",
      "  There is no such thing at",
      "    https://hub.example/org/model/of/a/long/name,",
      "    1 GB of 4 GB",
    ]);
  });

  test.each([60, 80, 120])("fits %d columns, whatever the name", (columns) => {
    const model = "org/a-very-long-repository-name-that-goes-on-and-on-and-on-and-on:Q4_K_M";
    const { data } = ps([JOB, { ...JOB, model }], columns);
    for (const line of data) expect(widthOf(line)).toBeLessThan(columns);
    expect(data[2]!.includes("…")).toBe(columns < 120);
  });

  test("of nothing says what to do", () => {
    expect(ps([])).toMatchObject({
      data: [],
      summary: ["Nothing is running", expect.stringContaining("luci install")],
    });
  });

  test("shows a name from outside as what it is", () => {
    expect(ps([{ ...JOB, model: "a\u001B[2Jb" }]).data[0]).toContain("a\\u{1b}[2Jb");
  });
});

describe("steering", () => {
  test.each([
    ["pause", { state: "paused" }, "mistral (1234567-1): paused"],
    ["resume", { state: "waiting" }, "mistral (1234567-1): goes on"],
    ["cancel", { state: "running" }, "mistral (1234567-1): is being cancelled"],
    ["cancel", { state: "cancelled" }, "mistral (1234567-1): cancelled"],
    ["limit", { limitBytesPerSec: 5e6 }, "mistral (1234567-1): at most 5 MB/s"],
    ["limit", { limitBytesPerSec: null }, "mistral (1234567-1): no limit of its own"],
    ["priority", { priority: 10 }, "mistral (1234567-1): priority high"],
    ["priority", { priority: -3 }, "mistral (1234567-1): priority -3"],
  ] as const)("%s says what it did: %j", (command, change, line) => {
    expect(renderSteer({ command, jobs: [{ ...JOB, ...change }], runs: [] }).details).toEqual([line]);
  });

  test("resume of what was not paused says so", () => {
    const jobs = [{ ...JOB, state: "running" as const }];
    const unchanged = [jobs[0]?.id ?? ""];
    expect(renderSteer({ command: "resume", jobs, runs: [], unchanged }).details).toEqual([
      "mistral (1234567-1): was not paused (running)",
    ]);
  });

  test("of whole runs names the process", () => {
    const runs = [
      { pid: 7, limitBytesPerSec: 5e6 },
      { pid: 8, limitBytesPerSec: null },
    ];
    expect(renderSteer({ command: "limit", jobs: [], runs }).details).toEqual([
      "Process 7: at most 5 MB/s",
      "Process 8: no limit",
    ]);
  });

  test("from another terminal is told in the one that is steered", () => {
    const event = { v: 1, seq: 1, atMs: 1, type: "model.paused", model: "m" } as const;
    expect(steeringSentence(event)).toBe("m: paused (`luci resume` goes on)");
    expect(steeringSentence({ ...event, type: "model.ready", path: "" })).toBeNull();
  });
});
