// How models end when something goes wrong beside their files: at the record, at the version before, at a cancel.

import { describe, expect, test } from "bun:test";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { install } from "../../src/app/install.ts";
import type { Context } from "../../src/app/context.ts";
import type { LuciEventBody } from "../../src/domain/events.ts";
import { LuciError } from "../../src/domain/errors.ts";
import type { InstallResult } from "../../src/domain/results.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { type DiskHand, diskRefusal, faultyFiles } from "../support/faulty-files.ts";
import { checkInvariants } from "../support/invariants.ts";
import { LARGE, type Rig, SMALL, eventsOf, installOptions, modelContent, openRig } from "../support/rig.ts";
import { hold } from "../support/stage.ts";

const MIB = 1024 * 1024;
const MANIFESTS = join(".luci", "v1", "manifests");
const full = (path: string): LuciError => new LuciError("E_NO_SPACE", `${path}: the disk is full`);

function installModel(context: Context, ref = "hf:org/m:Q4_0"): Promise<InstallResult> {
  return install(context, installOptions([ref], { job: { id: "it" } }));
}

describe.concurrent("the version before", () => {
  /** A rig with a version installed and another one published, whose file has another name. */
  async function openNextVersion(): Promise<Rig> {
    const rig = await openRig(SMALL);
    expect((await rig.install()).error).toBeNull();
    rig.hub.publish({
      name: "org/m",
      files: [{ path: "m-v2-Q4_0.gguf", content: await modelContent(SMALL + 1) }],
    });
    return rig;
  }
  const modelsIn = async (rig: Rig): Promise<string[]> =>
    (await readdir(rig.models)).filter((name) => name.endsWith(".gguf")).toSorted();

  test("goes when the next one is whole", async () => {
    await using rig = await openNextVersion();
    expect((await rig.install({ force: true })).error).toBeNull();
    expect(await modelsIn(rig)).toEqual(["m-v2-Q4_0.gguf"]);
  });

  test("stays while a record cannot be read: it may be another model's", async () => {
    await using rig = await openNextVersion();
    await writeFile(join(rig.models, MANIFESTS, "torn.json"), '{"format":1,"name":"to');
    const run = await rig.install({ force: true });
    expect(run.error).toBeNull();
    expect(await modelsIn(rig)).toEqual(["m-Q4_0.gguf", "m-v2-Q4_0.gguf"]);
    expect(eventsOf(run, "notice").map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^files of the version before stay: .*torn\.json: this record cannot be read/),
    );
  });

  test("stays where the records cannot be listed, and the next one is ready all the same", async () => {
    await using rig = await openNextVersion();
    let isPublished = false;
    const hand: DiskHand = ({ name, path }) => {
      if (name === "replaceText" && path.includes(MANIFESTS)) isPublished = true;
      if (isPublished && name === "list" && path.includes(MANIFESTS)) throw diskRefusal("EIO", path);
    };
    const run = await rig.install({ force: true, files: faultyFiles(nodeFiles(), hand) });
    expect([run.error, isPublished]).toEqual([null, true]);
    expect(eventsOf(run, "model.ready")).toHaveLength(1);
    expect(await modelsIn(rig)).toEqual(["m-Q4_0.gguf", "m-v2-Q4_0.gguf"]);
  });
});

