// Plain servers that know nothing of hubs: files that change under us, ports that close, bodies without an end.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { makeSafetensors } from "../../src/demo/gguf-writer.ts";
import { type Arrivals, watchArrivals } from "../support/arrivals.ts";
import { type Asked, type FileServer, fileServer, sendBytes } from "../support/file-server.ts";
import { LARGE, type Rig, type RigRun, type RunOptions, SMALL, eventsOf, openRig } from "../support/rig.ts";

const MIB = 1024 * 1024;
const bytesOf = (sizeBytes: number, seed: number): Uint8Array => {
  const made = makeSafetensors({ name: "m", sizeBytes, seed });
  return Uint8Array.from(made.read(0, sizeBytes));
};
const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const finalOf = (rig: Rig): string => join(rig.models, "m.safetensors");

async function installedSha256(rig: Rig): Promise<string | null> {
  return existsSync(finalOf(rig)) ? sha256(await readFile(finalOf(rig))) : null;
}

function installFrom(rig: Rig, server: FileServer, options: RunOptions = {}): Promise<RigRun> {
  return rig.install({ ...options, refs: [server.url] });
}

/** The connection is cut when a MiB of the answer has arrived: what is on its way is lost with it. */
const cutAfterMib = ({ range }: Asked, arrivals: Arrivals, cut = async () => {}) => ({
  cutAfterBytes: MIB,
  cutWhen: () => arrivals.of((range?.startBytes ?? 0) + MIB).then(cut),
});

/** Requests after the first, which only asks what the file is. */
const transfers = (server: FileServer): readonly Asked[] => server.asked.slice(1);

describe.concurrent("a file that changes at its source", () => {
  const one = bytesOf(LARGE, 1);
  const other = bytesOf(LARGE, 2);

  test("between two requests is fetched again as a whole, and the user is told", async () => {
    await using rig = await openRig(SMALL);
    await using server = await fileServer((asked, response) => {
      const isOld = asked.before < 2;
      sendBytes(asked, response, { bytes: isOld ? one : other, headers: { ETag: isOld ? '"v1"' : '"v2"' } });
    });
    const run = await installFrom(rig, server, { settings: { connections: 1 } });
    expect(run.error).toBeNull();
    expect(await installedSha256(rig)).toBe(sha256(other));
    expect(eventsOf(run, "file.restarted")).toHaveLength(1);
  });

  test("all the time is given up", async () => {
    await using rig = await openRig(SMALL);
    await using server = await fileServer((asked, response) =>
      sendBytes(asked, response, { bytes: one, headers: { ETag: `"v${asked.before}"` } }),
    );
    const run = await installFrom(rig, server, { settings: { connections: 1 } });
    expect(run.error).toMatchObject({ code: "E_CHANGED", exit: 4 });
    expect(existsSync(finalOf(rig))).toBe(false);
    expect(server.asked.length).toBeLessThan(8);
  });

  const rows: [string, Record<string, string>, Record<string, string>, boolean][] = [
    ["has the same ETag is continued", { ETag: '"v1"' }, { ETag: '"v1"' }, true],
    ["has another ETag begins again", { ETag: '"v1"' }, { ETag: '"v2"' }, false],
    ["has a weak ETag begins again", { ETag: 'W/"v1"' }, { ETag: 'W/"v1"' }, false],
    ["has no ETag begins again", {}, {}, false],
  ];
  test.each(rows)("between two runs: what %s", async (_, before, after, continued) => {
    await using rig = await openRig(SMALL);
    let isOld = true;
    const arrivals = watchArrivals();
    await using server = await fileServer((asked, response) => {
      const cut = isOld && asked.before > 1 ? cutAfterMib(asked, arrivals) : {};
      const bytes = isOld || continued ? one : other;
      sendBytes(asked, response, { bytes, headers: isOld ? before : after, ...cut });
    });
    const settings = { connections: 1, retries: 0 };
    const failed = await installFrom(rig, server, { settings, onEvent: arrivals.onEvent });
    expect(failed.error?.code).toBe("E_NETWORK");
    isOld = false;
    const run = await installFrom(rig, server, { settings });
    expect(run.error).toBeNull();
    expect(eventsOf(run, "file.started")[0]!.resumedBytes).toBeGreaterThan(8 * MIB);
    const isTold = before["ETag"]?.startsWith('"') === true && after["ETag"]?.startsWith('"') === true;
    const reason = expect.stringContaining(isTold ? "changed at its source" : "no strong ETag") as string;
    expect(eventsOf(run, "file.restarted")).toMatchObject(continued ? [] : [{ reason }]);
    expect(await installedSha256(rig)).toBe(sha256(continued ? one : other));
    const { fetchedBytes } = run.result!;
    if (continued) expect(fetchedBytes).toBeLessThan(LARGE - 8 * MIB);
    else expect(fetchedBytes).toBeGreaterThanOrEqual(LARGE);
  });

  test("but whose digest the user knows is continued whatever the ETags say", async () => {
    await using rig = await openRig(SMALL);
    let cut = true;
    const arrivals = watchArrivals();
    await using server = await fileServer((asked, response) => {
      const fault = cut && asked.before > 1 ? cutAfterMib(asked, arrivals) : {};
      sendBytes(asked, response, { bytes: one, headers: { ETag: `"v${asked.before}"` }, ...fault });
    });
    const options = { sha256: sha256(one), settings: { connections: 1, retries: 0 } };
    const failed = await installFrom(rig, server, { ...options, onEvent: arrivals.onEvent });
    expect(failed.error?.code).toBe("E_NETWORK");
    cut = false;
    const run = await installFrom(rig, server, options);
    expect(run.error).toBeNull();
    expect(run.result?.fetchedBytes).toBeLessThan(LARGE - 8 * MIB);
    expect(run.result?.installed[0]?.files[0]).toMatchObject({ sha256: sha256(one), authority: "user" });
  });
});

