import { describe, expect, test } from "bun:test";
import type { InstallResult, Receipt } from "../../../src/domain/results.ts";
import { show, text } from "./fake-terminal.ts";

const FOLDER = "/home/me/.luciferai/models";
const GATED = {
  code: "E_GATED",
  message: "meta/llama is gated: the hub answered 403",
  hint: "Accept its terms, then set HF_TOKEN",
  exit: 6,
} as const;

function receipt(model: string, parts: Partial<Receipt> = {}): Receipt {
  const file = {
    path: `${FOLDER}/${model}.gguf`,
    sizeBytes: 2_019_377_696,
    sha256: "00",
    how: "fetched",
    authority: "hub",
  } as const;
  return {
    model,
    ref: model,
    revision: null,
    path: file.path,
    files: [file],
    totalBytes: file.sizeBytes,
    fetchedBytes: file.sizeBytes,
    already: false,
    hooks: [],
    ...parts,
  };
}

function install(parts: Partial<InstallResult>): InstallResult {
  return {
    command: "install",
    installed: [],
    failed: [],
    totalModels: 1,
    fetchedBytes: 2_019_377_696,
    elapsedMs: 42_000,
    dryRun: null,
    ...parts,
  };
}

function unverified(model: string, authorities: readonly ("hub" | "none")[]): Receipt {
  const files = authorities.map((authority, index) => ({
    path: `${FOLDER}/${index}`,
    sizeBytes: 1_000_000,
    sha256: "00",
    how: "fetched" as const,
    authority,
  }));
  return receipt(model, { files, totalBytes: 1_000_000 * files.length });
}

test("where something failed nothing is said of fetching", () => {
  const failed = [{ model: "llama", error: GATED }];
  const nothing = show(install({ failed, totalModels: 4, fetchedBytes: 0 }))[1];
  expect(nothing).toEndWith("0 of 4 models installed\n");
  const planned = show(install({ failed, totalModels: 1, fetchedBytes: 0, dryRun: [] }))[1];
  expect(planned).toEndWith("0 of 1 model: nothing was changed (dry run)\n");
  expect(show(install({ totalModels: 4, fetchedBytes: 0 }))[1]).toContain("nothing to fetch");
});

describe("install", () => {
  test("of one model ends with its path", () => {
    expect(show(install({ installed: [receipt("llama3.2")] }))).toEqual([
      "",
      text("Installed llama3.2, 2.02 GB in 42s, 48.1 MB/s", "   /home/me/.luciferai/models/llama3.2.gguf"),
    ]);
  });

  test("of a model that is there says so", () => {
    expect(
      show(
        install({ installed: [receipt("llama3.2", { already: true, fetchedBytes: 0 })], fetchedBytes: 0 }),
      )[1],
    ).toBe(text("llama3.2 is already installed, 2.02 GB", "   /home/me/.luciferai/models/llama3.2.gguf"));
  });

  test("of a file nobody vouches for says it in words", () => {
    const words = show(
      install({ installed: [unverified("x", ["none"])], fetchedBytes: 1_000_000, elapsedMs: 400 }),
    )[1];
    expect(words).toStartWith(
      "Installed x, 1 MB in 42s".replace("42s", "400ms") + ", unverified (no digest published)\n",
    );
    expect(show(install({ installed: [unverified("x", ["none", "hub", "none"])] }))[1]).toContain(
      ", 2 of 3 files unverified (no digest published)\n",
    );
  });

  test("of a batch: what happened to each, why it failed, and what it took", () => {
    const result = install({
      installed: [
        receipt("tinyllama", { already: true, totalBytes: 668_788_096 }),
        receipt("llama3.2"),
        unverified("deepseek-coder", ["none"]),
      ],
      failed: [{ model: "meta", error: GATED }],
      totalModels: 4,
      fetchedBytes: 2_020_377_696,
    });
    expect(show(result)).toEqual([
      "",
      text(
        "✓  tinyllama        669 MB  already installed",
        "✓  llama3.2        2.02 GB  installed",
        "✓  deepseek-coder     1 MB  installed, unverified (no digest published)",
        "✗  meta                     failed",
        "error: meta: meta/llama is gated: the hub answered 403",
        "hint: Accept its terms, then set HF_TOKEN",
        "3 of 4 models installed, 2.02 GB fetched in 42s, 48.1 MB/s",
      ),
    ]);
    expect(
      show(
        install({
          installed: [receipt("a", { already: true }), receipt("b", { already: true })],
          totalModels: 2,
          fetchedBytes: 0,
        }),
      )[1],
    ).toEndWith(text("2 of 2 models installed, nothing to fetch"));
  });

  test("as a dry run is data, and changes nothing", () => {
    const files = [
      {
        path: "a.gguf",
        sizeBytes: 4_368_439_584,
        digest: { algorithm: "sha256", hex: "00" },
        state: "partial",
      },
      { path: "b\u001B.json", sizeBytes: null, digest: null, state: "missing" },
    ] as const;
    const planned = {
      model: "mistral",
      ref: "mistral",
      revision: "3a6fbf4a41a1d52e415a4958cde6856d34b2db93",
      totalBytes: 4_368_439_584,
      missingBytes: 3e9,
      files,
    };
    expect(
      show(
        install({
          dryRun: [planned, { ...planned, model: "tiny", revision: null, missingBytes: 0, files: [] }],
        }),
      ),
    ).toEqual([
      text(
        "mistral @ 3a6fbf4a41a1: 3 GB of 4.37 GB to fetch",
        "  partial  4.37 GB  a.gguf",
        "  missing        ?  b\\u{1b}.json, unverified (no digest published)",
        "tiny: installed",
      ),
      text("2 models, 3 GB to fetch: nothing was changed (dry run)"),
    ]);
  });
});
