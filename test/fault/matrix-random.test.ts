// Faults at random, on several connections at once: whatever comes, the file is right or there is none, and the
// next run mends it.

import { describe, expect, test } from "bun:test";
import { endless, file, head, page, text } from "../support/hostile-answers.ts";
import { type PlacedRequest, type Room, type Via, openRoom } from "../support/hostile-room.ts";
import { LONG } from "../support/hostile-row.ts";
import { type Answer, FIN, RESET, STALL } from "../support/hostile-server.ts";
import { type Prng, prng } from "../support/prng.ts";

const SEEDS = [11, 12, 13, 14];
/** Failures that a server alone can bring about; anything else would be luci's own. */
const CODES = [
  "E_NETWORK",
  "E_SERVER",
  "E_STALLED",
  "E_SIZE",
  "E_MALFORMED",
  "E_DIGEST",
  "E_UNVERIFIED",
  "E_CHANGED",
  // The 403 of an address.
  "E_AUTH",
];

/** Silence after all that was asked for is none: the connection would be asked again, and never answer. */
const sizeOf = ({ range }: PlacedRequest): number => (range ? range.endBytes - range.startBytes : LONG);

type Fault = (request: PlacedRequest, room: Room, random: Prng) => Answer;
const faults: readonly Fault[] = [
  (request, { content }, random) =>
    file(content, request, { cutBytes: random.integer(0, LONG), after: [FIN] }),
  (request, { content }, random) =>
    file(content, request, { cutBytes: random.integer(0, LONG), after: [RESET] }),
  (request, { content }, random) =>
    file(content, request, { cutBytes: random.integer(0, LONG) % sizeOf(request), after: [STALL] }),
  (request, { content }, random) =>
    file(content, request, { chunked: true, cutBytes: random.integer(0, LONG), after: [FIN] }),
  (request, { content }) => file(content, request, { whole: true }),
  (request, { content }) => file(content, request, { headers: { "Content-Length": null }, after: endless() }),
  (request, { content }) => file(content, request, { headers: { "Content-Range": null } }),
  (request, { content }) => file(content, request, { headers: { "Content-Encoding": "gzip" } }),
  (request, { content }, random) => {
    const startBytes = Math.min(LONG - 1, (request.range?.startBytes ?? 0) + random.integer(1, 1_000));
    return file(content, request, { from: { startBytes, endBytes: LONG } });
  },
  () => text(503, "busy"),
  () => text(403, "expired"),
  () => [head(302, { "Content-Length": 0 })],
  () => ["garbage\r\n\r\n", FIN],
  () => [RESET],
  () => text(200, page(9_000), { "Content-Type": "text/html" }),
];

async function meet(via: Via, seed: number): Promise<void> {
  const random = prng(seed);
  await using room = await openRoom({
    via,
    sizeBytes: LONG,
    script: (request, room) => {
      const isBytes = request.place === "file" || request.place === "cdn";
      return isBytes && random.next() < 0.5 ? random.pick(faults)(request, room, random) : undefined;
    },
  });
  for (let round = 0; round < 2; round += 1) {
    const run = await room.install({ settings: { connections: 4, retries: 1, stallMs: 300 } });
    const { finals } = await room.check({ events: JSON.stringify(run) });
    if (run.error) expect(CODES).toContain(run.error.code);
    expect(finals, `seed ${seed}`).toHaveLength(run.error ? 0 : 1);
  }
  room.heal();
  const last = await room.install({ settings: { retries: 0 } });
  await room.check({ events: JSON.stringify(last) });
  expect(last.error, `seed ${seed}`).toBeNull();
  expect(await room.rig.finalSha256()).toBe(room.content.sha256);
}

describe.concurrent("faults at random", () => {
  for (const seed of SEEDS) {
    for (const via of ["address", "hub"] as const)
      test(`through the ${via}, seed ${seed}`, () => meet(via, seed));
  }
});
