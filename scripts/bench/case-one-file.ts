// Cases a, b, c: one large file, downloaded and verified, unthrottled and with a limit for each connection.

import {
  ariaOne,
  curlOne,
  hfDownload,
  huggingfaceJs,
  ipull,
  luciByUrl,
  present,
  wget2One,
} from "./commands.ts";
import { FLOOR_INTRO, floorOne } from "./floor-rows.ts";
import { oneFile } from "./data.ts";
import { type BenchCase, type Lab, loadOf, race, roundsOf } from "./lab.ts";
import { memoryGoal, raceTable, wallGoal } from "./race.ts";
import type { Section } from "./report.ts";

const TIMEOUT_MS = 180_000;
const REFERENCE = "curl -o";
const ARIA_16 = ["-x16", "-s16"];
const ARIA_16_NAME = "aria2c -x16 -s16";

/** 1 GiB, unthrottled. */
export const oneGib: BenchCase = {
  id: "a",
  sets: (quick) => [oneFile(quick ? 256 : 1024)],
  run: (lab) => unthrottled(lab, { mib: lab.options.quick ? 256 : 1024, rounds: { full: 5, quick: 2 } }),
};

/** 4 GiB, unthrottled. */
export const fourGib: BenchCase = {
  id: "b",
  sets: (quick) => [oneFile(quick ? 512 : 4096)],
  run: (lab) => unthrottled(lab, { mib: lab.options.quick ? 512 : 4096, rounds: { full: 2, quick: 1 } }),
};

/** 1 GiB with 20 MiB/s for each connection; 256 MiB with 2 MiB/s. */
export const throttled: BenchCase = {
  id: "c",
  sets: (quick) => throttledSets(quick).map(({ mib }) => oneFile(mib)),
  run: runThrottled,
};

async function unthrottled(
  lab: Lab,
  options: { mib: number; rounds: { full: number; quick: number } },
): Promise<Section> {
  const load = await loadOf(lab, { set: oneFile(options.mib), speed: "unthrottled" });
  const contenders = present([
    luciByUrl(load),
    curlOne(load),
    curlOne(load, "sha256sum"),
    curlOne(load, "openssl"),
    curlOne(load, "sync"),
    floorOne(load, { program: lab.floor, durable: true }),
    floorOne(load, { program: lab.floor, durable: false }),
    wget2One(load),
    ariaOne(load, ARIA_16),
    huggingfaceJs(load),
    hfDownload(load),
    lab.options.quick ? null : ipull(load),
  ]);
  const rounds = roundsOf(lab, options.rounds);
  const result = await race(lab, { contenders, set: load.set, rounds, timeoutMs: TIMEOUT_MS });
  return {
    title: `${sizeName(options.mib)} unthrottled, to disk`,
    intro: [
      "luci downloads, verifies and makes durable; `curl -o`, wget2, aria2c, hf and @huggingface/hub do neither of the last two.",
      ...FLOOR_INTRO,
    ],
    tables: [raceTable(result, { reference: REFERENCE })],
    goals: [
      wallGoal(result, { name: "luci", to: REFERENCE, limit: 0.85 }),
      wallGoal(result, { name: "luci", to: "curl && sha256sum", limit: 0.22 }),
      wallGoal(result, { name: "luci", to: "curl && openssl dgst", limit: 0.5 }),
      memoryGoal(result, "luci"),
    ],
  };
}

function throttledSets(quick: boolean) {
  const mid = { mib: quick ? 256 : 1024, speed: "20m", rounds: { full: 3, quick: 2 } } as const;
  const slow = { mib: 256, speed: "2m", rounds: { full: 2, quick: 1 } } as const;
  return quick ? [mid] : [mid, slow];
}

async function runThrottled(lab: Lab): Promise<Section> {
  const results = [];
  for (const { mib, speed, rounds } of throttledSets(lab.options.quick)) {
    const load = await loadOf(lab, { set: oneFile(mib), speed });
    const sixteen = luciByUrl(load, { name: "luci --connections 16", flags: ["--connections", "16"] });
    const fast = speed === "20m" && !lab.options.quick ? [ipull(load)] : [];
    const floor = floorOne(load, { program: lab.floor, durable: true, connections: 16 });
    const contenders = present([luciByUrl(load), sixteen, ariaOne(load, ARIA_16), floor, ...fast]);
    lab.say(`  ${speed}iB/s for each connection`);
    const timeoutMs = TIMEOUT_MS;
    const result = await race(lab, { contenders, set: load.set, rounds: roundsOf(lab, rounds), timeoutMs });
    const caption = `${sizeName(mib)}, ${speed.slice(0, -1)} MiB/s for each connection:`;
    const goal = wallGoal(result, { name: "luci", to: ARIA_16_NAME, limit: 0.8 });
    results.push({
      table: { ...raceTable(result, { reference: ARIA_16_NAME }), caption },
      goals: [{ ...goal, what: `${goal.what}, ${speed.slice(0, -1)} MiB/s` }, memoryGoal(result, "luci")],
    });
  }
  return {
    title: "One file, a limit for each connection",
    intro: [
      "luci verifies what it downloads and makes it durable, aria2c does neither; the floor has 16 connections.",
      ...FLOOR_INTRO,
    ],
    tables: results.map(({ table }) => table),
    goals: results.flatMap(({ goals }) => goals),
  };
}

function sizeName(mib: number): string {
  return mib >= 1024 ? `${mib / 1024} GiB` : `${mib} MiB`;
}
