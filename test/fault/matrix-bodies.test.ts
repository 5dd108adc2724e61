// Bodies that are cut, endless, framed wrong, or not the file. One row a fault.

import { describe, expect } from "bun:test";
import {
  ENDLESS_BYTES,
  LAST_CHUNK,
  chunks,
  endless,
  file,
  head,
  page,
  slice,
  text,
} from "../support/hostile-answers.ts";
import { LONG, type Row, UNWRITTEN_BYTES, always, cut, inTurn, testRow } from "../support/hostile-row.ts";
import { FIN, RESET, STALL } from "../support/hostile-server.ts";
import { LARGE, SMALL } from "../support/rig.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const BOTH = ["address", "hub"] as const;
const ALL = ["address", "bare", "hub"] as const;
const HALF = Math.floor(SMALL / 2);
/** The longest listing that is read. */
const LISTING = 16 * MIB;
/** More than a MiB of it is kept, which makes up for the failure; two of them are less than a small file. */
const cutLate = cut({ cutBytes: MIB + UNWRITTEN_BYTES, after: [FIN] });

const cuts: Row[] = [0, 1, HALF, SMALL - 1].flatMap((cutBytes): Row[] => [
  {
    name: `FIN after ${cutBytes} bytes of the announced length is taken up again`,
    vias: BOTH,
    script: inTurn(cut({ cutBytes, after: [FIN] })),
    wants: { mostTransfers: 2 },
  },
  {
    name: `a reset after ${cutBytes} bytes is taken up again`,
    vias: BOTH,
    script: inTurn(cut({ cutBytes, after: [RESET] })),
    wants: { mostTransfers: 2 },
  },
  {
    name: `a chunked body that ends after ${cutBytes} bytes without its last chunk is taken up again`,
    vias: BOTH,
    script: inTurn(cut({ cutBytes, chunked: true, after: [FIN] })),
    wants: { mostTransfers: 2 },
  },
  {
    name: `no length and an end after ${cutBytes} bytes is taken up again`,
    vias: BOTH,
    script: inTurn(cut({ cutBytes, headers: { "Content-Length": null, Connection: "close" }, after: [FIN] })),
    wants: { mostTransfers: 2 },
  },
]);

const endings: Row[] = [
  {
    name: "every connection is cut in the middle: given up, and what came is kept",
    vias: BOTH,
    script: always(cut({ cutBytes: 900 * KIB, after: [FIN] })),
    wants: {
      code: "E_NETWORK",
      exit: 5,
      mostTransfers: 2,
      leastKeptBytes: 2 * (900 * KIB - UNWRITTEN_BYTES),
      words: /kept/,
    },
  },
  {
    name: "cut for ever after a few bytes: bytes that trickle do not buy more attempts",
    vias: BOTH,
    script: always((request, { content }) =>
      file(content, request, { cutBytes: 10, after: [{ pauseMs: 100 }, FIN] }),
    ),
    wants: { code: "E_NETWORK", exit: 5, mostTransfers: 2 },
  },
  {
    name: "cut again and again with errors of no length in between: what is kept costs nothing of what is granted",
    vias: BOTH,
    settings: { retries: 3 },
    script: always((request, room) =>
      request.turn % 3 === 0
        ? cutLate(request, room)
        : [head(503, { "Transfer-Encoding": "chunked" }), ...chunks([new Uint8Array(500)]), LAST_CHUNK],
    ),
    wants: { mostTransfers: 9, mostTimes: 1.5 },
  },
  {
    name: "chunked in the middle of a chunk",
    script: inTurn((request, room) =>
      cut({
        chunked: true,
        cutBytes: MIB,
        after: [`${(64 * KIB).toString(16)}\r\n`, room.content.read(MIB, MIB + 100), FIN],
      })(request, room),
    ),
    wants: { mostTransfers: 2 },
  },
  {
    name: "chunked before the last line break",
    script: inTurn(cut({ chunked: true, cutBytes: SMALL, after: ["0\r\n", FIN] })),
    wants: { mostTransfers: 2 },
  },
  {
    name: "chunked with a length that is no number",
    script: inTurn(cut({ chunked: true, cutBytes: MIB, after: ["zz\r\nnonsense\r\n", FIN] })),
    wants: { mostTransfers: 2 },
  },
  {
    name: "chunked with extensions and trailers",
    script: inTurn((_, { content }) => [
      head(206, {
        "Transfer-Encoding": "chunked",
        "Content-Range": `bytes 0-${SMALL - 1}/${SMALL}`,
        Trailer: "X-Sum",
      }),
      `${SMALL.toString(16)};name=value\r\n`,
      content.read(0, SMALL),
      "\r\n0\r\nX-Sum: 1\r\n\r\n",
    ]),
    wants: { mostTransfers: 2 },
  },
  {
    name: "a connection closed under us once it was said to stay",
    sizeBytes: LONG,
    script: always((request, { content }) => file(content, request, { after: [FIN] })),
    wants: { mostTransfers: 4 },
  },
];

