import { describe, expect, test } from "bun:test";
import type { CatalogText } from "../../../src/sources/catalog.ts";
import { loadCatalog } from "../../../src/sources/catalog.ts";

interface Extra {
  readonly aliases?: string[];
  readonly tier?: number;
  readonly repo?: string;
  readonly [key: string]: unknown;
}

function model(name: string, { repo = "me/mine", ...more }: Extra = {}) {
  return { name, tier: 1, ...more, source: { hub: "huggingface", repo, files: [{ path: "x.gguf" }] } };
}

function catalogFile(models: unknown[], more: object = {}): CatalogText {
  return { path: "/mine.json", text: JSON.stringify({ version: 1, models, ...more }) };
}

const builtIn = loadCatalog({ files: [] });

describe("the built-in catalog", () => {
  test("knows its models by name and alias, in any case", () => {
    expect(builtIn.find("llama3.2")?.source.repo).toContain("Llama-3.2");
    expect(builtIn.find("TINY")?.name).toBe("tinyllama");
    expect(builtIn.find("mistral-7b")?.name).toBe("mistral");
    expect(builtIn.find("nonesuch")).toBeNull();
  });

  test("has its groups and tiers", () => {
    expect(builtIn.group("core").map((one) => one.name)).toEqual([
      "tinyllama",
      "llama3.2",
      "mistral",
      "deepseek-coder",
    ]);
    expect(builtIn.group("all")).toHaveLength(121);
    expect([0, 1, 2, 3, 4, 5].map((tier) => builtIn.tier(tier).length)).toEqual([30, 20, 27, 35, 9, 0]);
  });

  test("pins every core model entirely", () => {
    for (const { source } of builtIn.group("core")) {
      expect(source.revision).toMatch(/^[0-9a-f]{40}$/);
      for (const file of source.files) {
        expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(file.size).toBeGreaterThan(0);
      }
    }
  });

  test("shows entries, sizes only where all are known", () => {
    const entries = new Map(builtIn.entries().map((entry) => [entry.name, entry]));
    expect(entries.get("tinyllama")).toMatchObject({
      core: true,
      sizeBytes: 668_788_096,
      aliases: ["tiny", "tinyllama-1.1b"],
    });
    expect(entries.get("mixtral-8x22b")).toMatchObject({ core: false, sizeBytes: null });
  });

  test.each([
    ["mistrl", "mistral"],
    ["tinylama", "tinyllama"],
    ["llama3.", "llama3.2"],
  ])("suggests for %s", (typed, expected) => {
    const suggestions = builtIn.suggest(typed);
    expect(suggestions).toContain(expected);
    expect(suggestions.length).toBeLessThanOrEqual(3);
  });

  test("suggests a model once", () => {
    const models = builtIn.suggest("llama").map((name) => builtIn.find(name)?.name);
    expect(new Set(models).size).toBe(3);
  });

  test("suggests nothing for what resembles nothing", () => {
    expect(builtIn.suggest("zzzzzzzz")).toEqual([]);
  });
});

describe("a user's catalog", () => {
  test("wins by name, and its own name by what was an alias", () => {
    const catalog = loadCatalog({ files: [catalogFile([model("llama3.2"), model("tiny")])] });
    expect(catalog.find("llama3.2")?.source.repo).toBe("me/mine");
    expect(catalog.find("tiny")?.source.repo).toBe("me/mine");
    expect(catalog.find("tinyllama")?.aliases).toEqual(["tinyllama-1.1b"]);
    expect(catalog.names().filter((name) => name === "llama3.2")).toHaveLength(1);
    expect(catalog.group("core").map((one) => one.source.repo)).toContain("me/mine");
    expect(catalog.group("all")).toHaveLength(122);
  });

  test("wins by alias: a model whose name is taken is gone, with its other names", () => {
    const catalog = loadCatalog({ files: [catalogFile([model("mine", { aliases: ["tinyllama"] })])] });
    expect(catalog.find("tinyllama")?.name).toBe("mine");
    expect(catalog.find("tiny")).toBeNull();
    expect(catalog.group("core").map((one) => one.name)).toContain("mine");
  });

  test("the first file is the strongest", () => {
    const files = [
      catalogFile([model("a", { repo: "first/x" })]),
      catalogFile([model("a", { repo: "second/x" })]),
    ];
    expect(loadCatalog({ files }).find("a")?.source.repo).toBe("first/x");
  });

  test("may name its own core models", () => {
    const files = [catalogFile([model("a")], { groups: { core: ["a", "mistral"] } })];
    expect(
      loadCatalog({ files })
        .group("core")
        .map((one) => one.name),
    ).toEqual(["a", "mistral"]);
  });

  test("needs a name, a tier, a repository and paths, no more", () => {
    const found = loadCatalog({ files: [catalogFile([model("a")])] }).find("a");
    expect(found).toMatchObject({ kind: "text", license: null, aliases: [], source: { revision: null } });
    expect(found?.source.files).toEqual([{ path: "x.gguf", size: null, sha256: null }]);
  });

  const file = (more: object) => [
    { ...model("a"), source: { hub: "huggingface", repo: "o/r", files: [{ path: "x", ...more }] } },
  ];
  test.each([
    ["not JSON", { path: "/mine.json", text: "{" }],
    ["another version", catalogFile([], { version: 2 })],
    ["a name in capitals", catalogFile([model("A")])],
    ["no tier", catalogFile([{ ...model("a"), tier: undefined }])],
    ["an unsafe path", catalogFile(file({ path: "../x" }))],
    ["a bad digest", catalogFile(file({ sha256: "abc" }))],
    ["a negative size", catalogFile(file({ size: -1 }))],
    ["a size beyond counting", catalogFile(file({ size: 2 ** 60 }))],
    ["a size as text", catalogFile(file({ size: "12" }))],
    ["a bad repository", catalogFile([model("a", { repo: "../x" })])],
    ["a name twice", catalogFile([model("a"), model("b", { aliases: ["a"] })])],
    ["an unknown core model", catalogFile([], { groups: { core: ["nonesuch"] } })],
  ])("with %s is refused", (_, text) => {
    expect(() => loadCatalog({ files: [text] })).toThrow(expect.objectContaining({ code: "E_CONFIG" }));
  });

  test("is refused with its path and place", () => {
    expect(() => loadCatalog({ files: [catalogFile(file({ size: -1 }))] })).toThrow(
      /\/mine\.json.*models\.0\.source\.files\.0\.size/,
    );
  });
});
