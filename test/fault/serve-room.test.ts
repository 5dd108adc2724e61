// A small disk under a daemon and under an install: what is still to be written is shared out before it is there, and
// who waits for room says so.

import { describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ggufFile } from "../support/model-repos.ts";
import { canHave, fill, mountTmpfs } from "../support/real-disk.ts";
import { startServe } from "../support/serve.ts";
import { finalsBelow, hold, openStage, resultOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;

const able = await canHave({
  what: "a daemon on a small file system",
  programs: ["mount", "umount"],
  probe: async () => {
    await (await mountTmpfs(MIB))[Symbol.asyncDispose]();
  },
});

const SMALL = "hf:org/small:small.gguf";
const LARGE = "hf:org/large:large.gguf";

/** A daemon on a disk for either of two models, of which the small one was installed and is gone. */
async function openRoom() {
  const files = [
    await ggufFile("small.gguf", 20 * MIB, 1),
    await ggufFile("large.gguf", 38 * MIB, 2),
  ] as const;
  const stage = await openStage({
    repos: [
      { name: "org/small", files: [files[0]] },
      { name: "org/large", files: [files[1]] },
    ],
  });
  const disk = await mountTmpfs(60 * MIB);
  const env = { LUCI_MODELS: disk.path };
  expect((await stage.luci(["install", SMALL], { env })).exitCode).toBe(0);
  await rm(join(disk.path, "small.gguf"));
  hold(stage.hub);
  const serve = await startServe(stage, { env });
  const { data } = await serve.ask("GET", "/v1/models");
  const repair = `/v1/models/${encodeURIComponent(data.models[0].name)}/verify`;
  const isUnderWay = async (ref: string): Promise<boolean> =>
    (await serve.jobs()).some((job) => job.ref === ref && job.state === "running" && job.doneBytes > 0);
  return {
    stage,
    disk,
    serve,
    isUnderWay,
    repair: () => serve.ask("POST", repair, { body: { repair: true } }),
    download: async () =>
      String((await serve.ask("POST", "/v1/downloads", { body: { ref: LARGE } })).data.id),
    [Symbol.asyncDispose]: async () => {
      serve.child.kill("SIGTERM");
      await serve.child.ended;
      await disk[Symbol.asyncDispose]();
      await stage[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf(!able)("the room on a disk", () => {
  test("that a repair has taken is waited for, and comes when the repair is given up", async () => {
    await using room = await openRoom();
    const { serve, stage } = room;
    const mended = room.repair();
    await until("the repair is under way", () => room.isUnderWay(SMALL));
    const id = await room.download();
    await until("the download waits", async () => (await serve.job(id)).state === "waiting");
    expect((await serve.job(id)).error).toMatchObject({
      code: "E_NO_SPACE",
      message: expect.stringContaining("for other downloads under way"),
    });
    expect((await stage.luci(["ps"])).stdout).toContain("no room");
    const repair = (await serve.jobs()).find(({ ref }) => ref === SMALL);
    await serve.ask("DELETE", `/v1/downloads/${repair?.id}?partials=delete`);
    expect((await mended).data).toMatchObject({ failed: [{ error: { code: "E_CANCELLED" } }] });
    // Not before it is given up: it would be done.
    stage.hub.behave({ rateBytesPerSec: null });
    await until("the download is done", async () => (await serve.job(id)).state === "done");
    expect(await finalsBelow(room.disk.path)).toEqual(["large.gguf"]);
  });

  test("that a download has taken is not planned for by a repair", async () => {
    await using room = await openRoom();
    const id = await room.download();
    await until("the download is under way", () => room.isUnderWay(LARGE));
    const { status, data } = await room.repair();
    expect([status, data.code, data.detail]).toEqual([
      507,
      "E_NO_SPACE",
      expect.stringContaining("for other downloads under way"),
    ]);
    room.stage.hub.behave({ rateBytesPerSec: null });
    await until("the download is done", async () => (await room.serve.job(id)).state === "done");
  });
});

test.skipIf(!able)(
  "an install that others leave no room says so in `luci ps`, until there is some",
  async () => {
    await using stage = await openStage({
      repos: [{ name: "org/small", files: [await ggufFile("small.gguf", 20 * MIB, 1)] }],
    });
    await using disk = await mountTmpfs(40 * MIB);
    hold(stage.hub);
    const env = { LUCI_MODELS: disk.path };
    const child = stage.start(["install", "hf:org/small:small.gguf"], { env, timeoutMs: 120_000 });
    try {
      const ps = async (): Promise<string> => (await stage.luci(["ps"], { env })).stdout;
      await until("it runs", async () => (await ps()).includes("running"));
      const filler = join(disk.path, "filler");
      await fill(filler);
      await until("it waits for room", async () => (await ps()).includes("no room"));
      const run = await stage.luci(["ps", "--json"], { env });
      expect(resultOf(run)["jobs"]).toMatchObject([
        {
          state: "waiting",
          bytesPerSec: 0,
          error: { code: "E_NO_SPACE", message: expect.stringContaining(disk.path) },
        },
      ]);
      await rm(filler);
      await until("it goes on", async () => (await ps()).includes("running"));
      stage.hub.behave({ rateBytesPerSec: null });
      expect((await child.ended).exitCode).toBe(0);
    } finally {
      child.kill("SIGKILL");
      await child.ended;
    }
  },
);
