// kill -9 at seeded moments of everything that changes the disk: never a wrong file, never more refetched than was
// at risk, and in the end it is as if nothing had been. LUCI_TEST_SEED repeats a run, LUCI_TEST_KILLS makes it
// longer; `npm run soak` does the same for as long as one likes.

import { expect, test } from "bun:test";
import { checkInvariants } from "../support/invariants.ts";
import { saidBytes, vouchedBytes } from "../support/kept-bytes.ts";
import { killStory } from "../support/kill-loop.ts";
import { killRepos, killScenes } from "../support/kill-scenes.ts";
import { brokenPromises, emptyTally } from "../support/kill-tally.ts";
import { ggufFile } from "../support/model-repos.ts";
import { prng } from "../support/prng.ts";
import { fileBytes, openStage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
/** What a kill may cost at most, per file that is on its way. */
const AT_RISK_BYTES = 64 * MIB;

test("200 kills of every command that changes the disk", async () => {
  const random = prng(20_260_101);
  const kills = Number(process.env["LUCI_TEST_KILLS"] ?? 200);
  const tally = emptyTally();
  await using stage = await openStage({
    repos: await killRepos({ largeBytes: 36 * MIB, smallFiles: 12 }),
    pageSize: 10,
  });
  const scenes = await killScenes(stage, random);
  for (let round = 0; tally.kills < kills; round += 1) {
    // Every scene in turn, so that none is left to chance.
    const scene = scenes[round % scenes.length]!;
    await killStory(stage, scene, { random, tally, mostKills: 16 });
    expect([`LUCI_TEST_SEED=${random.seed}`, tally.kills, brokenPromises(tally)]).toEqual([
      `LUCI_TEST_SEED=${random.seed}`,
      tally.kills,
      [],
    ]);
  }
  console.log(`seed ${random.seed}: ${tally.kills} kills`, Object.fromEntries(tally.kinds));
  // Kills that never meet a run at work would prove nothing.
  expect(scenes.filter(({ name }) => !tally.kinds.has(name)).map(({ name }) => name)).toEqual([]);
}, 900_000);

test("kills within one large file cost at most 64 MiB each", async () => {
  const random = prng(20_260_102);
  const kills = 4;
  const file = await ggufFile("large.gguf", 640 * MIB, 5);
  await using stage = await openStage({ repos: [{ name: "org/large", files: [file] }] });
  const args = ["install", "hf:org/large:large.gguf", "--connections"];
  const sizeBytes = stage.hub.filesOf("org/large").get("large.gguf")?.content.sizeBytes ?? 0;
  const costs: number[] = [];
  let keptBytes = 0;
  for (let done = 0; done < kills; done += 1) {
    const child = stage.start([...args, "2", "--json"]);
    const wantedBytes = keptBytes + random.integer(80 * MIB, 140 * MIB);
    // What was served may lie in a socket, as much as the system likes: what has arrived is what luci says.
    await until("so much has arrived", () => saidBytes(child) >= wantedBytes);
    child.kill("SIGKILL");
    expect([random.seed, (await child.ended).signal]).toEqual([random.seed, "SIGKILL"]);
    await checkInvariants(stage.models, stage.hub);
    keptBytes = await vouchedBytes(stage.models);
    costs.push(saidBytes(child) - keptBytes);
  }
  stage.hub.reset();
  expect((await stage.luci([...args, "1"])).exitCode).toBe(0);
  expect((await checkInvariants(stage.models, stage.hub)).finals).toEqual(["large.gguf"]);
  console.log(`seed ${random.seed}: ${kills} kills, ${costs.join(", ")} bytes lost`);
  const dear = costs.filter((costBytes) => costBytes > AT_RISK_BYTES);
  expect([random.seed, dear]).toEqual([random.seed, []]);
  expect(fileBytes(stage.hub)).toBeLessThanOrEqual(sizeBytes - keptBytes);
});