const odd: Row[] = [
  {
    name: "all of the body, then a reset instead of an end",
    vias: BOTH,
    script: inTurn(cut({ cutBytes: SMALL, after: [RESET] })),
    wants: { mostTransfers: 2 },
  },
  {
    name: "HTTP/1.0 with a length",
    vias: ALL,
    script: (request, { content }) =>
      request.place === "api" || request.place === "resolve"
        ? undefined
        : file(content, request, { status: "HTTP/1.0 206 Partial", after: [FIN] }),
    wants: { mostTransfers: 1 },
  },
  {
    name: "HTTP/1.0 with all of it and no length",
    vias: BOTH,
    script: always((request, { content }) =>
      file(content, request, {
        whole: true,
        status: "HTTP/1.0 200 OK",
        headers: { "Content-Length": null },
        after: [FIN],
      }),
    ),
    wants: { mostTransfers: 1 },
  },
  {
    name: "neither size nor digest, and an end that may be a cut",
    vias: ["bare"],
    script: (request, { content }) =>
      file(content, request, { whole: true, headers: { "Content-Length": null }, after: [FIN] }),
    wants: { code: "E_UNVERIFIED", exit: 4, mostRequests: 1, words: /neither size nor digest/ },
  },
  {
    name: "headers that would lead elsewhere are not followed, and cookies not brought back",
    vias: ALL,
    sizeBytes: LONG,
    script: (request, room) =>
      request.place === "api" || request.place === "resolve"
        ? undefined
        : file(room.content, request, {
            headers: {
              Refresh: `0; url=${room.server.near}/elsewhere`,
              "Content-Location": "/elsewhere",
              Link: "</elsewhere>; rel=next",
              "Alt-Svc": 'h3=":1"; ma=9999, h2=":1"',
              "Set-Cookie": "session=1; Path=/",
            },
          }),
    wants: {
      also: ({ server }) => {
        expect(server.log.filter(({ target }) => target.includes("elsewhere"))).toEqual([]);
        expect(server.log.filter(({ headers }) => headers.has("cookie"))).toEqual([]);
      },
    },
  },
];

