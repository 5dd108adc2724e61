// What a hub may answer: listings and revisions that are wrong in every place, too long, too deep, in circles, or
// that say one thing here and another there.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import type { HubRequest } from "../../src/demo/hub-request.ts";
import { ERROR_TABLE, LuciError } from "../../src/domain/errors.ts";
import type { Plan } from "../../src/domain/plan.ts";
import { parseRefs } from "../../src/domain/ref.ts";
import { huggingfaceSource } from "../../src/sources/huggingface.ts";
import { checkInvariants } from "../support/invariants.ts";
import { watchOutside } from "../support/outside.ts";
import { watchMemory } from "../support/peak-memory.ts";
import { type Rig, modelContent, onResolve, openRig } from "../support/rig.ts";
import { startLuci } from "../support/run-luci.ts";
import { filesBelow } from "../support/stage.ts";
import { wrongTexts } from "../support/wrong-values.ts";

const MIB = 1024 * 1024;
const MODEL_BYTES = 40_013;
const content = await modelContent(MODEL_BYTES);
const SHA = "0123456789abcdef0123456789abcdef01234567";
type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
const JSON_TYPE = { headers: { "Content-Type": "application/json" } };

let rig: Rig;
let checkOutside: () => Promise<void>;
beforeAll(async () => {
  rig = await openRig(MODEL_BYTES);
});
beforeEach(async () => {
  await rm(rig.models, { recursive: true, force: true });
  rig.hub.behave({ intercept: null });
  rig.hub.reset();
  checkOutside = await watchOutside(rig.home, rig.models);
});
afterAll(() => rig[Symbol.asyncDispose]());

const LISTED = {
  type: "file",
  path: "m-Q4_0.gguf",
  oid: "a".repeat(40),
  size: MODEL_BYTES,
  lfs: { oid: content.sha256, size: MODEL_BYTES, pointerSize: 130 },
};
const PLAIN = { type: "file", path: "config.json", oid: "b".repeat(40), size: 3 };

/** Answers one kind of request with a text. */
function answer(part: "/tree/" | "/revision/", text: string | (() => Body)): void {
  rig.hub.behave({
    intercept: ({ path }) =>
      path.includes(part) ? new Response(typeof text === "string" ? text : text(), JSON_TYPE) : undefined,
  });
}

/** What becomes of `hf:org/m` and this listing: its plan, or the error in our own words. */
async function resolved(): Promise<Plan | LuciError> {
  const { http, signal } = rig.context({ settings: { retries: 0 } });
  const source = huggingfaceSource({ http, endpoint: rig.hub.url, token: null, allowUnsafe: false });
  const [ref] = parseRefs(["hf:org/m"]);
  try {
    return await source.resolve(ref!, { signal });
  } catch (error) {
    if (!(error instanceof LuciError)) throw error;
    return error;
  }
}

/** A plan is sound, or the error has a code of the table that is not a bug, and a message of bounded length. */
function expectJudged(outcome: Plan | LuciError, what: string): void {
  if (outcome instanceof LuciError) {
    expect(Object.keys(ERROR_TABLE), what).toContain(outcome.code);
    expect(outcome.code, `${what}: ${outcome.message}`).not.toBe("E_INTERNAL");
    expect(outcome.message.length, what).toBeLessThan(1_000);
    return;
  }
  expect(outcome.revision, what).toMatch(/^[0-9a-f]{40}$/);
  for (const { path, sizeBytes, digest } of outcome.files) {
    expect(typeof path, what).toBe("string");
    expect(Number.isSafeInteger(sizeBytes) && sizeBytes! >= 0, what).toBe(true);
    expect(digest?.hex, what).toMatch(digest?.algorithm === "sha256" ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/);
  }
}

