// Temporary folders that clean themselves.

import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is removed when its `await using` block ends. */
export interface TempHome extends AsyncDisposable {
  /** LUCI_HOME, absolute, links resolved. */
  readonly path: string;
  /** Where models go by default. */
  readonly models: string;
}

/** Makes an empty temporary LUCI_HOME: `await using home = await tempHome()`. */
export async function tempHome(): Promise<TempHome> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "luci-test-")));
  return {
    path,
    models: join(path, "models"),
    [Symbol.asyncDispose]: async () => {
      await chmod(path, 0o700);
      await rm(path, { recursive: true, force: true });
    },
  };
}
