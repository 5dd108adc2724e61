import { afterEach, expect, jest, test } from "bun:test";
import { stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { liveSockets, runFolder } from "../../../src/control/run-folder.ts";
import { listenHttp } from "../../../src/platform/http-server.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { tempHome } from "../../support/temp-home.ts";

const MINUTE_MS = 60_000;

afterEach(() => void jest.useRealTimers());

test("a socket is fresh as long as its process runs: other hosts and containers let it be", async () => {
  await using home = await tempHome();
  const path = join(runFolder(home.path), "77.ffffffffffff.sock");
  jest.useFakeTimers();
  const server = await listenHttp({ at: { socketPath: path }, handle: async () => new Response() });
  const old = new Date(Date.now() - 40 * MINUTE_MS);
  await utimes(path, old, old);
  jest.advanceTimersByTime(5 * MINUTE_MS);
  jest.useRealTimers();
  expect(Date.now() - (await stat(path)).mtimeMs).toBeLessThan(30 * MINUTE_MS);
  expect(await liveSockets(home.path, nodeFiles())).toEqual([path]);
  await utimes(path, old, old);
  expect(await liveSockets(home.path, nodeFiles())).toEqual([]);
  await server.close();
});
