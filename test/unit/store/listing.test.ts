import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { Listing } from "../../../src/store/listing.ts";
import { diskRefusal, faultyFiles } from "../../support/faulty-files.ts";
import { tempHome } from "../../support/temp-home.ts";

test("a listing asks once for a folder, and takes names that look alike for the same", async () => {
  await using home = await tempHome();
  const folder = join(home.path, "models");
  await mkdir(folder);
  await writeFile(join(folder, "Zo\u00eb.gguf"), "");
  let asked = 0;
  const listing = new Listing(
    faultyFiles(nodeFiles(), ({ name }) => {
      if (name === "list") asked += 1;
    }),
  );
  const names = ["Zo\u00eb.gguf", "zoe\u0308.GGUF", "zoe.gguf"];
  const found = await Promise.all(names.map((name) => listing.has(join(folder, name))));
  expect([found, asked]).toEqual([[true, true, false], 1]);
  expect(await listing.has(join(home.path, "nowhere", "x"))).toBe(false);
});

test("in a folder that cannot be listed there may be anything", async () => {
  await using home = await tempHome();
  const files = faultyFiles(nodeFiles(), ({ name, path }) => {
    if (name === "list") throw diskRefusal("EACCES", path);
  });
  expect(await new Listing(files).has(join(home.path, "x"))).toBe(true);
});
