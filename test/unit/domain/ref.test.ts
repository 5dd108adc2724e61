import { describe, expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import type { Ref } from "../../../src/domain/ref.ts";
import { formatRef, parseRefs } from "../../../src/domain/ref.ts";

const SHA = "ab".repeat(32);
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

function hf(repo: string, more: { revision?: string; select?: string } = {}): Ref {
  return { kind: "huggingface", repo, revision: more.revision ?? null, select: more.select ?? null };
}

const core: Ref = { kind: "group", group: "core" };
const all: Ref = { kind: "group", group: "all" };

describe("words", () => {
  test.each<[string, Ref[]]>([
    ["llama3.2", [{ kind: "name", name: "llama3.2" }]],
    ["Mistral", [{ kind: "name", name: "mistral" }]],
    ["core", [core]],
    ["core models", [core]],
    ["Core Models", [core]],
    ["essentials", [core]],
    ["all", [all]],
    ["all models", [all]],
    ["everything", [all]],
    ["all-minilm", [{ kind: "name", name: "all-minilm" }]],
    ["tier 2", [{ kind: "tier", tier: 2 }]],
    ["tier2", [{ kind: "tier", tier: 2 }]],
    ["tier-2", [{ kind: "tier", tier: 2 }]],
    ["tier 0 models", [{ kind: "tier", tier: 0 }]],
    [
      "mistral core models tier 1 phi",
      [{ kind: "name", name: "mistral" }, core, { kind: "tier", tier: 1 }, { kind: "name", name: "phi" }],
    ],
    ["core all", [core, all]],
    ["mistral MISTRAL core essentials", [{ kind: "name", name: "mistral" }, core]],
  ])("%s", (text, refs) => {
    expect(parseRefs(text.split(" "))).toEqual(refs);
    expect(parseRefs([text])).toEqual(refs);
  });
});

describe("hub repositories", () => {
  test.each<[string, Ref]>([
    ["hf:org/repo", hf("org/repo")],
    ["hf:org/repo/", hf("org/repo")],
    ["HF:org/repo", hf("org/repo")],
    ["hf://org/repo", hf("org/repo")],
    ["huggingface:org/repo", hf("org/repo")],
    ["hf:gpt2", hf("gpt2")],
    ["hf:org/repo@v1.0", hf("org/repo", { revision: "v1.0" })],
    ["hf:org/repo@refs/pr/3", hf("org/repo", { revision: "refs/pr/3" })],
    ["hf:org/repo:Q4_K_M", hf("org/repo", { select: "Q4_K_M" })],
    ["hf:org/repo:a/b@c.gguf", hf("org/repo", { select: "a/b@c.gguf" })],
    [`hf:org/repo@${COMMIT}:sub/x.gguf`, hf("org/repo", { revision: COMMIT, select: "sub/x.gguf" })],
    ["hf.co/org/repo:Q8_0", hf("org/repo", { select: "Q8_0" })],
    ["https://huggingface.co/org/repo", hf("org/repo")],
    ["https://huggingface.co/org/repo/", hf("org/repo")],
    ["https://huggingface.co/org/repo?show_file_info=x.gguf", hf("org/repo", { select: "x.gguf" })],
    ["https://hf.co/gpt2", hf("gpt2")],
    ["https://huggingface.co/gpt2/tree/main", hf("gpt2")],
    ["https://huggingface.co/org/repo/tree/v2", hf("org/repo", { revision: "v2" })],
    ["https://huggingface.co/org/repo/tree/refs%2Fpr%2F3", hf("org/repo", { revision: "refs/pr/3" })],
    [
      "https://huggingface.co/org/repo/blob/refs/pr/3/x.gguf",
      hf("org/repo", { revision: "refs/pr/3", select: "x.gguf" }),
    ],
    ["https://huggingface.co/org/repo/blob/main/a/x%20y.gguf", hf("org/repo", { select: "a/x y.gguf" })],
    [
      "https://huggingface.co/org/repo/resolve/main/x.gguf?download=true",
      hf("org/repo", { select: "x.gguf" }),
    ],
    [
      `https://huggingface.co/gpt2/resolve/${COMMIT}/x.gguf`,
      hf("gpt2", { revision: COMMIT, select: "x.gguf" }),
    ],
    ["huggingface.co/org/repo/blob/main/x.gguf", hf("org/repo", { select: "x.gguf" })],
  ])("%s", (text, ref) => {
    expect(parseRefs([text])).toEqual([ref]);
    expect(parseRefs([formatRef(ref)])).toEqual([ref]);
  });

  test("pages of the hub in use are understood, with its path", () => {
    const hubEndpoint = "http://127.0.0.1:9/hub";
    expect(parseRefs(["http://127.0.0.1:9/hub/org/repo/blob/v1/x.gguf"], { hubEndpoint })).toEqual([
      hf("org/repo", { revision: "v1", select: "x.gguf" }),
    ]);
    expect(parseRefs(["http://127.0.0.1:8/org/repo"], { hubEndpoint })[0]?.kind).toBe("url");
  });
});

describe("addresses", () => {
  test.each<[string, string, string | null]>([
    ["https://example.org/x.gguf", "https://example.org/x.gguf", null],
    [`https://example.org/x.gguf#sha256=${SHA.toUpperCase()}`, "https://example.org/x.gguf", SHA],
    ["http://127.0.0.1:8080/x.gguf", "http://127.0.0.1:8080/x.gguf", null],
    [
      `https://huggingface.co/o/r/resolve/main/x.gguf#sha256=${SHA}`,
      "https://huggingface.co/o/r/resolve/main/x.gguf",
      SHA,
    ],
  ])("%s", (text, url, sha256) => {
    expect(parseRefs([text])).toEqual([{ kind: "url", url, sha256 }]);
  });

  test("a signature is kept for fetching and left out of the text", () => {
    const [ref] = parseRefs([
      `https://example.org/x.gguf?v=2&X-Amz-Signature=secret&Expires=9#sha256=${SHA}`,
    ]);
    expect(ref).toMatchObject({ url: "https://example.org/x.gguf?v=2&X-Amz-Signature=secret&Expires=9" });
    expect(formatRef(ref!)).toBe(`https://example.org/x.gguf?v=2#sha256=${SHA}`);
  });
});

describe("a login in an address", () => {
  test.each([
    "https://ada:hush@example.org/x.gguf",
    "https://ada@example.org/x.gguf",
    "https://:hush@example.org/x.gguf#sha256=" + "a".repeat(64),
    "HTTPS://ada:hu%40sh@huggingface.co/org/repo",
    "http://ada:hush@127.0.0.1:8/x.gguf",
    // No address at all, for the slash: it is not shown either.
    "https://ada:hush/hush@example.org/x.gguf",
  ])("is refused and not repeated: %s", (text) => {
    const error = refusal(() => parseRefs([text]));
    expect(error.code).toBe("E_REF_SYNTAX");
    expect(`${error.message} ${error.hint}`).not.toMatch(/ada|hush|hu%40sh/);
  });

  test("says what to do instead", () => {
    const error = refusal(() => parseRefs(["https://ada:hush@example.org/x.gguf"]));
    expect(error.message).toContain("https://example.org/x.gguf");
    expect(error.hint).toContain("kept nowhere");
  });
});

function refusal(act: () => unknown): LuciError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof LuciError) return thrown;
  }
  throw new Error("nothing was refused");
}

