// Bundles the page of `luci serve` into texts. Called as a macro, while src/control/page-routes.ts is compiled or, from
// source, loaded: so the executable carries the texts and `bun src/main.ts serve` has them too.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dir, "..", "src/control/page");

/** The files of the page as a browser gets them. @throws Error with what the bundler has to say */
export function bundlePage(): { html: string; css: string; icon: string; script: string } {
  const read = (name: string): string => readFileSync(join(FOLDER, name), "utf8");
  return { html: read("index.html"), css: read("page.css"), icon: read("icon.svg"), script: bundleScript() };
}

function bundleScript(): string {
  // A process of its own: the bundler waits for its macros, so a macro cannot wait for the bundler.
  const command = [process.execPath, "build", join(FOLDER, "main.ts"), "--target=browser", "--minify"];
  const run = Bun.spawnSync(command, { env: { ...process.env, NODE_ENV: "production" } });
  if (run.success) return run.stdout.toString();
  throw new Error(`the page could not be bundled:\n${run.stderr.toString()}`);
}