describe.concurrent("a server that goes away", () => {
  test("in mid-file and comes back on its port is asked for the rest", async () => {
    await using rig = await openRig(SMALL);
    const bytes = bytesOf(SMALL, 3);
    const arrivals = watchArrivals();
    await using server = await fileServer((asked, response) => {
      const cut = asked.before === 1 ? cutAfterMib(asked, arrivals, () => server.down()) : {};
      sendBytes(asked, response, { bytes, headers: { ETag: '"v1"' }, ...cut });
    });
    const run = await installFrom(rig, server, {
      settings: { connections: 1 },
      // The first new attempt meets a closed port, the second an open one.
      onEvent: (event) => {
        arrivals.onEvent(event);
        if (event.type === "file.retrying" && event.attempt === 2) void server.up();
      },
    });
    expect(run.error).toBeNull();
    expect(await installedSha256(rig)).toBe(sha256(bytes));
    expect(eventsOf(run, "file.retrying").map(({ code }) => code)).toEqual(["E_NETWORK", "E_NETWORK"]);
    const starts = transfers(server).map(({ range }) => range?.startBytes);
    expect(starts).toEqual([0, expect.any(Number)]);
    expect(starts[1]).toBeGreaterThan(0);
    expect(run.result?.fetchedBytes).toBe(SMALL);
  });

  test("for good fails, and keeps what came", async () => {
    await using rig = await openRig(SMALL);
    const bytes = bytesOf(SMALL, 3);
    const arrivals = watchArrivals();
    await using server = await fileServer((asked, response) => {
      const cut = asked.before > 0 ? cutAfterMib(asked, arrivals, () => server.down()) : {};
      sendBytes(asked, response, { bytes, headers: { ETag: '"v1"' }, ...cut });
    });
    const settings = { connections: 1, retries: 1 };
    const run = await installFrom(rig, server, { settings, onEvent: arrivals.onEvent });
    expect(run.error).toMatchObject({ code: "E_NETWORK", exit: 5 });
    expect(run.error?.message).toContain("refused the connection");
    await server.up();
    const again = await installFrom(rig, server, { settings: { retries: 0 } });
    expect(eventsOf(again, "file.started")[0]!.resumedBytes).toBeGreaterThan(0);
  });
});

describe.concurrent("a body without an end", () => {
  const bytes = bytesOf(SMALL, 4);

  /** The right head and bytes, then more of them, then silence: whoever reads on waits for ever. */
  function endless(response: ServerResponse, headers: Record<string, string>, status: number) {
    response.writeHead(status, { ETag: '"v1"', ...headers });
    response.write(bytes);
    for (let sentBytes = 0; sentBytes < 8 * MIB; sentBytes += MIB) response.write(new Uint8Array(MIB));
  }

  test.each([
    ["a range", 206, { "Content-Range": `bytes 0-${SMALL - 1}/${SMALL}` }],
    ["all of the file", 200, {}],
  ])("in answer to a request is cut where %s ends", async (_, status, headers) => {
    await using rig = await openRig(SMALL);
    await using server = await fileServer((asked, response) => {
      if (asked.before === 0) sendBytes(asked, response, { bytes, headers: { ETag: '"v1"' } });
      else endless(response, headers, status);
    });
    const run = await installFrom(rig, server, {
      sha256: sha256(bytes),
      // Silence is no way out of it.
      settings: { connections: 1, retries: 1, stallMs: 3_600_000 },
    });
    expect(run.error).toBeNull();
    expect(await installedSha256(rig)).toBe(sha256(bytes));
    expect(transfers(server)).toHaveLength(1);
    expect(run.result?.fetchedBytes).toBe(SMALL);
  });
});

describe.concurrent("a file whose size nobody tells", () => {
  const bytes = bytesOf(SMALL, 5);
  const chunked = (response: ServerResponse, body: Uint8Array, cutAfterBytes?: number): void => {
    response.writeHead(200, { "Transfer-Encoding": "chunked" });
    if (cutAfterBytes === undefined) response.end(body);
    else response.write(body.subarray(0, cutAfterBytes), () => response.destroy());
  };

  test("is taken when its end is proper, and is called unverified", async () => {
    await using rig = await openRig(SMALL);
    await using server = await fileServer((_, response) => chunked(response, bytes));
    const run = await installFrom(rig, server);
    expect(run.error).toBeNull();
    expect(await installedSha256(rig)).toBe(sha256(bytes));
    expect(run.result?.installed[0]?.files[0]?.authority).toBe("none");
  });

  test("begins again when it is cut, and holds nothing of a longer version before it", async () => {
    await using rig = await openRig(SMALL);
    const longer = bytesOf(SMALL + MIB, 6);
    await using server = await fileServer((asked, response) => {
      if (asked.before === 1) chunked(response, longer, SMALL + MIB - 5);
      else chunked(response, bytes);
    });
    const run = await installFrom(rig, server);
    expect(run.error).toBeNull();
    expect(await installedSha256(rig)).toBe(sha256(bytes));
    expect(run.result?.installed[0]?.files[0]).toMatchObject({ sizeBytes: SMALL, sha256: sha256(bytes) });
  });

  test("and whose end looks like a broken connection is refused", async () => {
    await using rig = await openRig(SMALL);
    await using server = await fileServer((_, response) => {
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, { Connection: "close" });
      response.end(bytes);
    });
    const run = await installFrom(rig, server);
    expect(run.error).toMatchObject({ code: "E_UNVERIFIED", exit: 4 });
    expect(existsSync(finalOf(rig))).toBe(false);
  });
});
