import { describe, expect, test } from "bun:test";
import type { PastInstall } from "../../../src/domain/history.ts";
import { widthOf } from "../../../src/ui/layout.ts";
import { renderHistory, renderUsageHistory, sparkline } from "../../../src/ui/render-history.ts";
import { createPaint } from "../../../src/ui/style.ts";

const STYLE = { paint: createPaint(false), columns: 60 };

function install(parts: Partial<PastInstall> = {}): PastInstall {
  return {
    model: "mistral",
    ref: "mistral",
    how: "installed",
    at: new Date(2026, 10, 21, 16, 20).toISOString(),
    source: "huggingface.co",
    fetchedBytes: 4_372_812_000,
    elapsedMs: 91_000,
    meanBytesPerSec: 48_100_000,
    peakBytesPerSec: 61_000_000,
    retries: 0,
    outcome: "ready",
    error: null,
    transferCount: 1,
    transfers: [],
    ...parts,
  };
}

function lines(...installs: readonly PastInstall[]): readonly string[] {
  return renderHistory({ command: "history", name: null, installs, keepsHistory: true }, STYLE).data;
}

describe("the history at 60 columns", () => {
  test("stands in columns, with the rest below each line", () => {
    expect(
      lines(
        install(),
        install({ model: "tinyllama", fetchedBytes: 668_788_096, outcome: "failed", retries: 3 }),
      ),
    ).toEqual([
      "11-21 16:20  mistral    4.37 GB  48.1 MB/s  ready",
      "  huggingface.co, 1m 31s, peak 61 MB/s",
      "11-21 16:20  tinyllama   669 MB  48.1 MB/s  failed",
      "  huggingface.co, 1m 31s, peak 61 MB/s, 3 retries",
    ]);
  });

  test("say why something failed, and nothing of a speed where nothing came", () => {
    const none = { fetchedBytes: 0, meanBytesPerSec: 0, peakBytesPerSec: 0, transferCount: 0 };
    expect(lines(install({ ...none, outcome: "failed", error: "E_NOT_FOUND", elapsedMs: 300 }))).toEqual([
      "11-21 16:20  mistral  0 B    failed",
      "  E_NOT_FOUND, huggingface.co, 300ms",
    ]);
  });

  test("no line is wider, however long a name is; both its ends can be seen", () => {
    const model = `org--${"very-".repeat(20)}long-Q4_K_M`;
    const transfer = {
      ...install(),
      file: `${"folder/".repeat(12)}model-00001-of-00009.gguf`,
      how: null,
    } as const;
    const shown = lines(install({ model, outcome: "interrupted", transfers: [transfer] }));
    for (const line of shown) expect(widthOf(line)).toBeLessThan(60);
    expect(shown[0]).toMatch(/^11-21 16:20 {2}org--.*…/);
    expect(shown[2]).toContain(".gguf");
  });

  test("escapes what comes from outside", () => {
    const shown = lines(install({ model: "a\u001B[2Jb", source: "x\u001B]0;y" })).join("\n");
    expect(shown).not.toContain("\u001B");
  });
});

test("an empty history says so, and whether anything is remembered at all", () => {
  const empty = { command: "history", name: "a", installs: [], keepsHistory: false } as const;
  expect(renderHistory(empty, STYLE).summary).toEqual([
    "Nothing is remembered of a",
    "`history` is off in the settings: nothing is remembered any more",
  ]);
});

describe("a picture of numbers", () => {
  test.each([
    [[0, 1, 4, 8], false, "_▂▅█"],
    [[0, 1, 4, 8], true, "_:+@"],
    [[5], false, "█"],
    [[0, 0], false, "__"],
  ])("%j (ASCII: %p) is %s", (values, ascii, picture) => {
    expect(sparkline(values, ascii)).toBe(picture);
  });

  test("stands for each source, the largest first", () => {
    const entries = [
      { day: "2026-11-21", source: "a.org", fetchedBytes: 10, installs: 1 },
      { day: "2026-11-21", source: "b.org", fetchedBytes: 500, installs: 2 },
      { day: "2026-11-20", source: "b.org", fetchedBytes: 1_000, installs: 1 },
    ];
    const days = ["2026-11-19", "2026-11-20", "2026-11-21"];
    expect(renderUsageHistory({ command: "usage-history", days, entries }, STYLE).data).toEqual([
      "b.org  1.5 kB in 3 days",
      "  _█▅",
      "a.org  10 B in 3 days",
      "  __█",
      "2026-11-21   10 B  1 install   a.org",
      "2026-11-21  500 B  2 installs  b.org",
      "2026-11-20   1 kB  1 install   b.org",
    ]);
  });
});
