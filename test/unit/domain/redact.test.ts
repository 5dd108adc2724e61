// Secrets that a bug's message or stack may carry.

import { expect, test } from "bun:test";
import { redactText } from "../../../src/domain/redact.ts";

test.each([
  ["GET https://cdn.example/a/b?Signature=abc&Policy=x failed", "GET https://cdn.example/a/b?… failed"],
  ['"https://ada:hunter2@hub.example/a": refused', '"https://hub.example/a": refused'],
  ["http://ada@127.0.0.1:80/?t=1", "http://127.0.0.1:80/?…"],
  ["authorization: Bearer abc.def-123", "authorization: Bearer …"],
  ["token hf_AbCdEfGh123 refused", "token hf_… refused"],
  ["    at install (/src/app/install.ts:12:3)", "    at install (/src/app/install.ts:12:3)"],
  ["is it there? yes", "is it there? yes"],
  ["", ""],
] as const)("%s", (text, want) => {
  expect(redactText(text)).toBe(want);
});
