// The search itself must find: one that finds nothing proves nothing.

import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempHome } from "../../support/temp-home.ts";
import { type Secret, checkNoLeaks, findLeaks } from "../../support/token-search.ts";

const TEXT = "hf_SECRETsecret0123456789";
const SECRET: Secret = { name: "the token", text: TEXT, mayHear: ({ side }) => side === "near" };
const NOWHERE = { requests: [], folder: "/nowhere/at/all", said: {} };
const request = (side: string, raw: string) => ({ side, target: "/m.gguf?a=b", raw });

/** What is found in a folder that holds these files. */
async function leaksIn(files: Readonly<Record<string, string | Uint8Array>>): Promise<string[]> {
  await using home = await tempHome();
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(join(home.path, path, ".."), { recursive: true });
    await writeFile(join(home.path, path), bytes);
  }
  return await findLeaks([SECRET], { ...NOWHERE, folder: home.path });
}

describe("a secret is found", () => {
  test.each([
    ["as it is", `{"headers":"Bearer ${TEXT}"}`],
    ["in the middle of other bytes", Buffer.concat([Buffer.alloc(70_000, 255), Buffer.from(TEXT)])],
    ["percent-encoded", encodeURIComponent(TEXT)],
    ["in hex", Buffer.from(TEXT).toString("hex")],
    ["in UTF-16", Buffer.from(TEXT, "utf16le")],
    ["in base64", Buffer.from(TEXT).toString("base64")],
    ["in base64, one byte later", Buffer.from(`x${TEXT}y`).toString("base64")],
    ["in base64, two bytes later", Buffer.from(`xx${TEXT}yy`).toString("base64url")],
  ])("%s", async (_, bytes) => {
    expect(await leaksIn({ "models/.luci/v1/partials/x.json": bytes })).toHaveLength(1);
  });

  test("in a file's name", async () => {
    expect(await leaksIn({ [`models/${TEXT}.lock`]: "" })).toHaveLength(1);
  });

  test("in what was said, and the message does not say it again", async () => {
    const leaks = await findLeaks([SECRET], { ...NOWHERE, said: { stderr: `failed: ${TEXT}` } });
    expect(leaks).toEqual(["the token is said in stderr"]);
  });

  test("in a request to somebody else, whatever header carries it", async () => {
    const requests = [request("far", `GET / HTTP/1.1\r\nX-Odd: ${TEXT}`)];
    const places = { ...NOWHERE, requests };
    expect(await findLeaks([SECRET], places)).toEqual(["the token went to far/m.gguf?…"]);
    await expect(checkNoLeaks([SECRET], places)).rejects.toThrow("secrets leaked");
  });
});

test("a secret that goes to whom it is for, and nowhere else, is no leak", async () => {
  const requests = [request("near", `authorization: Bearer ${TEXT}`), request("far", "GET / HTTP/1.1")];
  expect(await findLeaks([SECRET], { ...NOWHERE, requests, said: { stdout: "hf_…" } })).toEqual([]);
  expect(await leaksIn({ "models/m.gguf": "weights", "config.toml": "" })).toEqual([]);
});
