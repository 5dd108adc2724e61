// A server whose process dies in the middle of a file and comes back on the same port.

import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { type RunningChild, startChild } from "../../src/demo/child.ts";
import { makeGguf } from "../../src/demo/gguf-writer.ts";
import { parseEvents, startLuci } from "../support/run-luci.ts";
import { finalsBelow } from "../support/stage.ts";
import { tempHome } from "../support/temp-home.ts";
import { until } from "../support/until.ts";

const SIZE_BYTES = 24_000_011;
const SEED = 5;
const PROGRAM = fileURLToPath(import.meta.resolve("../support/serve-file.ts"));

interface FileServer {
  readonly port: number;
  readonly child: RunningChild;
}

/** Starts a server; a port that somebody else has got meanwhile is waited for. */
async function serve(
  port: number,
  { rateBytesPerSec, mostBytes }: { rateBytesPerSec: number; mostBytes: number },
): Promise<FileServer> {
  const numbers = [port, SIZE_BYTES, SEED, rateBytesPerSec, mostBytes].map(String);
  const start = (): RunningChild =>
    startChild([process.execPath, PROGRAM, ...numbers], {
      env: { PATH: process.env["PATH"] ?? "" },
      cwd: import.meta.dir,
      timeoutMs: 150_000,
    });
  let child = start();
  let hasEnded = false;
  const listening = (): string | undefined => /listening (\d+)/.exec(child.output().stdout)?.[1];
  await until("the server listens", async () => {
    if (hasEnded) child = start();
    hasEnded = await Promise.race([child.ended.then(() => true), Bun.sleep(100).then(() => false)]);
    return listening() !== undefined;
  });
  return { port: Number(listening()), child };
}

function startsOf({ child }: FileServer): number[] {
  return [...child.output().stdout.matchAll(/asked bytes=(\d+)-/g)].map(([, start]) => Number(start));
}

test.each([["1"], ["4"]])(
  "over %s connections, nothing that had arrived is fetched twice",
  async (connections) => {
    await using home = await tempHome();
    const { sha256 } = await makeGguf({ name: "m", sizeBytes: SIZE_BYTES, seed: SEED });
    // It has not sent all of it before it dies, however long that takes.
    const first = await serve(0, { rateBytesPerSec: 4_000_000, mostBytes: 8_000_000 });
    const args = ["install", `http://127.0.0.1:${first.port}/m.gguf#sha256=${sha256}`];
    const flags = ["--connections", connections, "--retries", "9", "--json"];
    const luci = startLuci([...args, ...flags], { home: home.path });
    const events = () => parseEvents(luci.output().stdout.replace(/[^\n]*$/, ""));
    const doneBytes = (): number => Math.max(0, ...events().map((event) => Number(event["doneBytes"] ?? 0)));
    await until("some of it has arrived", () => doneBytes() > 3_000_000);
    first.child.kill("SIGKILL");
    await until("luci sees that the server is gone", () =>
      events().some(({ type }) => type === "file.retrying"),
    );
    const kept = doneBytes();
    const second = await serve(first.port, { rateBytesPerSec: 100_000_000, mostBytes: 2 * SIZE_BYTES });
    expect((await luci.ended).exitCode).toBe(0);
    second.child.kill("SIGKILL");
    expect(await finalsBelow(home.models)).toEqual(["m.gguf"]);
    expect(Math.min(...startsOf(second))).toBeGreaterThan(0);
    const result = events().at(-1)?.["result"] as { fetchedBytes: number };
    expect(kept).toBeGreaterThan(3_000_000);
    expect(result.fetchedBytes).toBeLessThan(SIZE_BYTES + 1_000_000);
  },
);
