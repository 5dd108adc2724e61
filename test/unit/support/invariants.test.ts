// The checker itself must notice: a checker that finds nothing proves nothing.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { startHub } from "../../../src/demo/hub.ts";
import type { Hub } from "../../../src/demo/hub.ts";
import { checkInvariants, inspect } from "../../support/invariants.ts";
import { tempHome } from "../../support/temp-home.ts";

const BYTES = "the model";
const SHA256 = createHash("sha256").update(BYTES).digest("hex");
const OTHER_SHA256 = createHash("sha256").update("other").digest("hex");

let hub: Hub;

beforeAll(async () => {
  const files = [
    { path: "sub/model.gguf", content: BYTES },
    { path: "README.md", content: "other" },
  ];
  hub = await startHub({ repos: [{ name: "org/repo", files }] });
});

afterAll(async () => {
  await hub.stop();
});

async function breachesOf(tree: Record<string, string>): Promise<readonly string[]> {
  await using home = await tempHome();
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(dirname(join(home.models, path)), { recursive: true });
    await writeFile(join(home.models, path), text);
  }
  return (await inspect(home.models, hub)).breaches;
}

function manifest(path: string, sha256: string): string {
  return JSON.stringify({ name: "m", files: [{ path, sizeBytes: BYTES.length, sha256 }] });
}

function journal(ranges: number[][], check?: string): string {
  const body = JSON.stringify({ ranges });
  return `{"check":"${check ?? createHash("sha256").update(body).digest("hex")}","journal":${body}}\n`;
}

describe("checkInvariants", () => {
  test("accepts right finals, manifests and journals", async () => {
    const tree = {
      "model.gguf": BYTES,
      "org--repo/sub/model.gguf": BYTES,
      ".luci/v1/manifests/m.json": manifest("model.gguf", SHA256),
      ".luci/v1/partials/sha256-aa.json": journal([[0, 4]]),
      ".luci/v1/partials/sha256-aa.12.ff.part": "1234",
    };
    expect(await breachesOf(tree)).toEqual([]);
    expect(await breachesOf({})).toEqual([]);
  });

  const final = { "model.gguf": BYTES };
  const wrong: [string, Record<string, string>][] = [
    ["model.gguf (8 bytes", { "model.gguf": "the mode" }],
    ["README.md (9 bytes", { "README.md": BYTES }],
    ["org--repo/model.gguf (9 bytes", { "org--repo/model.gguf": BYTES }],
    ["org--other/sub/model.gguf (9 bytes", { "org--other/sub/model.gguf": BYTES }],
    ["which is missing", { ".luci/v1/manifests/m.json": manifest("model.gguf", SHA256) }],
    ["manifest m.json says", { ...final, ".luci/v1/manifests/m.json": manifest("model.gguf", OTHER_SHA256) }],
    ["names no file", { ...final, ".luci/v1/manifests/m.json": "{}" }],
    ["manifests/m.json cannot be read", { ...final, ".luci/v1/manifests/m.json": '{"name":' }],
    ["does not prove itself", { ".luci/v1/partials/k.json": journal([[0, 4]], "0".repeat(64)) }],
    ["claims 5 bytes", { ".luci/v1/partials/k.json": journal([[0, 5]]), ".luci/v1/partials/k.part": "1234" }],
  ];
  test.each(wrong)("notices: %s", async (sentence, tree) => {
    const breaches = await breachesOf(tree);
    expect(breaches.length).toBe(1);
    expect(breaches[0]).toContain(sentence);
  });

  test("throws with every breach", async () => {
    await using home = await tempHome();
    await mkdir(home.models, { recursive: true });
    await writeFile(join(home.models, "model.gguf"), "wrong");
    const message = await checkInvariants(home.models, hub).then(String, String);
    expect(message).toContain("invariant broken");
  });
});
