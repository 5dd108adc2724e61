import { describe, expect, test } from "bun:test";
import type { Finding } from "../../../src/domain/finding.ts";
import type { CatalogEntry, CommandResult, InstalledModel, Receipt } from "../../../src/domain/results.ts";
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

describe("verify", () => {
  const finding = (kind: Finding["kind"], parts: Partial<Finding> = {}): Finding => ({
    kind,
    model: "mistral",
    file: "mistral.gguf",
    sizeBytes: 209_715_200,
    badPieces: [],
    pieces: 25,
    detail: "",
    quick: false,
    ...parts,
  });
  const MIB8 = 8_388_608;
  const piece = (index: number) => ({ startBytes: index * MIB8, endBytes: (index + 1) * MIB8 });
  const verify = (findings: readonly Finding[], parts: object = {}): CommandResult => ({
    command: "verify",
    quick: false,
    findings,
    checkedBytes: 429_430_400,
    elapsedMs: 2_000,
    repaired: [],
    failed: [],
    ...parts,
  });

  test("tells every finding, damage with its places", () => {
    const findings = [
      finding("foreign", {
        model: null,
        file: "notes\u202E.bin",
        sizeBytes: 120,
        detail: "no model owns it",
      }),
      finding("ok", { model: "llama3.2", file: "llama.gguf" }),
      finding("digest", { badPieces: [piece(1), piece(4)] }),
      finding("missing", { file: "org--repo/config.json", sizeBytes: 0, detail: "no such file" }),
      finding("size", { file: "short.gguf", sizeBytes: 5, detail: "5 B instead of 10 B" }),
      finding("unreadable", { file: "bad.gguf", detail: "Input/output error" }),
      finding("unverifiable", { file: "own.gguf" }),
    ];
    expect(show(verify(findings))).toEqual([
      text(
        "llama3.2",
        "  ok           210 MB  llama.gguf",
        "mistral",
        "  damaged      210 MB  mistral.gguf",
        "              2 of 25 pieces damaged: 8.39 MB–16.8 MB, 33.6 MB–41.9 MB",
        "  missing              org--repo/config.json",
        "              no such file",
        "  wrong size      5 B  short.gguf",
        "              5 B instead of 10 B",
        "  unreadable   210 MB  bad.gguf",
        "              Input/output error",
        "  unverified   210 MB  own.gguf",
        "              as first installed; no digest was published to hold it against",
        "(no model)",
        "  foreign       120 B  notes\\u{202e}.bin",
        "              no model owns it",
      ),
      text(
        "3 of 6 files of 2 models read, 429 MB in 2s, 215 MB/s",
        "4 damaged or missing, 1 unverified, 1 foreign file",
      ),
    ]);
  });

  test("tells neighbouring pieces as one place, and counts what is too much to list", () => {
    const [data] = show(
      verify([finding("digest", { badPieces: [0, 1, 2, 5, 7, 9, 11, 13, 15, 17].map(piece) })]),
    );
    expect(data).toContain(
      "10 of 25 pieces damaged: 0 B–25.2 MB, 41.9 MB–50.3 MB, 58.7 MB–67.1 MB, 75.5 MB–83.9 MB, 92.3 MB–101 MB, 109 MB–117 MB and 2 more places\n",
    );
    expect(show(verify([finding("digest", { detail: "SHA-256 differs" })]))[0]).toEndWith(
      "              SHA-256 differs\n",
    );
  });

  test("says when all is well, when it only looked, and when there is nothing", () => {
    expect(show(verify([finding("ok")], { quick: true, checkedBytes: 0 }))[1]).toBe(
      text("1 file of 1 model looked at (sizes and times only)", "No damage found"),
    );
    expect(show(verify([]))).toEqual(["", text("No models installed: nothing to verify")]);
  });

  test("with --repair says what was mended and what was not", () => {
    const words = show(
      verify([finding("digest", { badPieces: [piece(1)] })], {
        repaired: [receipt("mistral", { fetchedBytes: MIB8 })],
        failed: [{ model: "meta", error: GATED }],
      }),
    )[1];
    expect(words).toBe(
      text(
        "Repaired mistral, 8.39 MB fetched",
        "error: meta: meta/llama is gated: the hub answered 403",
        "hint: Accept its terms, then set HF_TOKEN",
        "1 file of 1 model read, 429 MB in 2s, 215 MB/s",
        "1 file of 1 model repaired, 1 model not repaired",
      ),
    );
  });

  test("with --repair calls repaired what was damaged and is not any more", () => {
    const [data, words] = show(
      verify([finding("digest", { badPieces: [piece(1)] }), finding("missing", { model: "meta" })], {
        repaired: [receipt("mistral", { fetchedBytes: MIB8 }), receipt("meta")],
      }),
    );
    expect(data).toContain("  repaired ");
    expect(data).toContain("was damaged: 1 of 25 pieces damaged");
    expect(data).toContain("was missing");
    expect(data).not.toMatch(/^ {2}(?:damaged|missing)/m);
    expect(words).toContain("\n2 files of 2 models repaired\n");
  });
});

