// Watches what reaches the hub while everything is paused: an install in a terminal and one under `luci serve`, for as
// long as somebody has the patience. Links expire meanwhile, which would be a reason to ask for new ones.

import { checkInvariants } from "./invariants.ts";
import { namedRepos } from "./named-stage.ts";
import { startServe } from "./serve.ts";
import { fileBytes, openStage, type Stage } from "./stage.ts";
import { until } from "./until.ts";

const MIB = 1024 * 1024;
const SIZE = 24 * MIB;
const RATE = MIB / 2;
const LINK_LIFE_MS = 5_000;
const NAMES = ["one", "two"];
const REFS = NAMES.map((name) => `hf:org/${name}:${name}.gguf`);

/** What came of it. */
export interface PauseTally {
  readonly seconds: number;
  /** That reached a hub during the pauses, with what they asked for. */
  readonly requests: readonly string[];
  readonly bytes: number;
  /** What did not come to its end afterwards. */
  readonly stuck: readonly string[];
}

/** Pauses for so long, then lets everything come to its end. */
export async function watchPauses(seconds: number): Promise<PauseTally> {
  const [one, other] = await Promise.all([watchInstall(seconds), watchServe(seconds)]);
  return {
    seconds,
    requests: [...one.requests, ...other.requests],
    bytes: one.bytes + other.bytes,
    stuck: [...one.stuck, ...other.stuck],
  };
}

async function openPauseStage(): Promise<Stage> {
  return openStage({
    repos: await namedRepos(NAMES, SIZE),
    rateBytesPerSec: RATE,
    linkLifeMs: LINK_LIFE_MS,
  });
}

async function watchInstall(seconds: number): Promise<PauseTally> {
  await using stage = await openPauseStage();
  const child = stage.start(["install", ...REFS], { timeoutMs: (seconds + 300) * 1_000 });
  try {
    const { requests, bytes } = await pauseAll(stage, seconds);
    const { exitCode, stderr } = await child.ended;
    const stuck = exitCode === 0 ? [] : [`paused install ended with ${exitCode}: ${stderr}`];
    await checkInvariants(stage.models, stage.hub);
    return { seconds, requests, bytes, stuck };
  } finally {
    child.kill("SIGKILL");
    await child.ended;
  }
}

async function watchServe(seconds: number): Promise<PauseTally> {
  await using stage = await openPauseStage();
  const serve = await startServe(stage, { timeoutMs: (seconds + 300) * 1_000 });
  try {
    await serve.ask("POST", "/v1/downloads/batch", { body: { refs: REFS } });
    const { requests, bytes } = await pauseAll(stage, seconds);
    await until("all are done", async () => (await serve.jobs()).every(({ state }) => state === "done"));
    await checkInvariants(stage.models, stage.hub);
    return { seconds, requests, bytes, stuck: [] };
  } finally {
    serve.child.kill("SIGTERM");
    await serve.child.ended;
  }
}

/** What reached the hub while every job of this home was paused. */
async function pauseAll(stage: Stage, seconds: number): Promise<Pick<PauseTally, "requests" | "bytes">> {
  await until("bytes arrive", () => fileBytes(stage.hub) > MIB);
  const paused = await stage.luci(["pause", "--all"]);
  if (paused.exitCode !== 0) throw new Error(`luci pause: ${paused.stderr}`);
  await quiet(stage);
  const before = { requests: stage.hub.log().length, bytes: fileBytes(stage.hub) };
  await Bun.sleep(seconds * 1_000);
  const requests = stage.hub.log().slice(before.requests);
  const bytes = fileBytes(stage.hub) - before.bytes;
  stage.hub.behave({ rateBytesPerSec: null });
  const resumed = await stage.luci(["resume", "--all"]);
  if (resumed.exitCode !== 0) throw new Error(`luci resume: ${resumed.stderr}`);
  return { requests: requests.map(({ method, path }) => `${method} ${path}`), bytes };
}

/** What was on its way when the pause was said has arrived. */
async function quiet({ hub }: Stage): Promise<void> {
  let before = -1;
  await until("the hub is left alone", async () => {
    const asked = hub.log().length + fileBytes(hub);
    const isSame = asked === before;
    before = asked;
    if (!isSame) await Bun.sleep(200);
    return isSame;
  });
}
