// Servers whose downloads cannot be continued: that is said when one is stopped, and when it begins again.

import { expect, test } from "bun:test";
import { makeSafetensors } from "../../src/demo/gguf-writer.ts";
import { LuciError } from "../../src/domain/errors.ts";
import { fileServer, sendBytes } from "../support/file-server.ts";
import { eventsOf, openRig } from "../support/rig.ts";

const SIZE = 6 * 1024 * 1024 + 13;
const HALF = SIZE / 2;
const bytes = Uint8Array.from(makeSafetensors({ name: "m", sizeBytes: SIZE, seed: 9 }).read(0, SIZE));
const DIGEST = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

test.each([
  ["sends whole files only", false, { ETag: '"v1"' }, "cannot continue a download", true],
  ["sends whole files only, of a known digest", false, {}, "cannot continue a download", true],
  ["gives no ETag", true, {}, "no strong ETag", false],
  ["can continue", true, { ETag: '"v1"' }, null, false],
] as const)("of a server that %s", async (title, ranges, headers, words, isToldAgain) => {
  await using rig = await openRig(SIZE);
  let isHeld = true;
  await using server = await fileServer((asked, response) => {
    if (asked.range && ranges) {
      const isLate = isHeld && asked.range.startBytes >= HALF;
      if (!isLate) sendBytes(asked, response, { bytes, headers });
      return;
    }
    response.writeHead(200, { ...headers, "Content-Length": String(SIZE) });
    response.write(bytes.subarray(0, HALF));
    if (!isHeld || asked.before === 0) response.end(bytes.subarray(HALF));
  });
  const ref = title.includes("digest") ? `${server.url}#sha256=${DIGEST}` : server.url;
  const abort = new AbortController();
  const stopped = await rig.install({
    refs: [ref],
    signal: abort.signal,
    settings: { connections: 1, limitBytesPerSec: 8 * 1024 * 1024 },
    onEvent: (event) => {
      if (event.type === "file.progress" && event.doneBytes > 1024 * 1024)
        abort.abort(new LuciError("E_INTERRUPTED", "stopped"));
    },
  });
  const told = eventsOf(stopped, "notice").map(({ message }) => message);
  expect(told.filter((message) => message.includes("the next run begins it again"))).toEqual(
    words === null ? [] : [expect.stringContaining(words) as string],
  );
  isHeld = false;
  const again = await rig.install({ refs: [ref] });
  expect(again.error).toBeNull();
  const begun = eventsOf(again, "notice").map(({ message }) => message);
  expect(begun.some((text) => text.includes("begins again"))).toBe(isToldAgain);
});
