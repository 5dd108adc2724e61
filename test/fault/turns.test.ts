// Models that need the same file at the same time, in one process with one place: who waits for another's turn
// keeps nobody from going on.

import { describe, expect, test } from "bun:test";
import { install } from "../../src/app/install.ts";
import { Steering } from "../../src/app/steering.ts";
import type { LuciEventBody } from "../../src/domain/events.ts";
import { isSmall } from "../../src/domain/plan.ts";
import type { InstallResult } from "../../src/domain/results.ts";
import { shareStore } from "../../src/store/store.ts";
import { checkInvariants } from "../support/invariants.ts";
import { LARGE, type Rig, installOptions, modelContent, openRig } from "../support/rig.ts";
import { hold } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const RATE = { rateBytesPerSec: 8 * MIB } as const;
/** Of runs that wait for each other. */
const DEADLINE_MS = 120_000;

/** Several runs in one process, as a service has them: one steering with one place, one store. */
function openService(rig: Rig, { preempt }: { preempt: boolean }) {
  const base = rig.context({ settings: { jobs: 1, connections: 2, diskWaitMs: 60_000 } });
  const steering = new Steering({ ...base.settings, preempt, pid: 1, emit: () => undefined });
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const start = (name: string, priority: number, onEvent: (event: LuciEventBody) => void) => {
    const context = { ...base, steering, store: shareStore(base.store), emit: onEvent, signal };
    return install(context, installOptions([`hf:org/${name}:Q4_0`], { job: { id: name, priority } }));
  };
  return { steering, start };
}

/** As many as it takes to fill the one place there is: a small file takes a quarter of it. */
const twinsOf = (sizeBytes: number): string[] =>
  isSmall({ sizeBytes }) ? ["twin-a", "twin-b", "twin-c", "twin-d"] : ["twin-a"];

/** Models of the same bytes, and another of its own. */
async function openTwins(sizeBytes: number): Promise<Rig> {
  const content = await modelContent(sizeBytes);
  const repoOf = (name: string, of: typeof content) => ({
    name: `org/${name}`,
    files: [{ path: `${name}-Q4_0.gguf`, content: of }],
  });
  const repos = ["one", ...twinsOf(sizeBytes)].map((name) => repoOf(name, content));
  repos.push(repoOf("other", await modelContent(300 * 1024 + 1)));
  return openRig(sizeBytes, { repos, ...RATE });
}

/** Who waits for somebody else's file. */
function watchWaiting() {
  const waiting = new Set<string>();
  const onEventOf =
    (name: string) =>
    (event: LuciEventBody): void => {
      if (event.type === "notice" && event.message.includes("waiting")) waiting.add(name);
    };
  return { waiting, onEventOf };
}

const wholes = (results: readonly InstallResult[]): number[] =>
  results.map(({ installed }) => installed.length);

describe.each([LARGE, 900 * 1024 + 7])("a file of %d bytes that several models need", (sizeBytes) => {
  const names = twinsOf(sizeBytes);
  const ones = [1, ...names.map(() => 1)];

  test("comes to all, where the more important ones took the other's place", async () => {
    await using rig = await openTwins(sizeBytes);
    const { start } = openService(rig, { preempt: true });
    const begun = Promise.withResolvers<void>();
    const one = start("one", 0, ({ type }) => {
      if (type !== "file.started") return;
      // It is not to be done before the others come.
      hold(rig.hub);
      begun.resolve();
    });
    await begun.promise;
    const { waiting, onEventOf } = watchWaiting();
    const twins = names.map((name) => start(name, 10, onEventOf(name)));
    await until("the twins wait", () => waiting.size === names.length);
    rig.hub.behave(RATE);
    expect(wholes(await Promise.all([one, ...twins]))).toEqual(ones);
    await checkInvariants(rig.models, rig.hub);
  });

  test("is waited for without a place: another goes on while the first is paused", async () => {
    await using rig = await openTwins(sizeBytes);
    const { start, steering } = openService(rig, { preempt: false });
    const { waiting, onEventOf } = watchWaiting();
    const begun = Promise.withResolvers<void>();
    const one = start("one", 0, ({ type }) => {
      if (type !== "file.started") return;
      steering.handle("one")?.pause();
      begun.resolve();
    });
    await begun.promise;
    const twins = names.map((name) => start(name, 0, onEventOf(name)));
    await until("the twins wait", () => waiting.size === names.length);
    expect(wholes([await start("other", 0, () => undefined)])).toEqual([1]);
    steering.handle("one")?.resume();
    expect(wholes(await Promise.all([one, ...twins]))).toEqual(ones);
    await checkInvariants(rig.models, rig.hub);
  });
});
