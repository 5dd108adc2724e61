// Cases d and e: several large files, and a repository of very many small ones.

import {
  ariaMany,
  curlMany,
  hfDownload,
  huggingfaceJs,
  ipull,
  type Load,
  luciByRepo,
  luciByUrl,
  present,
  wget2Many,
} from "./commands.ts";
import { FLOOR_INTRO, floorMany } from "./floor-rows.ts";
import { severalFiles, smallFiles } from "./data.ts";
import { type BenchCase, type Lab, loadOf, race, roundsOf } from "./lab.ts";
import { commitOf, repoOf } from "./hub-pages.ts";
import { type Race, memoryGoal, raceTable, runsOf, wallGoal } from "./race.ts";
import type { Goal, Section } from "./report.ts";

const TIMEOUT_MS = 120_000;
const LUCI_REPO = "luci hf:repository";
const LUCI_URLS = "luci URL…";

/** 8 × 128 MiB. */
export const batch: BenchCase = {
  id: "d",
  sets: (quick) => [severalFiles(8, quick ? 32 : 128)],
  run: runBatch,
};

/** A repository of 1,000 × 64 KiB. */
export const repository: BenchCase = {
  id: "e",
  sets: (quick) => [smallFiles(quick ? 250 : 1000)],
  run: runRepository,
};

async function runBatch(lab: Lab): Promise<Section> {
  const mib = lab.options.quick ? 32 : 128;
  const load = await loadOf(lab, { set: severalFiles(8, mib), speed: "unthrottled" });
  const contenders = present([
    luciByRepo(load, LUCI_REPO),
    luciByUrl(load, { name: LUCI_URLS }),
    curlMany(load, 8),
    ariaMany(load, 8),
    wget2Many(load, 8),
    huggingfaceJs(load),
    hfDownload(load),
    lab.options.quick ? null : ipull(load),
  ]);
  const rounds = roundsOf(lab, { full: 3, quick: 1 });
  const result = await race(lab, { contenders, set: load.set, rounds, timeoutMs: TIMEOUT_MS });
  return {
    title: `8 × ${mib} MiB, unthrottled`,
    intro: ["luci verifies every file, the others none."],
    tables: [raceTable(result, { reference: "curl -Z --parallel-max 8" })],
    goals: [memoryGoal(result, LUCI_REPO), memoryGoal(result, LUCI_URLS)],
  };
}

async function runRepository(lab: Lab): Promise<Section> {
  const count = lab.options.quick ? 250 : 1000;
  const load = withResolve(await loadOf(lab, { set: smallFiles(count), speed: "unthrottled" }));
  const contenders = present([
    luciByRepo(load, LUCI_REPO),
    curlMany(load, 16),
    floorMany(load, { program: lab.floor, durable: true }),
    floorMany(load, { program: lab.floor, durable: false }),
    ariaMany(load, 16),
    wget2Many(load, 16),
    huggingfaceJs(load),
    hfDownload(load),
  ]);
  const requests = new Map<string, number>();
  const around = async (name: string, run: () => Promise<void>): Promise<void> => {
    requests.set(name, await lab.nginx.countHubRequests(run));
  };
  const rounds = roundsOf(lab, { full: 5, quick: 1 });
  const timeoutMs = TIMEOUT_MS;
  const result = await race(lab, {
    contenders,
    set: load.set,
    rounds,
    timeoutMs,
    around,
    keepOutput: true,
  });
  const extra = { head: "hub requests", show: (name: string) => String(requests.get(name) ?? "–") };
  return {
    title: `A repository of ${count} × 64 KiB`,
    intro: [
      "The hub lists every file with its SHA-256 and answers `resolve` with the bytes themselves. " +
        "curl, aria2c and wget2 are handed these addresses and verify nothing; luci and the hub's own clients ask for the listing.",
      ...FLOOR_INTRO,
    ],
    tables: [raceTable(result, { reference: "aria2c -j16", extra })],
    goals: repositoryGoals(result, { load, count, requests: requests.get(LUCI_REPO) ?? null }),
  };
}

function repositoryGoals(
  result: Race,
  { load, count, requests }: { load: Load; count: number; requests: number | null },
): Goal[] {
  return [
    wallGoal(result, { name: LUCI_REPO, to: "aria2c -j16", limit: 0.4 }),
    wallGoal(result, { name: LUCI_REPO, to: "hf download", limit: 0.2 }),
    // Where hf cannot be had, the hub's other client shows what asking for each file costs.
    ...(load.tools.path("hf") === null
      ? [wallGoal(result, { name: LUCI_REPO, to: "@huggingface/hub", limit: 0.2 })]
      : []),
    {
      what: `hub requests of luci for ${count} files`,
      limit: count + 5,
      bound: "at most",
      reached: runsOf(result, LUCI_REPO) > 0 ? requests : null,
      digits: 0,
    },
    memoryGoal(result, LUCI_REPO),
  ];
}

/** The same files by their addresses at the hub. */
function withResolve(load: Load): Load {
  const base = `${load.hubUrl}/${repoOf(load.set)}/resolve/${commitOf(load.set)}`;
  return { ...load, urls: load.set.files.map(({ path }) => `${base}/${path}`) };
}
