import { expect, test } from "bun:test";
import type { CommandResult } from "../../../src/domain/results.ts";
import { widthOf } from "../../../src/ui/layout.ts";
import { renderResult } from "../../../src/ui/render-result.ts";
import { createPaint } from "../../../src/ui/style.ts";

const LONG = `hf:some-organisation/${"a-very-long-model-name-".repeat(4)}GGUF:Q4_K_M`;
const STYLE = { paint: createPaint(false), columns: 60, fits: true };
const PIECE_BYTES = 8_388_608;

const RESULTS: readonly CommandResult[] = [
  {
    command: "verify",
    findings: [
      {
        kind: "digest",
        model: LONG,
        file: `${LONG}.gguf`,
        sizeBytes: 210_000_000,
        badPieces: [1, 3, 5, 7, 9].map((at) => ({
          startBytes: at * PIECE_BYTES,
          endBytes: (at + 1) * PIECE_BYTES,
        })),
        pieces: 25,
        detail: "",
        quick: false,
      },
    ],
    quick: false,
    checkedBytes: 210_000_000,
    elapsedMs: 1_000,
    repaired: [],
    failed: [],
  },
  {
    command: "usage",
    modelsFolder: "/models",
    models: [{ model: LONG, sizeBytes: 5, files: 3 }],
    partials: [],
    others: [{ path: LONG, sizeBytes: 7 }],
    totalBytes: 12,
    freeBytes: 1e9,
  },
  {
    command: "list",
    installed: [LONG, "short"].map((name) => ({
      name,
      ref: name,
      source: name,
      revision: null,
      path: `/models/${name}`,
      sizeBytes: 5,
      installedAt: "2026-01-01T00:00:00Z",
      files: [{ path: name, sizeBytes: 5, sha256: "00", authority: "none" }],
    })),
    available: null,
  },
];

test.each(RESULTS)("at 60 columns names give way, and no word breaks: $command", (result) => {
  const { data } = renderResult(result, STYLE);
  expect(Math.max(...data.map(widthOf))).toBeLessThan(60);
  expect(data.join("\n")).toContain("…");
});

test.each(RESULTS)("for programs names stay whole: $command", (result) => {
  expect(renderResult(result, { ...STYLE, fits: false }).data.join("\n")).toContain(LONG);
});
