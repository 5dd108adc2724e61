// A small disk under a daemon and under an install: what is still to be written is shared out before it is there, and
// who waits for room says so.

import { expect, test } from "bun:test";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ggufFile } from "../support/model-repos.ts";
import { canHave, mountTmpfs } from "../support/real-disk.ts";
import { startServe, until } from "../support/serve.ts";
import { finalsBelow, openStage, resultOf } from "../support/stage.ts";

const MIB = 1024 * 1024;

const able = await canHave({
  what: "a daemon on a small file system",
  programs: ["mount", "umount"],
  probe: async () => {
    await (await mountTmpfs(MIB))[Symbol.asyncDispose]();
  },
});

test.skipIf(!able)(
  "a download waits for the room that a repair has taken, and begins when that is given up",
  async () => {
    const [small, large] = [
      await ggufFile("small.gguf", 20 * MIB, 1),
      await ggufFile("large.gguf", 38 * MIB, 2),
    ];
    await using stage = await openStage({
      repos: [
        { name: "org/small", files: [small] },
        { name: "org/large", files: [large] },
      ],
    });
    await using disk = await mountTmpfs(60 * MIB);
    const env = { LUCI_MODELS: disk.path };
    const ref = "hf:org/small:small.gguf";
    expect((await stage.luci(["install", ref], { env })).exitCode).toBe(0);
    await rm(join(disk.path, "small.gguf"));
    stage.hub.behave({ rateBytesPerSec: MIB });
    const serve = await startServe(stage, { env });
    try {
      const { data } = await serve.ask("GET", "/v1/models");
      const path = `/v1/models/${encodeURIComponent(data.models[0].name)}/verify`;
      const mended = serve.ask("POST", path, { body: { repair: true } });
      await until("the repair is under way", async () =>
        (await serve.jobs()).some(({ state, doneBytes }) => state === "running" && doneBytes > 0),
      );
      const { id } = (await serve.ask("POST", "/v1/downloads", { body: { ref: "hf:org/large:large.gguf" } }))
        .data;
      await until("the download waits", async () => (await serve.job(id)).state === "waiting");
      expect((await serve.job(id)).error).toMatchObject({
        code: "E_NO_SPACE",
        message: expect.stringContaining("for other downloads under way"),
      });
      expect((await stage.luci(["ps"])).stdout).toContain("no room");
      stage.hub.behave({ rateBytesPerSec: null });
      const repair = (await serve.jobs()).find(({ ref: mine }) => mine === ref);
      await serve.ask("DELETE", `/v1/downloads/${repair?.id}?partials=delete`);
      expect((await mended).data).toMatchObject({ failed: [{ error: { code: "E_CANCELLED" } }] });
      await until("the download is done", async () => (await serve.job(id)).state === "done");
      expect(await finalsBelow(disk.path)).toEqual(["large.gguf"]);
    } finally {
      serve.child.kill("SIGTERM");
      await serve.child.ended;
    }
  },
);

test.skipIf(!able)(
  "an install that others leave no room says so in `luci ps`, until there is some",
  async () => {
    await using stage = await openStage({
      repos: [{ name: "org/small", files: [await ggufFile("small.gguf", 20 * MIB, 1)] }],
    });
    await using disk = await mountTmpfs(40 * MIB);
    stage.hub.behave({ rateBytesPerSec: MIB });
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

/** Fills a file system to the last byte. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w");
  const block = new Uint8Array(256 * 1024).fill(7);
  try {
    for (;;) await file.write(block);
  } catch {
    // Full is what it was to become.
  } finally {
    await file.close();
  }
}
