import { expect, test } from "bun:test";
import { contentIdentity } from "../../../src/domain/plan.ts";
import { planFile } from "../../support/store-room.ts";

const SHA = "cd".repeat(32);
const hub = { kind: "huggingface", repo: "org/repo", revision: "abc", path: "a/b.gguf" } as const;

test("a published SHA-256 is the identity, wherever the file comes from", () => {
  const digest = { algorithm: "sha256", hex: SHA } as const;
  expect(contentIdentity(planFile({ digest }))).toBe(`sha256:${SHA}`);
  expect(contentIdentity(planFile({ digest, origin: hub }))).toBe(`sha256:${SHA}`);
});

test("without one the place is", () => {
  expect(contentIdentity(planFile())).toBe("url:https://example.com/weights");
  expect(contentIdentity(planFile({ origin: hub }))).toBe("huggingface:org/repo@abc/a/b.gguf");
  // git's digest names a blob, not a file that a mirror would be asked for.
  const digest = { algorithm: "git-sha1", hex: "ab".repeat(20) } as const;
  expect(contentIdentity(planFile({ digest, origin: hub }))).toBe("huggingface:org/repo@abc/a/b.gguf");
  expect(contentIdentity(planFile({ origin: { ...hub, revision: "def" } }))).not.toBe(
    contentIdentity(planFile({ origin: hub })),
  );
});