describe("every value of an answer, wrong in every way", () => {
  test("a revision", async () => {
    for (const { what, text } of wrongTexts({ sha: SHA, gated: false, siblings: [{ rfilename: "x" }] })) {
      answer("/revision/", text);
      expectJudged(await resolved(), what);
    }
  });

  test("a page of the list", async () => {
    for (const { what, text } of wrongTexts([LISTED, PLAIN])) {
      answer("/tree/", text);
      expectJudged(await resolved(), what);
    }
    // A prototype that was let in would show everywhere.
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("digests and sizes", () => {
  const withDigest = (oid: unknown) => ({ ...LISTED, lfs: { ...LISTED.lfs, oid } });
  const withSize = (size: string) =>
    JSON.stringify([withDigest(content.sha256)]).replaceAll(`${MODEL_BYTES}`, size);
  const digests: [string, unknown][] = [
    ["too short", "a".repeat(63)],
    ["too long", "a".repeat(65)],
    ["in capitals", content.sha256.toUpperCase()],
    ["no hexadecimal", "g".repeat(64)],
    ["a path", `../../${"a".repeat(58)}`],
    ["with its algorithm before it", `sha256:${content.sha256}`],
    ["empty", ""],
    ["ended by a newline", `${content.sha256}\n`],
    ["a list of one", [content.sha256]],
  ];
  test.each(digests)("a digest that is %s", async (_, oid) => {
    answer("/tree/", JSON.stringify([withDigest(oid)]));
    const outcome = await resolved();
    expect(outcome).toMatchObject({ code: "E_MALFORMED" });
    expect(await filesBelow(rig.models)).toEqual([]);
  });

  test.each(["9223372036854775808", "-1", "1e999", '"12"', "0.5", "null", "9007199254740992", "[]", "true"])(
    "a size of %s",
    async (size) => {
      answer("/tree/", withSize(size));
      expect(await resolved()).toMatchObject({ code: "E_MALFORMED" });
    },
  );

  test("a size of NaN, which is no JSON", async () => {
    answer("/tree/", withSize("NaN"));
    expect(await resolved()).toMatchObject({ code: "E_MALFORMED" });
  });

  test("a size of 0 for a file that has bytes", async () => {
    answer("/tree/", withSize("0"));
    const run = await rig.install({ refs: ["hf:org/m"], settings: { retries: 0 } });
    expect(["E_SIZE", "E_DIGEST", "E_MALFORMED"]).toContain(run.error?.code ?? "nothing");
    expect((await checkInvariants(rig.models, rig.hub)).finals).toEqual([]);
    await checkOutside();
  });

  test.each([
    ["the same twice", [LISTED, LISTED]],
    ["with two digests", [LISTED, withDigest("f".repeat(64))]],
    ["with two sizes", [LISTED, { ...LISTED, lfs: { ...LISTED.lfs, size: 7 } }]],
    ["once as a file of git", [LISTED, { ...PLAIN, path: LISTED.path }]],
  ])("one name %s", async (_, entries) => {
    answer("/tree/", JSON.stringify(entries));
    const outcome = await resolved();
    expect(outcome).toMatchObject({ code: "E_MALFORMED" });
    expect((outcome as LuciError).message).toContain('"m-Q4_0.gguf" twice');
  });
});

describe("a listing and the file it speaks of", () => {
  test.each([
    ["size in the header", "E_SIZE", { "X-Linked-Size": String(MODEL_BYTES + 1) }],
    ["digest in the header", "E_CHANGED", { "X-Linked-Etag": `"${"f".repeat(64)}"` }],
  ])("that disagree in the %s are not installed", async (_, code, headers) => {
    rig.hub.behave({ intercept: onResolve(() => ({ headers })) });
    const run = await rig.install({ settings: { retries: 0 } });
    expect(run.error?.code).toBe(code as "E_SIZE");
    expect((await checkInvariants(rig.models, rig.hub)).finals).toEqual([]);
    await checkOutside();
  });

  test.each(["not a digest", `"${"F".repeat(64)}"`, `W/"${"f".repeat(64)}"`, `"${"f".repeat(63)}/"`])(
    "with the header %s are judged by the listing's digest",
    async (etag) => {
      rig.hub.behave({ intercept: onResolve(() => ({ headers: { "X-Linked-Etag": etag } })) });
      expect((await rig.install()).error).toBeNull();
      expect(await rig.finalSha256()).toBe(content.sha256);
    },
  );

  test("are those of one commit, whatever the branch does meanwhile", async () => {
    const pinned = rig.hub.commitOf("org/m");
    const newer = await modelContent(MODEL_BYTES + 2);
    let moved = false;
    rig.hub.behave({
      intercept: ({ path }) => {
        if (path.includes("/resolve/") && !moved) {
          moved = true;
          rig.hub.publish({ name: "org/m", files: [{ path: "m-Q4_0.gguf", content: newer }] });
        }
        return undefined;
      },
    });
    const run = await rig.install();
    expect(run.result?.installed[0]).toMatchObject({ revision: pinned });
    expect(await rig.finalSha256()).toBe(content.sha256);
    expect(rig.hub.log(({ path }) => path.includes("/resolve/main/"))).toEqual([]);

    // The name keeps its version until somebody asks for another, and then that is said.
    expect((await rig.install()).result?.installed[0]).toMatchObject({ already: true, revision: pinned });
    const forced = await rig.install({ force: true });
    expect(forced.result?.installed[0]?.revision).toBe(rig.hub.commitOf("org/m"));
    const said = forced.events.flatMap((event) => (event.type === "notice" ? [event.message] : []));
    expect(said.join()).toContain("installed in another version");
    expect(await rig.finalSha256()).toBe(newer.sha256);
    rig.hub.publish({ name: "org/m", files: [{ path: "m-Q4_0.gguf", content }] });
  });
});

describe("pages", () => {
  const next = (target: string) => ({
    headers: { "Content-Type": "application/json", Link: `<${target}>; rel="next"` },
  });
  const paged = (link: (request: HubRequest, count: number) => string | null): void => {
    let count = 0;
    rig.hub.behave({
      intercept: (request) => {
        if (!request.path.includes("/tree/")) return undefined;
        count += 1;
        const target = link(request, count);
        const page = JSON.stringify([{ ...LISTED, path: `f${count}.gguf` }]);
        return new Response(page, target === null ? JSON_TYPE : next(target));
      },
    });
  };

  test.each([
    ["another host", "https://evil.example/api/models/org/m/tree/x"],
    ["another port", "http://127.0.0.1:1/api"],
    ["another scheme", "file:///etc/passwd"],
    ["data", "data:application/json,[]"],
    ["a script", "javascript:alert(1)"],
    ["a host without a scheme", "//evil.example/x"],
    ["nonsense", "http://[::bad"],
  ])("that go on at %s are refused, and nobody there is asked", async (_, target) => {
    paged(() => target);
    expect(await resolved()).toMatchObject({ code: "E_MALFORMED" });
    expect(rig.hub.log(({ path }) => path.includes("/tree/"))).toHaveLength(1);
  });

  test("that lead back to themselves end at once", async () => {
    paged(({ path }) => `${rig.hub.url}${path}?recursive=true`);
    expect(await resolved()).toMatchObject({ code: "E_MALFORMED" });
    expect(rig.hub.log(({ path }) => path.includes("/tree/")).length).toBeLessThan(4);
  });

  test("that never end are ended", async () => {
    paged(({ path }, count) => `${rig.hub.url}${path}?cursor=${count}`);
    expect(await resolved()).toMatchObject({ code: "E_MALFORMED" });
    expect(rig.hub.log(({ path }) => path.includes("/tree/")).length).toBeLessThan(1_100);
  });

  test("of folders only count too", async () => {
    const folders = Array.from({ length: 50_000 }, (_, index) => ({ type: "directory", path: `d${index}` }));
    const page = JSON.stringify(folders);
    let count = 0;
    rig.hub.behave({
      intercept: ({ path }) => {
        if (!path.includes("/tree/")) return undefined;
        count += 1;
        return new Response(page, next(`${rig.hub.url}${path}?cursor=${count}`));
      },
    });
    expect(await resolved()).toMatchObject({ code: "E_MALFORMED" });
    expect(count).toBeLessThan(5);
  });
});

const ENOUGH_BYTES = 64 * MIB;

/** Says the same for far longer than anybody should listen. */
function endless(text: string): ReadableStream<Uint8Array> {
  const piece = new TextEncoder().encode(text.repeat(Math.ceil(65_536 / text.length)));
  let sentBytes = 0;
  return new ReadableStream({
    pull: (controller) => {
      sentBytes += piece.length;
      if (sentBytes > ENOUGH_BYTES) controller.close();
      else controller.enqueue(piece);
    },
  });
}

const TEXTS: Readonly<Record<string, () => Body>> = {
  nothing: () => "",
  "a page for people": () => "<!doctype html><title>Sign in</title>",
  "a mark of byte order and nothing": () => "\ufeff",
  "no UTF-8": () => new Uint8Array([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]),
  "half of a list": () => "[{",
  "two values": () => "[][]",
  "a huge number": () => `[${"9".repeat(1_000_000)}]`,
  "a million brackets": () => "[".repeat(1_000_000),
  "a million brackets that match": () => "[".repeat(1_000_000) + "]".repeat(1_000_000),
  "a million objects in each other": () => '{"a":'.repeat(1_000_000),
  "a million small files": () => `[${'{"path":""},'.repeat(1_000_000)}{}]`,
  "a million keys": () =>
    `{${Array.from({ length: 1_000_000 }, (_, index) => `"${index.toString(36)}x":0`).join(",")}}`,
  "one key a million times": () => `{${'"a":0,'.repeat(1_000_000)}"a":0}`,
  "a text of 15 MB": () => `["${"x".repeat(15_000_000)}"]`,
  "spaces without end": () => endless(" "),
  "brackets without end": () => endless("["),
  "files without end": () => endless('{"type":"file","path":"x"},'),
};

describe.skipIf(process.platform !== "linux")("instead of a list", () => {
  test.each(Object.keys(TEXTS))("%s is refused, in little memory and time", async (name) => {
    answer("/tree/", TEXTS[name]!);
    const child = startLuci(["install", "hf:org/m"], { home: rig.home, hub: rig.hub });
    const run = await watchMemory(child);
    expect([run.exitCode, run.stderr]).toEqual([10, run.stderr]);
    expect(run.stderr).toMatch(/^error: /);
    expect(run.stderr.length).toBeLessThan(1_000);
    expect(run.peakBytes).toBeLessThan(200 * MIB);
    expect(rig.hub.servedBytes()).toBeLessThan(40 * MIB);
    expect(await filesBelow(rig.models)).toEqual([]);
    await checkOutside();
  });
});
