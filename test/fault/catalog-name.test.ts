// A file from an address that is called like a model of the catalog: nobody takes one for the other.

import { expect, test } from "bun:test";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { awaitedModels, findReady } from "../../src/app/find-ready.ts";
import { info, path } from "../../src/app/list.ts";
import { makeSafetensors } from "../../src/demo/gguf-writer.ts";
import { fileServer, sendBytes } from "../support/file-server.ts";
import { type Rig, openRig } from "../support/rig.ts";

const SIZE = 100_003;
const bytes = Uint8Array.from(makeSafetensors({ name: "m", sizeBytes: SIZE, seed: 5 }).read(0, SIZE));

/** Installs a file of this name; answers what the model is called. */
async function installAs(rig: Rig, name: string): Promise<string> {
  await using server = await fileServer((asked, response) => sendBytes(asked, response, { bytes }));
  const run = await rig.install({ refs: [server.url.replace("/m.", `/${name}.`)] });
  expect(run.error).toBeNull();
  return run.result!.installed[0]!.model;
}

const isReady = async (rig: Rig, word: string): Promise<boolean> => {
  const context = rig.context();
  const [awaited] = await awaitedModels(context, [word]);
  return (await findReady(context, awaited!)) !== null;
};

test.each(["tinyllama", "tiny"])(
  "an address that ends like %p takes neither its name nor its place",
  async (name) => {
    await using rig = await openRig(SIZE);
    const model = await installAs(rig, name);
    expect(model).toMatch(new RegExp(`^${name}-[0-9a-f]{8}$`));
    expect(await info(rig.context(), { name })).toMatchObject({ name: "tinyllama", installed: null });
    expect(await info(rig.context(), { name: model })).toMatchObject({ name: model, catalog: null });
    expect(await path(rig.context(), { name }).catch(({ code }: { code: string }) => code)).toBe(
      "E_NOT_FOUND",
    );
    expect([await isReady(rig, name), await isReady(rig, model)]).toEqual([false, true]);
  },
);

test("what was installed under such a name before is what the name means, and not the catalog's", async () => {
  await using rig = await openRig(SIZE);
  const model = await installAs(rig, "tiny");
  const folder = join(rig.models, ".luci/v1/manifests");
  await rename(join(folder, `${model}.json`), join(folder, "tiny.json"));
  const text = await readFile(join(folder, "tiny.json"), "utf8");
  await writeFile(join(folder, "tiny.json"), text.replace(`"name": "${model}"`, '"name": "tiny"'));
  expect(await info(rig.context(), { name: "tiny" })).toMatchObject({ name: "tiny", catalog: null });
  expect(await path(rig.context(), { name: "tiny" })).toMatchObject({ model: "tiny" });
  expect(await isReady(rig, "tiny")).toBe(true);
});