describe("cleanup", () => {
  const items = [
    {
      kind: "partial",
      path: "/m/p.part",
      sizeBytes: 1_200_000_000,
      ageMs: 273_600_000,
      of: "mistral.gguf",
      reason: "not touched for 3 days",
    },
    { kind: "lock", path: "/m/\rl.lock", sizeBytes: 45, ageMs: 7_200_000, of: null, reason: "" },
  ] as const;

  test("shows the plan with age and size, and what came of it", () => {
    const plan = text(
      "1.2 GB  3d 4h old  partial  mistral.gguf",
      "   not touched for 3 days",
      "  45 B     2h old  lock     /m/\\u{d}l.lock",
    );
    const kept = [{ ...items[0], reason: "a running luci owns it" }];
    expect(show({ command: "cleanup", items, kept, executed: false, freedBytes: 0, failed: [] })).toEqual([
      plan,
      text(
        "Kept mistral.gguf (a running luci owns it)",
        "Nothing was deleted: 2 items with 1.2 GB may go (--yes deletes)",
      ),
    ]);
    expect(
      show({
        command: "cleanup",
        items,
        kept: [],
        executed: true,
        freedBytes: 1_200_000_000,
        failed: [{ path: "/m/\rl.lock", reason: "Permission denied" }],
      }),
    ).toEqual([
      plan,
      text("error: Could not delete /m/\\u{d}l.lock: Permission denied", "Deleted 1 item, 1.2 GB freed"),
    ]);
  });

  test("with nothing to do says so", () => {
    expect(
      show({ command: "cleanup", items: [], kept: [], executed: true, freedBytes: 0, failed: [] }),
    ).toEqual(["", text("Nothing to clean up")]);
  });
});

test("usage: biggest first, whatever it is, with the total and what is free", () => {
  const result: CommandResult = {
    command: "usage",
    modelsFolder: FOLDER,
    models: [
      { model: "tinyllama", sizeBytes: 668_788_096, files: 1 },
      { model: "Qwen/Qwen3-4B", sizeBytes: 8_060_000_000, files: 9 },
    ],
    partials: [{ path: "/m/p.part", of: "mistral.gguf", sizeBytes: 1_210_000_000 }],
    others: [{ path: "no\ttes.bin", sizeBytes: 120 }],
    totalBytes: 9_938_788_216,
    freeBytes: 120_000_000_000,
  };
  expect(show(result)).toEqual([
    text(
      FOLDER,
      "8.06 GB  Qwen/Qwen3-4B (9 files)",
      "1.21 GB  mistral.gguf (unfinished download)",
      " 669 MB  tinyllama",
      "  120 B  no\\u{9}tes.bin (not from luci)",
      "9.94 GB  in all, 120 GB free",
    ),
    "",
  ]);
});