describe.concurrent("a model", () => {
  test("whose record cannot be written failed, while its files are done", async () => {
    await using rig = await openRig(SMALL);
    const hand: DiskHand = ({ name, path }) => {
      if (name === "replaceText" && path.includes(MANIFESTS)) throw diskRefusal("EIO", path);
    };
    const run = await rig.install({ files: faultyFiles(nodeFiles(), hand) });
    expect(run.error).toMatchObject({ code: "E_IO" });
    const ends = run.events
      .map(({ type }) => type)
      .filter((type) => /^(file|model)\.(done|failed)/.test(type));
    expect(ends).toEqual(["file.done", "model.failed"]);
  });

  test.each([false, true])(
    "whose folder cannot be listed is ready all the same (taken away meanwhile: %p)",
    async (isTaken) => {
      await using rig = await openRig(SMALL);
      let hasBeenTaken = false;
      const hand: DiskHand = async ({ name, path }) => {
        if (name !== "list" || path !== rig.models) return;
        if (isTaken && !hasBeenTaken && (await rig.finalSha256()) !== null) {
          await rm(rig.finalPath);
          hasBeenTaken = true;
        }
        throw diskRefusal("EACCES", path);
      };
      const run = await rig.install({ files: faultyFiles(nodeFiles(), hand) });
      expect([run.error, hasBeenTaken]).toEqual([null, isTaken]);
      expect(await rig.finalSha256()).toBe(rig.content.sha256);
      await checkInvariants(rig.models, rig.hub);
    },
  );

  test("is no job while the disk does not tell its room", async () => {
    await using rig = await openRig(SMALL);
    const files = faultyFiles(nodeFiles(), ({ name, path }) => {
      if (name === "diskBytes") throw diskRefusal("EIO", path);
    });
    const run = await rig.install({ files });
    expect(run.error).toMatchObject({ code: "E_IO" });
    expect(eventsOf(run, "model.queued")).toEqual([]);
  });

  test("comes whole though its folder is taken away while it comes", async () => {
    const content = await modelContent(SMALL);
    const second = await modelContent(LARGE);
    const repos = [
      {
        name: "org/m",
        files: [
          { path: "Q4_0/m-Q4_0-00001-of-00002.gguf", content },
          { path: "Q4_0/m-Q4_0-00002-of-00002.gguf", content: second },
        ],
      },
    ];
    await using rig = await openRig(SMALL, { repos });
    let removal: Promise<void> | null = null;
    const onEvent = ({ type }: LuciEventBody): void => {
      if (type !== "file.done" || removal) return;
      // Nothing more gets done before it is gone.
      hold(rig.hub);
      removal = removeFolders(rig.models).finally(() => rig.hub.behave({ rateBytesPerSec: null }));
    };
    const run = await rig.install({ settings: { jobs: 1 }, onEvent });
    await removal;
    expect(run.error).toBeNull();
    await checkInvariants(rig.models, rig.hub);
  });
});

/** Everything that is seen in a models folder. */
async function removeFolders(models: string): Promise<void> {
  for (const name of await readdir(models))
    if (name !== ".luci") await rm(join(models, name), { recursive: true, force: true });
}

describe.concurrent("a cancel that deletes", () => {
  test("says so also while the disk has no room", async () => {
    await using rig = await openRig(LARGE, { rateBytesPerSec: 16 * MIB });
    let writtenBytes = 0;
    const files = faultyFiles(nodeFiles(), ({ name, path, sizeBytes }) => {
      if (name !== "write" || !path.endsWith(".part")) return;
      if (writtenBytes > 4 * MIB) throw full(path);
      writtenBytes += sizeBytes;
    });
    const events: LuciEventBody[] = [];
    const onEvent = (event: LuciEventBody): void => {
      events.push(event);
      if (event.type === "run.paused") context.steering.handle("it")?.cancel("delete");
    };
    const settings = { diskWaitMs: 60_000, connections: 1 };
    const context = rig.context({ files, settings, onEvent });
    const [failed] = (await installModel(context)).failed;
    expect(failed?.error).toMatchObject({ code: "E_CANCELLED", message: "Cancelled" });
    expect(events.find(({ type }) => type === "model.cancelled")).toMatchObject({ keptBytes: 0 });
  });

  test("keeps finished files while a record cannot be read, and says that", async () => {
    const repos = [
      {
        name: "org/m",
        files: [
          { path: "Q4_0/m-Q4_0-00001-of-00002.gguf", content: await modelContent(SMALL) },
          { path: "Q4_0/m-Q4_0-00002-of-00002.gguf", content: await modelContent(LARGE) },
        ],
      },
    ];
    await using rig = await openRig(SMALL, { repos, rateBytesPerSec: 4 * MIB });
    const events: LuciEventBody[] = [];
    const onEvent = (event: LuciEventBody): void => {
      events.push(event);
      if (event.type !== "file.done") return;
      // The other one is not to be done before the cancel.
      hold(rig.hub);
      void spoil();
    };
    const context = rig.context({ onEvent, settings: { jobs: 1 } });
    const spoil = async (): Promise<void> => {
      await nodeFiles().makeFolder(join(rig.models, MANIFESTS));
      await writeFile(join(rig.models, MANIFESTS, "torn.json"), "{");
      context.steering.handle("it")?.cancel("delete");
    };
    const [failed] = (await installModel(context)).failed;
    expect(failed?.error).toMatchObject({
      code: "E_CANCELLED",
      message: expect.stringContaining("are kept"),
    });
    expect(events.find(({ type }) => type === "model.cancelled")).toMatchObject({ keptBytes: SMALL });
    const warnings = events.flatMap((event) => (event.type === "notice" ? [event.message] : []));
    expect(warnings).toContainEqual(expect.stringMatching(/could not delete .*this record cannot be read/));
  });
});