describe("refusals", () => {
  test.each([
    ["", "E_REF_SYNTAX"],
    ["models", "E_REF_SYNTAX"],
    ["tier", "E_REF_SYNTAX"],
    ["tier x", "E_REF_SYNTAX"],
    ["a\u0000b", "E_REF_SYNTAX"],
    ["lla\nma", "E_REF_SYNTAX"],
    ["-rf", "E_REF_SYNTAX"],
    ["x".repeat(200), "E_REF_SYNTAX"],
    ["hf:", "E_REF_SYNTAX"],
    ["hf:org/", "E_REF_SYNTAX"],
    ["hf:/etc/passwd", "E_REF_SYNTAX"],
    ["hf:org/repo:", "E_REF_SYNTAX"],
    ["hf:org/repo@", "E_REF_SYNTAX"],
    ["hf:org/repo@a..b", "E_REF_SYNTAX"],
    ["hf:org/re--po", "E_REF_SYNTAX"],
    ["hf:org/repo/file.gguf", "E_REF_SYNTAX"],
    ["hf:org/repo?x=1", "E_REF_SYNTAX"],
    ["hf:../../etc", "E_UNSAFE_PATH"],
    ["hf:org/..", "E_UNSAFE_PATH"],
    ["hf:org/repo:../x.gguf", "E_UNSAFE_PATH"],
    ["hf:org/repo:/etc/passwd", "E_UNSAFE_PATH"],
    ["hf:org/repo:a\\b", "E_UNSAFE_PATH"],
    ["https://huggingface.co/org/repo/blob/main/..%2F..%2Fx.gguf", "E_UNSAFE_PATH"],
    ["https://huggingface.co/org/repo/tree/main/folder", "E_REF_SYNTAX"],
    ["https://huggingface.co/org/repo/blob/main", "E_REF_SYNTAX"],
    ["https://huggingface.co/datasets/org/data", "E_REF_SYNTAX"],
    ["https://huggingface.co/", "E_REF_SYNTAX"],
    ["https://huggingface.co/org/%ff", "E_REF_SYNTAX"],
    ["https://", "E_REF_SYNTAX"],
    ["https://example.org/x#sha256=12", "E_REF_SYNTAX"],
    ["http://example.org/x.gguf", "E_UNSAFE_URL"],
    ["http://127.0.0.1.example.org/x.gguf", "E_UNSAFE_URL"],
    ["file:///etc/passwd", "E_REF_SYNTAX"],
    ["ollama:llama3", "E_REF_SYNTAX"],
    ["oci://host/repo:tag", "E_REF_SYNTAX"],
    ["org/repo", "E_REF_SYNTAX"],
  ])("%j is %s", (text, code) => {
    const parse = () => parseRefs([text]);
    expect(parse).toThrow(LuciError);
    try {
      parse();
    } catch (error) {
      expect((error as LuciError).code).toBe(code as LuciError["code"]);
    }
  });

  test("say what to type instead", () => {
    const hintOf = (text: string) => {
      try {
        return JSON.stringify(parseRefs([text]));
      } catch (error) {
        return `${(error as LuciError).message} ${(error as LuciError).hint}`;
      }
    };
    expect(hintOf("org/repo:Q4_0")).toContain("hf:org/repo:Q4_0");
    expect(hintOf("hf:org/repo/a/b.gguf")).toContain("hf:org/repo:a/b.gguf");
    expect(hintOf("ollama:llama3")).toContain("does not know `ollama:`");
    expect(hintOf("https://u:secret@[/x")).not.toContain("secret");
  });
});