const ends: Row[] = [
  {
    name: "an endless body where a range ends",
    vias: ALL,
    sizeBytes: LONG,
    script: always((request, { content }) => file(content, request, { after: endless() })),
    wants: { unread: 2 },
  },
  {
    name: "an endless body without a length",
    vias: ALL,
    sizeBytes: LONG,
    script: always((request, { content }) =>
      file(content, request, { headers: { "Content-Length": null }, after: endless() }),
    ),
    wants: { unread: 2 },
  },
  {
    name: "an endless 200 without a length",
    vias: BOTH,
    sizeBytes: LONG,
    script: always((request, { content }) =>
      file(content, request, { whole: true, headers: { "Content-Length": null }, after: endless() }),
    ),
    wants: { unread: 2 },
  },
  {
    name: "an endless chunked 200 of other bytes",
    vias: BOTH,
    sizeBytes: LONG,
    script: always((_, { other }) =>
      (function* () {
        yield head(200, { "Transfer-Encoding": "chunked" });
        yield* chunks(slice(other, 0, other.sizeBytes));
        yield* chunks([new Uint8Array(ENDLESS_BYTES)]);
        yield STALL;
      })(),
    ),
    wants: { code: "E_DIGEST", exit: 4, mostTimes: 2, unread: 2 },
  },
  {
    name: "endless bodies on four connections",
    vias: BOTH,
    sizeBytes: LARGE,
    settings: { connections: 4 },
    // On each of them once: who lies more often than that is given up in the end.
    script: always((request, { content }) =>
      request.turn < 4
        ? file(content, request, { headers: { "Content-Length": null }, after: endless() })
        : undefined,
    ),
    // A slow one's rest is asked for again.
    wants: { mostTimes: 2, unread: 4 },
  },
  {
    name: "errors with an endless body between any two parts of the file: given up, and what came is kept",
    vias: BOTH,
    sizeBytes: LARGE,
    settings: { retries: 3 },
    script: always((request, room) => (request.turn % 2 === 0 ? cutLate(request, room) : flood(503))),
    // Seven floods of 4 MiB and seven parts of 1.5 MiB, and some more where a flood comes late: then it counts for less.
    wants: { code: "E_SERVER", exit: 5, mostTimes: 3, leastKeptBytes: 5 * MIB },
  },
  {
    name: "errors of a few bytes whose end comes late, before a small file: each is tried again",
    vias: BOTH,
    sizeBytes: 64 * KIB,
    settings: { retries: 3 },
    script: inTurn(...Array.from({ length: 3 }, () => lateEnd)),
    wants: { mostTransfers: 4 },
  },
  {
    name: "an endless listing",
    vias: ["hub"],
    sizeBytes: LONG,
    script: (request) => (request.place === "api" ? endlessJson() : undefined),
    wants: { code: "E_MALFORMED", exit: 10, mostRequests: 1, mostTimes: LISTING / LONG, unread: 1 },
  },
];

function* endlessJson() {
  yield head(200, { "Content-Type": "application/json" });
  yield "[";
  // As fast as it goes: a listing has half a minute.
  for (let sentBytes = 0; sentBytes < LISTING + ENDLESS_BYTES; sentBytes += MIB) yield " ".repeat(MIB);
  yield STALL;
}

/** A body without an end or a length, as fast as it goes: of it what a line and its two ends may hold. */
function* flood(status: number) {
  yield head(status, { Connection: "close" });
  for (let sentBytes = 0; sentBytes < 4 * MIB; sentBytes += 128 * KIB) yield new Uint8Array(128 * KIB);
  yield STALL;
}

function lateEnd() {
  const busy = [new TextEncoder().encode("busy")];
  return [head(503, { "Transfer-Encoding": "chunked" }), ...chunks(busy), { pauseMs: 600 }, LAST_CHUNK];
}