describe("what there is", () => {
  const entry: CatalogEntry = {
    name: "llama3.2",
    aliases: ["llama-3.2", "llama3.2-3b"],
    tier: 1,
    params: "3.2B",
    quant: "Q4_K_M",
    license: "llama3.2",
    kind: "text",
    description: "Small instruction-following model with a long context window, for quick answers.",
    repo: "bartowski/Llama-3.2-3B-Instruct-GGUF",
    revision: "5ab33fa9",
    sizeBytes: 2_019_377_696,
    core: true,
  };
  const installed: InstalledModel = {
    name: "llama3.2",
    ref: "llama3.2",
    source: "huggingface",
    revision: "5ab33fa9",
    path: `${FOLDER}/llama.gguf`,
    sizeBytes: 2_019_377_696,
    installedAt: "2026-11-21T10:36:00.000Z",
    files: [
      { path: `${FOLDER}/llama.gguf`, sizeBytes: 2_019_377_696, sha256: "6c1a2b41", authority: "catalog" },
    ],
  };
  const own: InstalledModel = {
    ...installed,
    name: "my\u001Bown",
    ref: "https://example.org/own.gguf",
    revision: null,
    files: [{ path: "/m/own.gguf", sizeBytes: 1_000, sha256: "ab", authority: "none" }],
    sizeBytes: 1_000,
  };

  test("list", () => {
    expect(show({ command: "list", installed: [installed, own], available: null })).toEqual([
      text(
        "llama3.2     2.02 GB  2026-11-21",
        "my\\u{1b}own     1 kB  2026-11-21  unverified (no digest published)",
      ),
      "",
    ]);
    expect(show({ command: "list", installed: [], available: null })).toEqual([
      "",
      text(
        "No models installed",
        "hint: `luci list --available` shows the catalog, `luci install core models` begins",
      ),
    ]);
  });

  test("list --available, by tier", () => {
    const available = [
      { ...entry, name: "big", tier: 2, params: "70B", core: false, sizeBytes: null },
      entry,
      { ...entry, name: "tiny", tier: 0, core: false, sizeBytes: 668_788_096, params: "1.1B" },
    ];
    expect(show({ command: "list", installed: [installed], available })[0]).toBe(
      text(
        "tier 0",
        "  tiny       669 MB  1.1B  Q4_K_M",
        "tier 1",
        "  llama3.2  2.02 GB  3.2B  Q4_K_M  core, installed",
        "tier 2",
        "  big             ?   70B  Q4_K_M",
      ),
    );
  });

  test("info of a model of the catalog that is installed", () => {
    expect(show({ command: "info", name: "llama3.2", catalog: entry, installed, partialBytes: 0 })).toEqual([
      text(
        "llama3.2",
        "  Small instruction-following model with a long context",
        "  window, for quick answers.",
        "  size         2.02 GB",
        "  parameters   3.2B",
        "  quant        Q4_K_M",
        "  kind         text",
        "  tier         1, core",
        "  licence      llama3.2",
        "  from         bartowski/Llama-3.2-3B-Instruct-GGUF",
        "  revision     5ab33fa9",
        "  also called  llama-3.2, llama3.2-3b",
        "  installed    2026-11-21",
        "  path         /home/me/.luciferai/models/llama.gguf",
        "  digest       checked against the catalog's",
        "  sha256       6c1a2b41",
      ),
      "",
    ]);
  });

  test("info of a model of several files", () => {
    const files = ["a", "b"].map((name) => ({
      path: `/m/${name}`,
      sizeBytes: 1_000,
      sha256: name,
      authority: "hub" as const,
    }));
    expect(
      show({
        command: "info",
        name: "x",
        catalog: null,
        installed: { ...installed, files },
        partialBytes: 0,
      })[0],
    ).toEndWith(
      text(
        "  /m/a, 1 kB, checked against the hub's",
        "    sha256 a",
        "  /m/b, 1 kB, checked against the hub's",
        "    sha256 b",
      ),
    );
  });

  test("info of a model of one's own, and of one that is not here yet", () => {
    expect(show({ command: "info", name: own.name, catalog: null, installed: own, partialBytes: 0 })[0]).toBe(
      text(
        "my\\u{1b}own",
        "  size       1 kB",
        "  from       https://example.org/own.gguf",
        "  installed  2026-11-21",
        "  path       /home/me/.luciferai/models/llama.gguf",
        "  digest     unverified (no digest published)",
        "  sha256     ab",
      ),
    );
    expect(
      show({
        command: "info",
        name: "llama3.2",
        catalog: entry,
        installed: null,
        partialBytes: 800_000_000,
      })[0],
    ).toEndWith(text("  installed    no", "  kept         800 MB of an unfinished download"));
  });

  test("path prints the path and nothing else", () => {
    expect(show({ command: "path", model: "m", path: "/m/with space.gguf" })).toEqual([
      "/m/with space.gguf\n",
      "",
    ]);
  });
});

test("remove says what went, what stayed and what would go", () => {
  const files = [
    { path: "/m/a.gguf", sizeBytes: 1_000_000 },
    { path: "/m/b.gguf", sizeBytes: 12 },
  ];
  const removed = {
    command: "remove",
    models: ["a", "b"],
    files,
    shared: ["/m/c.gguf"],
    executed: true,
    freedBytes: 1_000_012,
  } as const;
  expect(show(removed)).toEqual([
    "",
    text("Kept /m/c.gguf (another model uses it)", "Removed a, b, 2 files, 1 MB freed"),
  ]);
  expect(show({ ...removed, executed: false, freedBytes: 0, shared: [] })).toEqual([
    text("1 MB  /m/a.gguf", "12 B  /m/b.gguf"),
    text("Nothing was removed (dry run): a, b, 2 files, 1 MB"),
  ]);
});

test("demo tells its steps", () => {
  const steps = [
    { title: "Install over a bad line", ok: true, detail: "3 retries" },
    { title: "Repair", ok: false, detail: "" },
  ];
  expect(show({ command: "demo", steps, elapsedMs: 4_200 })).toEqual([
    "",
    text(
      "✓ Install over a bad line",
      "   3 retries",
      "✗ failed: Repair",
      "1 of 2 steps as they should be, in 4.2s",
    ),
  ]);
});
