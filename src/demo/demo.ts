// `luci demo`: the promises of luci shown on this machine, offline, with the real executable as a child process
// and the embedded hub's log as the witness. Prints nothing: every step is told to `say`.

import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DemoResult } from "../domain/results.ts";
import { nodeFiles } from "../platform/node-files.ts";
import { demoCatalog, demoRepos, makeDemoModels } from "./demo-models.ts";
import type { DemoStage } from "./demo-stage.ts";
import { createStage } from "./demo-stage.ts";
import {
  cleanUp,
  continueInstall,
  damage,
  installSmall,
  installTree,
  interrupt,
  repair,
  showUsage,
} from "./demo-steps.ts";
import type { StepOutcome } from "./demo-steps.ts";
import { startHub } from "./hub.ts";

export type DemoStep = DemoResult["steps"][number];

export interface DemoOptions {
  /** What to run luci with: the executable and, if need be, its first arguments. */
  readonly executable: readonly string[];
  /** Told every step as soon as it is over. */
  readonly say: (step: DemoStep) => void;
  readonly signal: AbortSignal;
  /** Where the temporary home goes; the system's folder for such things by default. */
  readonly temporaryFolder?: string;
}

interface Act {
  readonly title: string;
  readonly play: (stage: DemoStage) => Promise<StepOutcome>;
}

const ACTS: readonly Act[] = [
  { title: "Install a model and check its SHA-256", play: installSmall },
  { title: "Ctrl-C in the middle of a download", play: interrupt },
  { title: "The same command again fetches only the rest", play: continueInstall },
  { title: "Install a repository with its folders", play: installTree },
  { title: "One bit flips: verify finds the piece", play: damage },
  { title: "Repair fetches only that piece", play: repair },
  { title: "Clean up an abandoned download", play: cleanUp },
  { title: "See what the models take", play: showUsage },
];

/**
 * Plays every step in a temporary home and answers how each went; a step that fails does not stop the others.
 * Takes less than 20 seconds. The home is removed and the hub stopped in every case.
 * @throws the signal's reason when it aborts
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { signal, say } = options;
  const startMs = performance.now();
  const files = nodeFiles();
  const homeFolder = join(options.temporaryFolder ?? tmpdir(), `luci-demo-${randomUUID()}`);
  signal.throwIfAborted();
  const models = await makeDemoModels();
  const hub = await startHub({ repos: demoRepos(models) });
  const steps: DemoStep[] = [];
  try {
    await files.makeFolder(homeFolder);
    const catalogFile = join(homeFolder, "demo-catalog.json");
    await files.replaceText(
      catalogFile,
      demoCatalog(models, (repo) => hub.commitOf(repo)),
    );
    const { executable } = options;
    const stage = createStage({ executable, homeFolder, catalogFile, files, hub, models, signal });
    for (const act of ACTS) {
      const step = await playAct(act, stage);
      steps.push(step);
      say(step);
    }
  } finally {
    await Promise.all([hub.stop(), files.removeTree(homeFolder)]);
  }
  return { command: "demo", steps, elapsedMs: Math.round(performance.now() - startMs) };
}

async function playAct(act: Act, stage: DemoStage): Promise<DemoStep> {
  try {
    const outcome = await act.play(stage);
    stage.signal.throwIfAborted();
    return { title: act.title, ...outcome };
  } catch (error) {
    stage.signal.throwIfAborted();
    return { title: act.title, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
