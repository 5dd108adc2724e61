// kill -9 at seeded moments of an install, again and again: never a wrong file, never more refetched than was
// at risk, and in the end it is installed. LUCI_TEST_SEED repeats a run, LUCI_TEST_KILLS makes it longer.

import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { RunningChild } from "../../src/demo/child.ts";
import type { HubFile } from "../../src/demo/hub-repo.ts";
import { checkInvariants } from "../support/invariants.ts";
import { ggufFile } from "../support/model-repos.ts";
import { prng } from "../support/prng.ts";
import type { Prng } from "../support/prng.ts";
import { fileBytes, filesBelow, isFileRequest, openStage } from "../support/stage.ts";
import type { Stage } from "../support/stage.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** What a kill may cost at most, per file that is on its way (DESIGN, promise 2). */
const AT_RISK_BYTES = 64 * MIB;
/** Small files run sixteen at once. */
const FILES_AT_ONCE = 16;

/** Small files in folders: each is fetched in one go, or not at all. */
async function manyFiles(): Promise<HubFile[]> {
  const weights = Array.from({ length: 20 }, (_, index) =>
    ggufFile(`part/${index % 3}/w${index}.gguf`, 600 * KIB + index, 100 + index),
  );
  const texts = ["config.json", "tokenizer/vocab.json", "tokenizer/deep/merges.txt"];
  return [...(await Promise.all(weights)), ...texts.map((path) => ({ path, content: `{"of":"${path}"}\n` }))];
}

/** The moment of a kill: a delay, or shortly after so many events of a kind were seen. */
async function moment(child: RunningChild, random: Prng): Promise<void> {
  const [event, most] = random.pick([
    ["", 0],
    ["", 0],
    ["file.started", 8],
    ["file.done", 8],
    ["model.ready", 1],
  ] as const);
  const delayMs = event === "" ? random.integer(0, 400) : random.integer(0, 12);
  const count = random.integer(1, most + 1);
  const ended = child.ended.then(() => "ended" as const);
  for (let seen = 0; event !== "" && seen < count;) {
    if ((await Promise.race([wait(1), ended])) === "ended") return;
    seen = child.output().stdout.split(`"type":"${event}"`).length - 1;
  }
  await Promise.race([wait(delayMs), ended]);
}

/** Kills one run at a random moment. Answers whether it was still at work. */
async function killOnce(stage: Stage, args: readonly string[], random: Prng): Promise<boolean> {
  const child = stage.start([...args, "--json"]);
  await moment(child, random);
  child.kill("SIGKILL");
  const { exitCode, signal, stderr } = await child.ended;
  if (signal === "SIGKILL") return true;
  expect([exitCode, stderr]).toEqual([0, ""]);
  return false;
}

test("200 kills over installs of a repository", async () => {
  const random = prng(20_260_101);
  const kills = Number(process.env["LUCI_TEST_KILLS"] ?? 200);
  const files = await manyFiles();
  await using stage = await openStage({
    repos: [{ name: "org/many", files }],
    pageSize: 10,
    rateBytesPerSec: 8 * MIB,
  });
  const sizes = [...stage.hub.filesOf("org/many").values()].map(({ content }) => content.sizeBytes);
  const totalBytes = sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  const atRiskBytes = FILES_AT_ONCE * Math.max(...sizes);
  const args = ["install", "hf:org/many"];
  let done = 0;
  let installs = 0;
  try {
    while (done < kills) {
      const killed = await killOnce(stage, args, random);
      if (killed) done += 1;
      const { models } = await checkInvariants(stage.models, stage.hub);
      if (killed && models.length === 0) continue;
      // Published, or ended before its kill: the next round begins from nothing.
      expect((await stage.luci(["verify"])).exitCode).toBe(0);
      await rm(stage.models, { recursive: true });
      installs += 1;
    }
    const last = await stage.luci(args);
    expect([last.exitCode, await checkInvariants(stage.models, stage.hub)]).toMatchObject([
      0,
      { models: ["org/many"] },
    ]);
    installs += 1;
    await stage.luci(["cleanup", "--yes"]);
    expect(await filesBelow(stage.partials)).toEqual([]);
    const lostBytes = fileBytes(stage.hub) - installs * totalBytes;
    console.log(`seed ${random.seed}: ${done} kills, ${installs} installs, ${lostBytes} bytes refetched`);
    expect(lostBytes).toBeLessThanOrEqual(done * atRiskBytes);
    // Progress has to survive kills: without it none of them would ever have come to its end.
    expect(installs).toBeGreaterThan(done / 40);
  } catch (error) {
    throw new Error(`after ${done} kills with LUCI_TEST_SEED=${random.seed}`, { cause: error });
  }
}, 240_000);

test("kills within one large file cost at most 64 MiB each", async () => {
  const random = prng(20_260_102);
  const kills = 6;
  const file = await ggufFile("large.gguf", 800 * MIB, 5);
  await using stage = await openStage({ repos: [{ name: "org/large", files: [file] }] });
  // Few connections: what lies in socket buffers was served but has not arrived, and cannot be kept.
  const args = ["install", "hf:org/large:large.gguf", "--connections", "2"];
  const sizeBytes = stage.hub.filesOf("org/large").get("large.gguf")?.content.sizeBytes ?? 0;
  for (let done = 0; done < kills; done += 1) {
    const child = stage.start(args);
    const more = fileBytes(stage.hub) + random.integer(80 * MIB, 160 * MIB);
    await stage.hub.whenServed(more, { filter: isFileRequest, signal: AbortSignal.timeout(30_000) });
    child.kill("SIGKILL");
    expect([random.seed, (await child.ended).signal]).toEqual([random.seed, "SIGKILL"]);
    await checkInvariants(stage.models, stage.hub);
  }
  expect((await stage.luci(args)).exitCode).toBe(0);
  expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["large.gguf"]);
  const lostBytes = fileBytes(stage.hub) - sizeBytes;
  console.log(`seed ${random.seed}: ${kills} kills, ${lostBytes} bytes refetched`);
  expect([random.seed, lostBytes <= kills * AT_RISK_BYTES]).toEqual([random.seed, true]);
});