const lengths: Row[] = [
  {
    name: "200 with a shorter length than the file's",
    vias: BOTH,
    script: always((request, { content }) =>
      file(content, request, { whole: true, headers: { "Content-Length": SMALL - 1 }, cutBytes: SMALL - 1 }),
    ),
    wants: { code: "E_SIZE", exit: 4, mostTransfers: 1 },
  },
  {
    name: "200 with a longer length than the file's",
    vias: BOTH,
    script: always((request, { content }) =>
      file(content, request, { whole: true, headers: { "Content-Length": SMALL + 1 }, after: ["x"] }),
    ),
    wants: { code: "E_SIZE", exit: 4, mostTransfers: 1 },
  },
  {
    name: "a length of 2^63",
    vias: BOTH,
    script: inTurn(
      cut({ cutBytes: SMALL, headers: { "Content-Length": "9223372036854775808" }, after: [FIN] }),
    ),
    wants: { mostTransfers: 2 },
  },
  {
    name: "a negative length",
    vias: BOTH,
    script: inTurn((request, { content }) =>
      file(content, request, { headers: { "Content-Length": "-1" }, after: [FIN] }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "two lengths that differ",
    vias: BOTH,
    script: inTurn((request, { content }) =>
      file(content, request, { headers: { "Content-Length": ["10", String(SMALL)] }, after: [FIN] }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "two lengths that are the same",
    vias: BOTH,
    script: inTurn((request, { content }) =>
      file(content, request, { headers: { "Content-Length": [String(SMALL), String(SMALL)] } }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "a length and chunks at once",
    vias: BOTH,
    script: inTurn((request, { content }) =>
      file(content, request, { chunked: true, headers: { "Content-Length": 10 }, after: [FIN] }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "a compressed body, once",
    vias: BOTH,
    script: inTurn(() => [head(206, { "Content-Encoding": "gzip", "Content-Length": 20 }), "x".repeat(20)]),
    wants: { mostTransfers: 2 },
  },
  {
    name: "nothing but compressed bodies",
    vias: BOTH,
    script: always((request, { content }) =>
      file(content, request, { headers: { "Content-Encoding": "br" } }),
    ),
    wants: { code: "E_MALFORMED", exit: 10, words: /compressed/, mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "a compressed transfer coding",
    script: inTurn((request, { content }) =>
      file(content, request, { chunked: true, headers: { "Transfer-Encoding": "gzip, chunked" } }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "another answer hidden behind the body",
    sizeBytes: LONG,
    vias: ALL,
    script: inTurn((request, { content, other }) =>
      file(content, request, {
        after: file(
          other,
          { range: { startBytes: 8 * MIB, endBytes: LONG } },
          { headers: { ETag: `"${content.sha256.slice(0, 16)}"` } },
        ),
      }),
    ),
    // Where it is believed: the file twice, the hidden answer, and the one that nobody read for it.
    wants: { mostTimes: 2.3 },
  },
  {
    name: "garbage behind the body",
    sizeBytes: LONG,
    vias: ALL,
    script: always((request, { content }) => file(content, request, { after: ["garbage", LAST_CHUNK] })),
    wants: { mostTimes: 1.5 },
  },
];

const lies: Row[] = [
  {
    name: "other bytes of the right length, always",
    vias: BOTH,
    script: always((request, { other }) => file(other, request)),
    wants: { code: "E_DIGEST", exit: 4, mostTimes: 2, mostTransfers: 2 },
  },
  {
    name: "other bytes of the right length, once",
    vias: BOTH,
    script: inTurn((request, { other }) => file(other, request)),
    wants: { mostTimes: 2, mostTransfers: 2, said: /file\.restarted/ },
  },
  {
    name: "other bytes of the right length, once, after two errors with an endless body",
    vias: BOTH,
    sizeBytes: LONG,
    settings: { connections: 1, retries: 3 },
    script: inTurn(
      () => flood(503),
      () => flood(503),
      (request, { other }) => file(other, request),
      (request, { other }) => file(other, request),
    ),
    // A flood stalls after 4 MiB.
    wants: { mostTimes: 2, unread: 8, mostTransfers: 6, said: /file\.restarted/ },
  },
  {
    name: "a login page of the right length",
    vias: BOTH,
    script: always(() => [...text(200, page(SMALL), { "Content-Type": "text/html; charset=utf-8" })]),
    wants: { code: "E_MALFORMED", exit: 10, words: /web page/, mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "a login page of its own length",
    vias: BOTH,
    script: always(() => [...text(200, page(5_000), { "Content-Type": "text/html" })]),
    wants: { code: "E_MALFORMED", exit: 10, words: /web page/, mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "half of the file, then a login page as the rest of it",
    vias: BOTH,
    script: inTurn(
      cut({ cutBytes: HALF, after: [FIN] }),
      ...Array.from(
        { length: 3 },
        () => () =>
          text(206, page(SMALL - HALF), {
            "Content-Type": "text/html",
            "Content-Range": `bytes ${HALF}-${SMALL - 1}/${SMALL}`,
          }),
      ),
    ),
    wants: {
      code: "E_MALFORMED",
      exit: 10,
      words: /web page/,
      leastKeptBytes: HALF - UNWRITTEN_BYTES,
      mostTransfers: 3,
      mostTimes: 2,
    },
  },
];

describe.concurrent("a body that is cut", () => [...cuts, ...endings, ...odd].forEach(testRow));
describe.concurrent("a body without an end", () => ends.forEach(testRow));
describe.concurrent("a length that lies", () => lengths.forEach(testRow));
describe.concurrent("other bytes", () => lies.forEach(testRow));
